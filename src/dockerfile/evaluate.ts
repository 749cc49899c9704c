/**
 * What a Dockerfile does, worked out before any of it is done: variables replaced, settings of the image followed from one
 * instruction to the next. Pure.
 */
import { posix } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { expandWord, expandWords } from "./expandWord.ts";
import { ExpansionError } from "./expansionError.ts";
import { parseModeChange } from "./fileMode.ts";
import { heredocContent, parseHeredocWord } from "./heredocs.ts";
import { pathPatterns } from "./ignoreFile.ts";
import type { ImageSettings } from "./imageSettings.ts";
import type { CommandLine, Instruction, Transfer, Word } from "./instruction.ts";
import { type Mount, readMount } from "./mounts.ts";
import type { Dockerfile } from "./parseDockerfile.ts";
import { parsePorts } from "./ports.ts";
import { isSignal } from "./signals.ts";
import type { RunStep, Step, TransferStep } from "./step.ts";

/** A Dockerfile, worked out. */
export interface Evaluation {
  readonly steps: readonly Step[];
  /** In the end. */
  readonly settings: ImageSettings;
  /** Values given for ARG that no ARG asks for. */
  readonly unusedArguments: readonly string[];
}

/** What {@link evaluate} starts from. */
export interface EvaluationRequest {
  readonly settings: ImageSettings;
  /** Values for ARG, by name. */
  readonly arguments: ReadonlyMap<string, string>;
  readonly architecture: "amd64" | "arm64";
  /** The image is not known yet: what depends on its variables is left open. */
  readonly isTrial?: boolean;
}

const defaultShell = ["/bin/sh", "-c"];

/** Arguments that need not be declared, and are not part of what decides an image. */
export const proxyArguments: ReadonlySet<string> = new Set(
  ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"].flatMap((name) => [
    name,
    name.toLowerCase(),
  ]),
);

/**
 * Works out what a Dockerfile does on an image.
 *
 * @throws SpacktainersError with the place: `DEFINITION_INVALID` for what cannot be expanded or is no value for its instruction,
 *   `NOT_SUPPORTED` for mounts that cannot be had
 */
export function evaluate(dockerfile: Dockerfile, request: EvaluationRequest): Evaluation {
  const evaluator = new Evaluator(dockerfile, request);
  const steps = dockerfile.instructions.map((instruction) => evaluator.step(instruction));
  return { steps, settings: evaluator.settings, unusedArguments: evaluator.unusedArguments() };
}

class Evaluator {
  settings: ImageSettings;
  readonly #dockerfile: Dockerfile;
  readonly #given: ReadonlyMap<string, string>;
  readonly #platform: ReadonlyMap<string, string>;
  readonly #isTrial: boolean;
  readonly #used = new Set<string>();
  /** ENV and ARG, the later over the earlier. */
  #variables: Map<string, string>;
  #shell: readonly string[] = defaultShell;
  #hasCommand = false;
  #unset = new Set<string>();
  /** In a trial: the instruction uses variables that the image may set, or whose values depend on such. */
  #isUncertain = false;
  readonly #uncertain = new Set<string>();

  constructor(
    dockerfile: Dockerfile,
    { settings, arguments: given, architecture, isTrial = false }: EvaluationRequest,
  ) {
    this.settings = settings;
    this.#isTrial = isTrial;
    this.#dockerfile = dockerfile;
    this.#given = given;
    this.#variables = new Map(settings.env);
    const variant = architecture === "arm64" ? "v8" : "";
    this.#platform = new Map([
      ["TARGETPLATFORM", `linux/${architecture}${variant === "" ? "" : `/${variant}`}`],
      ["TARGETOS", "linux"],
      ["TARGETARCH", architecture],
      ["TARGETVARIANT", variant],
    ]);
  }

  unusedArguments(): readonly string[] {
    return [...this.#given.keys()]
      .filter((name) => !this.#used.has(name) && !proxyArguments.has(name))
      .sort();
  }

  step(instruction: Instruction): Step {
    this.#unset = new Set();
    this.#isUncertain = false;
    const change = this.#tried(instruction);
    const unset = [...this.#unset];
    const isUncertain = this.#isUncertain;
    return { instruction, settings: this.settings, unset, isUncertain, change };
  }

  #tried(instruction: Instruction): Step["change"] {
    try {
      return this.#change(instruction);
    } catch (error) {
      // Whether it is wrong, the finished image will tell.
      if (this.#isUncertain && error instanceof SpacktainersError) return undefined;
      throw error;
    }
  }

  #change(instruction: Instruction): Step["change"] {
    switch (instruction.kind) {
      case "env":
        this.#setEnv(instruction);
        return undefined;
      case "label":
        this.#set({ labels: new Map([...this.settings.labels, ...this.#assigned(instruction)]) });
        return undefined;
      case "arg":
        this.#declare(instruction);
        return undefined;
      case "workdir":
        return this.#enter(instruction.value);
      case "user": {
        const user = this.#expand(instruction.value);
        if (user === "") throw this.#wrong(instruction.value, "USER needs a name or a number");
        this.#set({ user });
        return undefined;
      }
      case "stopsignal": {
        const stopSignal = this.#expand(instruction.value);
        if (!isSignal(stopSignal)) throw this.#wrong(instruction.value, `${stopSignal} is not a signal`);
        this.#set({ stopSignal });
        return undefined;
      }
      case "maintainer":
        this.#set({ author: instruction.value.text });
        return undefined;
      case "cmd":
        this.#hasCommand = true;
        this.#set({ command: this.#started(instruction.command) });
        return undefined;
      case "entrypoint": {
        const entrypoint = this.#started(instruction.command);
        this.#set({
          entrypoint: entrypoint.length === 0 ? undefined : entrypoint,
          // What the image had were arguments for another program.
          ...(this.#hasCommand ? {} : { command: undefined }),
        });
        return undefined;
      }
      case "shell":
        this.#shell = instruction.shell;
        return undefined;
      case "expose":
        this.#expose(instruction.values);
        return undefined;
      case "volume":
        this.#set({
          volumes: new Set([
            ...this.settings.volumes,
            ...instruction.values.map((word) => this.#expand(word)),
          ]),
        });
        return undefined;
      case "copy":
        return { kind: "copy", ...this.#transfer(instruction) };
      case "add": {
        const { checksum, unpack } = instruction;
        const expanded = checksum === undefined ? undefined : { ...checksum, text: this.#expand(checksum) };
        return { kind: "add", checksum: expanded, unpack, ...this.#transfer(instruction) };
      }
      case "run":
        return { kind: "run", ...this.#run(instruction) };
      case "healthcheck-none":
        return undefined;
    }
  }

  #set(changes: Partial<ImageSettings>): void {
    this.settings = { ...this.settings, ...changes };
  }

  #wrong({ line, column }: Pick<Word, "line" | "column">, message: string, hint?: string): SpacktainersError {
    return new SpacktainersError("DEFINITION_INVALID", message, {
      place: { file: this.#dockerfile.file, line, column },
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #variable(name: string): string | undefined {
    const value = this.#variables.get(name);
    if (value === undefined) this.#unset.add(name);
    if (this.#isTrial && (value === undefined || this.#uncertain.has(name))) this.#isUncertain = true;
    return value;
  }

  #expand(word: Word): string {
    return this.#expanded(word, () => expandWord(word.text, this.#expansion()));
  }

  #expansion(): { readonly variable: (name: string) => string | undefined; readonly escape: string } {
    return { variable: (name) => this.#variable(name), escape: this.#dockerfile.escape };
  }

  #expanded<T>(place: Pick<Word, "line" | "column">, expand: () => T): T {
    try {
      return expand();
    } catch (error) {
      if (error instanceof ExpansionError) throw this.#wrong(place, error.message);
      throw error;
    }
  }

  #assigned({ assignments }: Extract<Instruction, { kind: "env" | "label" }>): readonly [string, string][] {
    return assignments.map(({ name, value }) => [
      this.#expand(name),
      this.#expanded(name, () => expandWord(value, this.#expansion())),
    ]);
  }

  #setEnv(instruction: Extract<Instruction, { kind: "env" | "label" }>): void {
    const assigned = this.#assigned(instruction);
    for (const [name, value] of assigned)
      if (name === "" || name.includes("=") || /\0/.test(name + value))
        throw this.#wrong(instruction, `${JSON.stringify(name)} cannot be the name of a variable`);
    this.#set({ env: new Map([...this.settings.env, ...assigned]) });
    for (const [name, value] of assigned) this.#setVariable(name, value);
  }

  #declare({ arguments: declared }: Extract<Instruction, { kind: "arg" }>): void {
    for (const { name: word, value } of declared) {
      const name = word.text;
      this.#used.add(name);
      const given = this.#given.get(name);
      const found =
        given ??
        (value === undefined
          ? this.#platform.get(name)
          : this.#expanded(word, () => expandWord(value, this.#expansion())));
      if (found !== undefined) this.#setVariable(name, found);
    }
  }

  #setVariable(name: string, value: string): void {
    this.#variables.set(name, value);
    if (this.#isUncertain) this.#uncertain.add(name);
    else this.#uncertain.delete(name);
  }

  #absolute(path: string): string {
    return posix.resolve(this.settings.workingDirectory ?? "/", path);
  }

  #enter(value: Word): Step["change"] {
    const workingDirectory = this.#absolute(this.#expand(value));
    this.#set({ workingDirectory });
    if (workingDirectory === "/") return undefined;
    return { kind: "directory", path: workingDirectory, user: this.settings.user };
  }

  #started(command: CommandLine): readonly string[] {
    if (command.form === "exec") return command.arguments;
    return command.line === "" ? [] : [...this.#shell, command.line];
  }

  #expose(words: readonly Word[]): void {
    const ports = new Set(this.settings.exposedPorts);
    for (const word of words)
      for (const text of this.#expanded(word, () => expandWords(word.text, this.#expansion()))) {
        const found = parsePorts(text);
        if (found === undefined)
          throw this.#wrong(word, `${JSON.stringify(text)} is not a port`, "write 8080, 53/udp or 8000-8009");
        for (const port of found) ports.add(port);
      }
    this.#set({ exposedPorts: ports });
  }

  #transfer({ sources, documents, destination, chown, chmod, exclude }: Transfer): TransferStep {
    const target = this.#expand(destination);
    const absolute = this.#absolute(target);
    const isFolder = target === "" || /(?:^|\/)\.?$/.test(target);
    const mode = chmod === undefined ? undefined : this.#expand(chmod);
    const change = mode === undefined || mode === "" ? undefined : parseModeChange(mode);
    if (chmod !== undefined && mode !== "" && change === undefined)
      throw this.#wrong(
        chmod,
        `${JSON.stringify(mode)} is not a mode`,
        "write --chmod=755 or --chmod=u=rwX,go=rX",
      );
    const patterns = exclude.length === 0 ? undefined : pathPatterns(exclude.map(({ text }) => text));
    if (patterns !== undefined && "wrong" in patterns)
      throw this.#wrong(exclude[0] ?? destination, `${JSON.stringify(patterns.wrong)} is not a pattern`);
    const expand = { variable: (name: string) => this.#variable(name), ignoreQuotes: true };
    return {
      sources: sources.map((word) => ({ ...word, text: this.#expand(word) })),
      documents: documents.map((document) => {
        const content = heredocContent(document);
        return {
          name: document.name,
          content: document.expand ? this.#expanded(destination, () => expandWord(content, expand)) : content,
        };
      }),
      destination: isFolder && absolute !== "/" ? `${absolute}/` : absolute,
      chown: chown === undefined ? undefined : { ...chown, text: this.#expand(chown) },
      chmod: change,
      exclude: patterns,
      options: { chmod: mode, exclude: exclude.map(({ text }) => text) },
    };
  }

  #run(instruction: Extract<Instruction, { kind: "run" }>): RunStep {
    const { command, network } = instruction;
    const mounts = instruction.mounts.map((request): Mount => {
      const found = this.#expanded(request.word, () =>
        readMount(
          request,
          (text) => expandWord(text, this.#expansion()),
          (path) => this.#absolute(path),
        ),
      );
      if (!("problem" in found)) return found;
      const { line, column } = request.word;
      throw new SpacktainersError(found.refused ? "NOT_SUPPORTED" : "DEFINITION_INVALID", found.problem, {
        place: { file: this.#dockerfile.file, line, column },
        hint: found.hint,
      });
    });
    const proxies = [...this.#given].filter(([name]) => proxyArguments.has(name));
    return {
      ...this.#commandOf(command),
      env: new Map([...proxies, ...this.#variables]),
      user: this.settings.user,
      workingDirectory: this.settings.workingDirectory ?? "/",
      network,
      mounts,
    };
  }

  #commandOf(command: CommandLine): Pick<RunStep, "argv" | "script"> {
    if (command.form === "exec") {
      const [program = "", ...rest] = command.arguments;
      return { argv: [program, ...rest], script: undefined };
    }
    const [first] = command.heredocs;
    const inShell = (line: string): readonly [string, ...string[]] => {
      const [program = "/bin/sh", ...rest] = this.#shell;
      return [program, ...rest, line];
    };
    if (first === undefined) return { argv: inShell(command.line), script: undefined };
    if (parseHeredocWord(command.line) !== undefined) {
      const content = heredocContent(first);
      if (!content.startsWith("#!")) return { argv: inShell(content), script: undefined };
      // Its first line names the program for it.
      return { argv: [`/run/.pipes/${first.name}`], script: { name: first.name, content } };
    }
    const parts = command.heredocs.map(({ name, content }) => `\n${content}${name}`);
    return { argv: inShell(command.line + parts.join("")), script: undefined };
  }
}
