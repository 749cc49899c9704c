import { loadEnvironment } from "../../pipeline/choose/loadEnvironment.ts";
import { selectOne } from "../../pipeline/workspace/selectOne.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { superviseProcess } from "../../run/superviseProcess.ts";
import { spackProcess } from "../../spack/container/spackProcess.ts";
import type { SpackContext } from "../../spack/spackCommand.ts";
import { inPassingEnvironment } from "../../spack/workEnvironment.ts";
import { ignoreEvents } from "../../util/events.ts";
import { openRepositorySpack, type SpackTools } from "./openRepositorySpack.ts";

/** A command line of `spack`. */
export interface SpackRequest extends SpackTools {
  /** The container whose environment Spack works in; undefined: none. */
  readonly container: string | undefined;
  readonly arch: string | undefined;
  /** For Spack. */
  readonly args: readonly string[];
  /** Called when Spack begins: the terminal is its own from then on. */
  readonly begin: () => void;
}

/**
 * Runs the repository's Spack with our standard input and output. With a container it works in a copy of its environment, and with
 * its lock, if there is one: what it changes of these is lost, what it installs is not.
 *
 * @returns its exit status
 * @throws SpacktainersError of getting Spack, and of reading the definition
 */
export async function runRepositorySpack(request: SpackRequest): Promise<number> {
  const { container: name, arch, args, directory, signal } = request;
  const repository = await openSoundRepository(directory);
  const container = name === undefined ? undefined : await selectOne(name, repository, { directory, arch });
  const { spack, scope, target } = await openRepositorySpack(repository, request, container?.arch);
  const run = async (context: SpackContext): Promise<number> => {
    // A builder image sees Spack's own folders only.
    const cwd = spack.container === undefined ? directory : spack.folders.environments;
    const tty = process.stdin.isTTY === true && process.stdout.isTTY === true;
    const { argv, env } = spackProcess(spack, context, args, { cwd, tty });
    request.begin();
    return superviseProcess({ argv, env, cwd, signal });
  };
  try {
    if (container === undefined) return await run({ scope });
    const loaded = await loadEnvironment(container, { dialect: spack.dialect }, ignoreEvents);
    const { environment, manifestText, lockText } = loaded;
    return await inPassingEnvironment(
      spack,
      { environment, manifestText, lockText, scope, target },
      (folder) => run({ environment: folder }),
    );
  } finally {
    await spack.container?.close();
  }
}
