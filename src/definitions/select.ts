/** Which containers a command line names. */

import { resolve } from "node:path";
import { oneError, SpacktainersError } from "../util/errors.ts";
import { matchesGlob } from "../util/matchesGlob.ts";
import { type Architecture, architectures } from "./configuration.ts";
import { hostArchitecture } from "./hostArchitecture.ts";
import { didYouMean } from "./nearest.ts";
import { type Container, containerAtPath, type Definition, type Repository } from "./repository.ts";

/** How to select. */
export interface Selection {
  /** Names, paths or globs; none means all that are not parked. */
  readonly names: readonly string[];
  /** Only this architecture; also the one of a container that is named by a path outside of a repository. */
  readonly arch?: Architecture | undefined;
  /** Absolute folder that paths start from. */
  readonly cwd: string;
}

/**
 * The definitions that a command line asks for, each once, in the repository's order (then paths outside of it in the
 * order given). A NAME is, in this order: a container's name or `arch/name`, a glob over these (`*`, `?`), a path of a
 * definition file or its folder. Parked containers are selected by `arch/name` with their exact name, when no other has it,
 * or by path only. Broken definitions are selected like others, and do not affect others. Where the repository has no definitions
 * at all, a `spack.yaml` in `cwd` is the one container.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, with the nearest names
 */
export async function selectDefinitions(
  repository: Pick<Repository, "containers" | "broken">,
  selection: Selection,
): Promise<readonly Definition[]> {
  const { names, arch, cwd } = selection;
  const inRepository = inDefinitionOrder([...repository.containers, ...repository.broken]);
  // A folder with a spack.yaml is a container, and needs no repository.
  const lone = inRepository.length === 0 ? await loneContainer(cwd, arch) : undefined;
  const all = lone === undefined ? inRepository : [lone];
  const here = all.filter((one) => arch === undefined || one.arch === undefined || one.arch === arch);
  if (names.length === 0) return here.filter((one) => one.kind === "broken" || !one.parked);
  const chosen = new Set<Definition>();
  const outside: Container[] = [];
  for (const name of names) {
    const matches = here.filter((one) => matchesName(one, name));
    const unparked = matches.filter((one) => one.kind === "broken" || !one.parked);
    if (matches.length > 0) {
      for (const match of unparked.length > 0 ? unparked : matches) chosen.add(match);
      continue;
    }
    const path = resolve(cwd, name);
    const known = all.find((one) => one.path === path || one.path === `${path}/spack.yaml`);
    if (known !== undefined) {
      chosen.add(known);
      continue;
    }
    const found = await containerAtPath(path, arch ?? hostArchitecture());
    if (found === undefined) throw unknownContainer(name, repository.containers, arch);
    if (!outside.some((container) => container.path === found.path)) outside.push(found);
  }
  return [...all.filter((one) => chosen.has(one)), ...outside];
}

/**
 * The containers that a command line asks for, as {@link selectDefinitions}; without names, those of all definitions that
 * are not broken.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`; what is wrong with a broken definition that is named
 */
export async function selectContainers(
  repository: Pick<Repository, "containers" | "broken">,
  selection: Selection,
): Promise<readonly Container[]> {
  const selected = await selectDefinitions(repository, selection);
  const broken = selected.flatMap((one) => (one.kind === "broken" ? one.errors : []));
  if (broken.length > 0 && selection.names.length > 0) throw oneError(broken);
  return selected.flatMap((one) => (one.kind === "broken" ? [] : [one]));
}

/** The container that a folder without definitions is itself, by the `spack.yaml` in it. */
async function loneContainer(folder: string, arch: Architecture | undefined): Promise<Container | undefined> {
  return containerAtPath(folder, arch ?? hostArchitecture());
}

/** In the repository's order: by architecture (unknown ones first), name and path. */
export function inDefinitionOrder(definitions: readonly Definition[]): readonly Definition[] {
  const key = ({ arch, name, path }: Definition): string => [arch ?? "", name, path].join("\0");
  return [...definitions].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/**
 * The container that a name stands for where it must be one: of those that one name stands for, one for each architecture, the one for this machine.
 *
 * @returns undefined when there is none; when several are left, or none of them is for this machine, the first two to name
 */
export function theOneMeant(
  containers: readonly Container[],
): { readonly one: Container | undefined } | { readonly several: readonly [Container, Container] } {
  const isOneName = new Set(containers.map(({ name }) => name)).size === 1;
  const here = isOneName ? containers.filter(({ arch }) => arch === hostArchitecture()) : [];
  const [one, other] = here.length === 1 ? here : containers;
  return one === undefined || other === undefined ? { one } : { several: [one, other] };
}

function matchesName(definition: Definition, name: string): boolean {
  const qualified = `${definition.arch ?? ""}/${definition.name}`;
  if (definition.kind !== "broken" && definition.parked) return name === qualified;
  if (name === definition.name || name === qualified) return true;
  if (!/[*?]/.test(name)) return false;
  return matchesGlob(name.includes("/") ? qualified : definition.name, name, "/");
}

/** What can only be meant as an image. */
const imageWords =
  /^(?:oci|oci-archive|docker-archive|rootfs):|^(?:docker|oras):\/\/|\.(?:sif|sqfs|squashfs|sqsh)$/;

function unknownContainer(
  name: string,
  containers: readonly Container[],
  arch: Architecture | undefined,
): SpacktainersError {
  const same = containers.filter((container) => container.name === name);
  const parked = same.find((container) => container.parked);
  const elsewhere = same.find((container) => container.arch !== arch);
  const hint =
    parked !== undefined
      ? `it is parked (${parked.path}); name it \`${parked.arch}/${parked.name}\` or by its path`
      : elsewhere !== undefined && arch !== undefined
        ? `there is one for ${elsewhere.arch}`
        : (didYouMean(name, new Set(containers.map((container) => container.name))) ??
          (imageWords.test(name)
            ? "that is an image; this verb takes containers, which have a definition"
            : containers.length === 0
              ? `no containers were found: definitions belong in container_definitions/${architectures[0]}/<name>/spack.yaml; or name the path of a spack.yaml`
              : "to list the containers: spacktainers list"));
  const what = /[*?]/.test(name) ? `no container matches \`${name}\`` : `there is no container \`${name}\``;
  return new SpacktainersError("UNKNOWN_CONTAINER", arch === undefined ? what : `${what} for ${arch}`, {
    hint,
  });
}
