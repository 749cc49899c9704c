import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Lock } from "../../environment/types.ts";
import { loadEnvironment } from "../../pipeline/choose/loadEnvironment.ts";
import { selectOne } from "../../pipeline/workspace/selectOne.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { superviseProcess } from "../../run/superviseProcess.ts";
import { spackProcess } from "../../spack/container/spackProcess.ts";
import { inPassingEnvironment } from "../../spack/workEnvironment.ts";
import { briefSpec, type ConcreteSpec } from "../../spec/concrete.ts";
import { parseSpec } from "../../spec/parse.ts";
import { concreteSatisfies } from "../../spec/satisfies.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { ignoreEvents } from "../../util/events.ts";
import { openRepositorySpack, type SpackTools } from "./openRepositorySpack.ts";

/** A command line of `build --shell`. */
export interface ShellRequest extends SpackTools {
  readonly container: string;
  readonly arch: string | undefined;
  /** A spec: a package of the container's lock that was not built to the end. */
  readonly package: string;
  /** Called when the shell begins: the terminal is its own from then on. */
  readonly begin: () => void;
}

/**
 * Opens a shell where a package was being built, with the environment that its commands had.
 *
 * @returns the shell's exit status
 * @throws SpacktainersError NOT_FOUND when there is no such package in the lock, or no files are left from the build of it
 */
export async function openBuildShell(request: ShellRequest): Promise<number> {
  const { directory, arch, signal } = request;
  const repository = await openSoundRepository(directory);
  const container = await selectOne(request.container, repository, { directory, arch });
  const { spack, scope, target } = await openRepositorySpack(repository, request, container.arch);
  const loaded = await loadEnvironment(container, { dialect: spack.dialect }, ignoreEvents);
  const { environment, manifestText, lock, lockText } = loaded;
  if (lock === undefined)
    throw new SpacktainersError("NOT_FOUND", `${container.name} has no lock, so nothing was built for it`, {
      place: { file: container.path },
      hint: "build it first",
    });
  const spec = packageIn(lock, request.package);
  const source = await sourceOf(spec, spack.folders.stage);
  try {
    return await inPassingEnvironment(
      spack,
      { environment, manifestText, lockText, scope, target },
      async (folder) => {
        const shell = ["bash", "--noprofile", "--norc", "-i"];
        const args = ["build-env", `/${spec.hash}`, "--", ...shell];
        const { argv, env } = spackProcess(spack, { environment: folder }, args, { cwd: source, tty: true });
        request.begin();
        return superviseProcess({ argv, env, cwd: source, signal });
      },
    );
  } finally {
    await spack.container?.close();
  }
}

/** The package of a lock that a spec names. */
function packageIn({ graph, dialect, file }: Lock, text: string): ConcreteSpec {
  const wanted = parseSpec(text, { dialect });
  const fitting = [...graph.values()].filter(
    ({ hash, external }) => external === undefined && concreteSatisfies(graph, hash, wanted, { dialect }),
  );
  const [spec, other] = fitting;
  if (spec === undefined)
    throw new SpacktainersError("NOT_FOUND", `the lock has no package \`${text}\``, { place: { file } });
  if (other !== undefined)
    throw new SpacktainersError("USAGE", `\`${text}\` is more than one package of the lock`, {
      place: { file },
      hint: `write one of ${fitting.map((each) => `/${each.hash.slice(0, 7)}`).join(", ")}`,
    });
  return spec;
}

/** The folder with the sources of a package as its build left them. Spack puts them below a folder of the user's name. */
async function sourceOf(spec: ConcreteSpec, stage: string): Promise<string> {
  const name = `spack-stage-${spec.name}-${spec.version}-${spec.hash}`;
  const users = await readdir(stage).catch(() => []);
  for (const folder of [name, ...users.map((user) => join(user, name))]) {
    for (const path of [join(stage, folder, "spack-src"), join(stage, folder)]) {
      const facts = await stat(path).catch(() => undefined);
      if (facts?.isDirectory() === true) return path;
    }
  }
  throw new SpacktainersError("NOT_FOUND", `no files are left from the build of ${briefSpec(spec)}`, {
    place: { spec: briefSpec(spec) },
    hint: "a finished build is cleaned up; `build --until PHASE` stops before that",
  });
}
