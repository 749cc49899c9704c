/** Which containers a command line names. */
import { resolve } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { matchesGlob } from "../util/matchesGlob.ts";
import { type Architecture, architectures } from "./configuration.ts";
import { didYouMean } from "./nearest.ts";
import { type Container, containerAtPath, type Repository } from "./repository.ts";

/** How to select. */
export interface Selection {
  /** Names, paths or globs; none means all that are not parked. */
  readonly names: readonly string[];
  /** Only this architecture; also the one of a container that is named by a path outside of a repository. */
  readonly arch?: Architecture;
  /** Absolute folder that paths start from. */
  readonly cwd: string;
}

/**
 * The containers that a command line asks for, each once, in the repository's order (then paths outside of it in the
 * order given). A NAME is, in this order: a container's name or `arch/name`, a glob over these (`*`, `?`), a path of a
 * definition file or its folder. Parked containers are selected by `arch/name` with their exact name or by path only.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, with the nearest names
 */
export async function selectContainers(
  repository: Pick<Repository, "containers">,
  selection: Selection,
): Promise<readonly Container[]> {
  const { names, arch, cwd } = selection;
  const here = repository.containers.filter((container) => arch === undefined || container.arch === arch);
  if (names.length === 0) return here.filter(({ parked }) => !parked);
  const chosen = new Set<Container>();
  const outside: Container[] = [];
  for (const name of names) {
    const matches = here.filter((container) => matchesName(container, name));
    if (matches.length > 0) {
      for (const match of matches) chosen.add(match);
      continue;
    }
    const path = resolve(cwd, name);
    const known = repository.containers.find(
      (container) => container.path === path || container.path === `${path}/spack.yaml`,
    );
    if (known !== undefined) {
      chosen.add(known);
      continue;
    }
    const found = await containerAtPath(path, arch ?? hostArchitecture());
    if (found === undefined) throw unknownContainer(name, repository.containers, arch);
    if (!outside.some((container) => container.path === found.path)) outside.push(found);
  }
  return [...repository.containers.filter((container) => chosen.has(container)), ...outside];
}

/** The architecture of this machine; amd64 when it is none that we know. */
export function hostArchitecture(): Architecture {
  return process.arch === "arm64" ? "arm64" : "amd64";
}

function matchesName(container: Container, name: string): boolean {
  const qualified = `${container.arch}/${container.name}`;
  if (container.parked) return name === qualified;
  if (name === container.name || name === qualified) return true;
  if (!/[*?]/.test(name)) return false;
  return matchesGlob(name.includes("/") ? qualified : container.name, name, "/");
}

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
        : (didYouMean(
            name,
            containers.map((container) => container.name),
          ) ??
          (containers.length === 0
            ? `no containers were found: definitions belong into container_definitions/${architectures[0]}/<name>/spack.yaml`
            : "`spacktainers list` shows what there is"));
  const what = /[*?]/.test(name) ? `no container matches \`${name}\`` : `there is no container \`${name}\``;
  return new SpacktainersError("UNKNOWN_CONTAINER", arch === undefined ? what : `${what} for ${arch}`, {
    hint,
  });
}
