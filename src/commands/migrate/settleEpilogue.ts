/** What is left of a Dockerfile for the finished image, once it is known which files there are: each command is kept with what it needs, or left out. */
import { posix } from "node:path";
import { readMount } from "../../dockerfile/mounts.ts";
import { parseDockerfile } from "../../dockerfile/parseDockerfile.ts";
import { errorsOf, type Place } from "../../util/errors.ts";
import type { DockerfileDraft, EpiloguePart } from "./dockerfileDraft.ts";
import type { MigratedSettings } from "./migration.ts";
import {
  builderPackages,
  buildsSomething,
  calledPrograms,
  packagesOfProgram,
  systemPackages,
} from "./programs.ts";

/** The image that the last stage starts from. */
export interface FinalBase {
  readonly base: NonNullable<MigratedSettings["base"]>;
  /** It is one of Spack's own, which can build. */
  readonly isBuilder: boolean;
}

/**
 * Decides what the epilogue has, and which OS packages its commands need; these are added to the draft's.
 *
 * @param missing files of the build context that could not be copied, with the reason
 * @returns lines of `Dockerfile.epilogue`: what is left out stands there as a comment
 */
export function settleEpilogue(
  draft: DockerfileDraft,
  from: FinalBase,
  missing: ReadonlyMap<string, string>,
): readonly string[] {
  const kept: EpiloguePart[] = [];
  const lines: string[] = [];
  for (const part of draft.epilogue) {
    const reason = whyNot(part, draft, missing);
    if (reason !== undefined) {
      draft.list.todo(
        `${part.keyword} is left out, ${reason}; it is a comment in Dockerfile.epilogue`,
        part.place,
      );
      lines.push(`# Left out, ${reason}:`, ...part.source.map((line) => `# ${line}`.trimEnd()));
      continue;
    }
    // What only names a value is needed where something uses it.
    if (part.early && part.keyword === "ARG" && !isUsed(part, draft.epilogue)) continue;
    kept.push(part);
    lines.push(...part.source);
    draft.list.taken(`${part.keyword}, in Dockerfile.epilogue`, part.place);
  }
  takeNeededPackages(kept, draft, from);
  return lines;
}

function isUsed({ source }: EpiloguePart, parts: readonly EpiloguePart[]): boolean {
  const names = [...source.join(" ").matchAll(/([A-Za-z_]\w*)(?==|\s|$)/g)].map(([, name = ""]) => name);
  return parts.some(
    (part) =>
      part.keyword !== "ARG" &&
      names.some((name) => new RegExp(`\\$\\{?${name}\\b`).test(part.source.join("\n"))),
  );
}

/** Why an instruction cannot be carried out on the image; undefined: it can. */
function whyNot(
  part: EpiloguePart,
  draft: DockerfileDraft,
  missing: ReadonlyMap<string, string>,
): string | undefined {
  const absent = part.copies.find((path) => missing.has(path));
  if (absent !== undefined) {
    for (const path of part.copies)
      if (missing.has(path))
        draft.lost.push({ path: copiedPath(path, part.target ?? "/"), place: part.place });
    return `since ${absent} is not copied: ${missing.get(absent)}`;
  }
  const refused = refusal(part);
  if (refused !== undefined) return refused;
  if (part.keyword !== "RUN") return undefined;
  const text = part.source.join("\n");
  for (const { path, place } of draft.lost) {
    const isInside = part.directory === path || part.directory.startsWith(`${path}/`);
    if (mentions(text, path) || (isInside && path !== "/" && worksOnFiles(part)))
      return `since it works on ${path}, which line ${place.line ?? 0} does not fill here`;
  }
  return undefined;
}

/** What an epilogue cannot say. */
function refusal({ source, place }: EpiloguePart): string | undefined {
  try {
    const { instructions } = parseDockerfile(`${source.join("\n")}\n`, place.file ?? "");
    for (const one of instructions)
      for (const mount of one.kind === "run" ? one.mounts : []) {
        const read = readMount(
          mount,
          (text) => text,
          (path) => path,
        );
        if ("problem" in read) return `since an epilogue cannot have it: ${read.problem}`;
      }
    return undefined;
  } catch (thrown) {
    const [error] = errorsOf(thrown);
    return error === undefined ? undefined : `since an epilogue cannot have it: ${error.message}`;
  }
}

/**
 * The path of a copied file in the image.
 *
 * @param target absolute, with `/` at the end where it is a folder
 */
export function copiedPath(source: string, target: string): string {
  const isFolder = target.endsWith("/") && !/(?:^|\/)\.?\/?$/.test(source);
  const path = isFolder ? posix.join(target, posix.basename(source)) : target;
  return path.replace(/(?<=.)\/+$/, "");
}

function mentions(text: string, path: string): boolean {
  if (path === "/") return false;
  const escaped = path.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?:^|[\\s=:,'"(])${escaped}(?=$|[/\\s;&|,'":)])`, "m").test(text);
}

/** Whether commands look for something in the folder that they are run in. */
function worksOnFiles({ commands }: EpiloguePart): boolean {
  return (
    buildsSomething(calledPrograms(commands), commands) ||
    commands.some(({ words }) =>
      words.some(
        ({ text }, index) =>
          /^\.{1,2}(?:\/|$)/.test(text) || (index > 0 && /^[\w-]+\.(?:sh|py|txt|tar|tgz|zip)/.test(text)),
      ),
    )
  );
}

/** The commands that are kept run in an image of few packages: what the source's image had for them is added. */
function takeNeededPackages(kept: readonly EpiloguePart[], draft: DockerfileDraft, from: FinalBase): void {
  const { list, osPackages, buildPackages } = draft;
  const isSpec = (name: string): boolean =>
    draft.specs.some((spec) => spec.match(/^[\w-]+/)?.[0] === name.replace(/^python3$/, "python"));
  const runs = kept
    .filter(({ keyword }) => keyword === "RUN")
    .map((part) => ({ ...part, programs: calledPrograms(part.commands) }));
  const builder = runs.find(({ programs, commands }) => buildsSomething(programs, commands));
  const needed = new Map<string, { readonly program: string; readonly place: Place }>();
  for (const { programs, place } of runs)
    for (const program of programs)
      for (const name of isSpec(program) ? [] : packagesOfProgram(program))
        if (!needed.has(name)) needed.set(name, { program, place });
  for (const { names, place } of buildPackages) {
    const isNeeded = (name: string): boolean =>
      builder !== undefined ||
      needed.has(name.replace(/=.*$/, "")) ||
      (name === "ca-certificates" && ["curl", "git", "wget"].some((one) => needed.has(one)));
    const stay = names.filter(isNeeded);
    const go = names.filter((name) => !isNeeded(name));
    osPackages.push(...stay);
    const by = builder ?? runs.find(({ programs }) => [...programs].some((one) => !isSpec(one)));
    if (stay.length > 0)
      list.taken(
        `OS packages that building needs stay in the image, since RUN in line ${by?.place.line ?? 0} ${builder === undefined ? "calls them" : "builds something"}: ${stay.join(", ")}`,
        place,
      );
    if (go.length > 0)
      list.changed(`OS packages that only building needs are left out: ${go.join(", ")}`, place);
  }
  takeFromImage(needed, draft, from);
}

/** What the source's image has by itself. */
function takeFromImage(
  needed: ReadonlyMap<string, { readonly program: string; readonly place: Place }>,
  { list, osPackages }: DockerfileDraft,
  { base, isBuilder }: FinalBase,
): void {
  const there = new Set(osPackages.map((name) => name.replace(/=.*$/, "")));
  const programs = new Set<string>();
  for (const [name, { program, place }] of needed) {
    if (programs.has(program) || !(systemPackages.has(name) || (isBuilder && builderPackages.has(name))))
      continue;
    programs.add(program);
    if (packagesOfProgram(program).some((one) => there.has(one))) continue;
    if (base.kind === "image") {
      if (isBuilder)
        list.todo(
          `${program} was in the image of Spack's, and is not in ${base.value}: install it before, in Dockerfile.epilogue`,
          place,
        );
      continue;
    }
    osPackages.push(name);
    there.add(name);
    list.taken(
      `the OS package ${name}, for ${program}: the image has it, and a base of packages has not`,
      place,
    );
  }
}
