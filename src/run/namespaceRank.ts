import type { Image } from "../image/image.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { ProcessReplacer, Replacement } from "../util/replaceProcess.ts";
import { findProgram } from "../util/tool.ts";
import { environmentDescriptor, launcherDescriptor } from "./namespaceScripts.ts";
import {
  type NamespaceAbilities,
  type NamespaceStart,
  prepareNamespace,
  toolEnvironment,
} from "./namespaceStart.ts";
import { findRankPlace } from "./rankGroup.ts";
import type { ContainerProcess } from "./types.ts";
import type { UnpackContext } from "./unpackedLayers.ts";

/** What starting a rank takes. */
export interface RankStart {
  readonly context: UnpackContext;
  readonly abilities: NamespaceAbilities;
  readonly replacer: ProcessReplacer;
  readonly leave: () => Promise<void>;
}

/**
 * Makes a rank's program take the place of this process, in a container of our own runner: no process of spacktainers is left, and the launcher
 * watches the program itself. Ranks of one machine share a container.
 *
 * @param leave called when all is ready: the last thing that happens here
 * @throws SpacktainersError as `prepareNamespace`
 */
export async function becomeRank(
  image: Image,
  container: ContainerProcess,
  { context, abilities, replacer, leave }: RankStart,
): Promise<never> {
  const start = await prepareNamespace(image, container, context, abilities);
  // A rank without a network has one of its own.
  const mayShare = container.launch !== undefined && container.network === "host" && start.hasShell;
  const place = mayShare ? await findRankPlace(start.key, context) : undefined;
  try {
    const words =
      place?.kind === "join"
        ? start.joining(place.rank)
        : start.alone(place?.kind === "make" ? place.root : undefined);
    const replacement = await rankReplacement(words, start, context, replacer);
    await leave();
    return replacer.replace(replacement);
  } catch (error) {
    if (place?.kind === "make") await place.release();
    throw error;
  }
}

async function rankReplacement(
  [name, ...args]: readonly [string, ...string[]],
  { environment, descriptor }: NamespaceStart,
  context: UnpackContext,
  replacer: ProcessReplacer,
): Promise<Replacement> {
  const program = await findProgram(name);
  if (program === undefined)
    throw new SpacktainersError("RUNTIME_MISSING", `the program ${name} is needed`, {
      hint: "install util-linux",
    });
  return {
    argv: [program, ...args],
    env: toolEnvironment(),
    cwd: context.directory,
    descriptors: [
      { own: replacer.memoryFile(environment), number: environmentDescriptor },
      ...(descriptor === undefined ? [] : [{ own: descriptor, number: launcherDescriptor }]),
    ],
  };
}
