/** Several tasks whose MPI programs cannot find one another: each is then alone, in a world of one, and nothing says so. */
import { readContent } from "../archive/content.ts";
import type { Image } from "../image/image.ts";
import { layerEntries } from "../image/layerEntries.ts";
import type { MpiMode } from "../run/types.ts";
import type { WorkEvent } from "../util/events.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { readLdSoCache } from "../view/readLdSoCache.ts";
import { choosePmi, mainMpi, mpiName, pmiName } from "./choosePmi.ts";
import type { ImageProfile } from "./imageProfile.ts";
import type { MpiLibrary, PmiFlavour } from "./mpiLibrary.ts";

type Warning = Extract<WorkEvent, { type: "warning" }>;

/** What `srun` gave the tasks of a step to meet by. */
export interface StepPmi {
  readonly tasks: number;
  readonly flavours: readonly PmiFlavour[];
}

/** Variables of each way in which Slurm lets ranks meet; those of its own settings begin with its own name. */
const marks: readonly (readonly [name: RegExp, flavours: readonly PmiFlavour[]])[] = [
  [/^PMIX_(?:RANK|NAMESPACE)$/, ["pmix"]],
  [/^PMI_(?:RANK|SIZE|FD|PORT)$/, ["pmi1", "pmi2"]],
  [/^(?:PALS_\w+|PMI_CONTROL_PORT)$/, ["cray"]],
];

/**
 * What `srun` gave its tasks; asked of the first of them only, which speaks for all.
 * @returns undefined where it is no step of several, or who asked for none means it
 */
export function stepPmi(mode: MpiMode, env: NodeJS.ProcessEnv = hostEnvironment()): StepPmi | undefined {
  const tasks = Number(env.SLURM_STEP_NUM_TASKS);
  if (mode === "none" || mode === "host" || env.SLURM_PROCID !== "0" || !(tasks > 1)) return undefined;
  const names = Object.keys(env);
  return {
    tasks,
    flavours: marks.flatMap(([mark, flavours]) => (names.some((name) => mark.test(name)) ? flavours : [])),
  };
}

/**
 * Says so where the image has an MPI library that cannot meet the others by what `srun` gave. Most of an image is read only where the
 * name of its library alone leaves a doubt, and once.
 *
 * @param readFacts reads all of the image
 * @throws SpacktainersError of reading the image
 */
export async function lonelyRanks(
  step: StepPmi,
  image: Image,
  readFacts: () => Promise<ImageProfile>,
): Promise<Warning | undefined> {
  const names = await cachedMpi(image);
  // Cray's is for the machine's own library, which takes the place of the container's.
  if (names.length === 0 || step.flavours.includes("cray")) return undefined;
  const usual: PmiFlavour = names.some((name) => /^libmpi\.so\.[24]0$/.test(name)) ? "pmix" : "pmi1";
  if (step.flavours.includes(usual)) return undefined;
  const facts = await readFacts();
  const library = mainMpi(
    facts.mpi,
    (facts.cachedMpi ?? []).map(({ file }) => file),
  );
  if (library === undefined || library.pmi.some(({ flavour }) => step.flavours.includes(flavour)))
    return undefined;
  return warning(step, library);
}

function warning({ tasks, flavours }: StepPmi, library: MpiLibrary): Warning {
  const given = flavours.length === 0 ? "without PMI" : `with ${flavours.map(pmiName).join(" and ")} alone`;
  const { plugin, because } = choosePmi(library, ["pmi2", "pmix"], false);
  const remedy = plugin === undefined ? because : `srun --mpi=${plugin}: ${because}`;
  return {
    type: "warning",
    code: "NOTICE",
    message: `srun started ${tasks} tasks ${given}: each program of the container's ${mpiName(library)} is alone, in a world of one`,
    hint: `${remedy}; --mpi none says that they are meant to be alone`,
  };
}

const cachePath = "etc/ld.so.cache";
const maxCacheBytes = 64 * 2 ** 20;

/** Names of MPI libraries that the image's loader knows. The cache is in one of the last layers, and small. */
async function cachedMpi(image: Image): Promise<readonly string[]> {
  for (const layer of [...(await image.layers())].reverse())
    for await (const entry of layerEntries(layer))
      if (entry.type === "file" && entry.path === cachePath)
        return readLdSoCache(await readContent(entry, maxCacheBytes), `/${cachePath}`)
          .map(({ name }) => name)
          .filter((name) => /^libmpi(?:ch)?\.so\.\d+$/.test(name));
  return [];
}
