/** What `init` asks for on the terminal. */
import type { Architecture } from "../definitions/configuration.ts";
import { hostArchitecture } from "../definitions/hostArchitecture.ts";
import { SpacktainersError } from "../util/errors.ts";
import { type FormTerminal, openConversation, yesOrNo } from "./conversation.ts";

/** What a repository is to be. */
export interface InitAnswers {
  readonly caches: readonly string[];
  readonly trust: readonly string[];
  readonly unsigned: boolean;
  readonly base: string;
  readonly registry: string | undefined;
  readonly architectures: readonly Architecture[];
  readonly builder: boolean;
  readonly ci: PipelineChoice;
}

/** Whose pipelines are written. */
export type PipelineChoice = "github" | "gitlab" | "none";

/** The part that a command line says: it is not asked for. */
export type GivenAnswers = { readonly [Key in keyof InitAnswers]: InitAnswers[Key] | undefined };

/**
 * Answers without asking.
 *
 * @param host where the repository is kept, as far as that is known
 */
export function initDefaults(given: GivenAnswers, host: PipelineChoice): InitAnswers {
  return {
    caches: given.caches ?? [],
    trust: given.trust ?? [],
    unsigned: given.unsigned ?? false,
    base: given.base ?? "bookworm",
    registry: given.registry,
    architectures: given.architectures ?? [hostArchitecture()],
    builder: given.builder ?? true,
    ci: given.ci ?? host,
  };
}

/**
 * Asks for everything that the command line does not say; an empty line stands for the default.
 *
 * @throws {SpacktainersError} `INTERRUPTED` when the answers end too early
 */
export async function askForRepository(
  given: GivenAnswers,
  host: PipelineChoice,
  terminal: FormTerminal,
): Promise<InitAnswers> {
  const usual = initDefaults(given, host);
  const form = openConversation(terminal, ["the questions were not all answered", "nothing was written"]);
  try {
    const caches =
      given.caches ??
      (await form.ask("Build cache with your packages, a URL or a folder", "the demo", cacheAnswer));
    const keys = caches.length > 0 && given.trust === undefined && given.unsigned === undefined;
    const trust = keys
      ? await form.ask("File with the public key that signs them", "none", listAnswer)
      : usual.trust;
    const unsigned =
      keys && trust.length === 0
        ? await form.ask("Use packages without signatures, yes or no", "no", expectYes)
        : usual.unsigned;
    const base =
      given.base ??
      (await form.ask("Base of the images: a suite of Debian or Ubuntu", usual.base, (text) => text));
    const architectures =
      given.architectures ??
      (await form.ask(
        "Architectures: amd64, arm64 or both",
        usual.architectures.join(" "),
        architecturesAnswer,
      ));
    const registry =
      given.registry ??
      (await form.ask(
        "Registry to publish to, such as ghcr.io/my-org",
        "none",
        (text) => listAnswer(text)[0],
      ));
    const builder =
      given.builder ??
      (await form.ask("Dockerfiles of builder and runtime images, yes or no", "yes", yesOrNo));
    const ci = given.ci ?? (await form.ask("Pipelines: github, gitlab or none", usual.ci, pipelineAnswer));
    return { caches, trust, unsigned, base, architectures, registry, builder, ci };
  } finally {
    form.close();
  }
}

function cacheAnswer(text: string): readonly string[] {
  return text === "the demo" || text === "demo" ? [] : listAnswer(text);
}

function listAnswer(text: string): readonly string[] {
  return text === "none" ? [] : text.split(/\s+/);
}

/** Without a key and without this, nothing of the cache can be used. */
function expectYes(text: string): boolean {
  if (yesOrNo(text)) return true;
  throw new SpacktainersError("USAGE", "then you need a key: press Ctrl-C, and start again with it");
}

function pipelineAnswer(text: string): PipelineChoice {
  if (text === "github" || text === "gitlab" || text === "none") return text;
  throw new SpacktainersError("USAGE", "the answer is github, gitlab or none");
}

function architecturesAnswer(text: string): readonly Architecture[] {
  const found = text === "both" ? (["amd64", "arm64"] as const) : text.split(/[\s,]+/);
  return found.map((name) => {
    if (name === "amd64" || name === "arm64") return name;
    throw new SpacktainersError("USAGE", `${name} is not an architecture: write amd64, arm64 or both`);
  });
}
