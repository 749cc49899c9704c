/** What a runtime has to say of a batch script. */

/** How a rank is started in its container: parts of a shell script, and options for Slurm. */
export interface ContainerCommand {
  /** Lines before the program is started: definitions it needs. */
  readonly before: readonly string[];
  /** Options of `srun`, quoted for a shell; each on a line of its own. */
  readonly srun: readonly string[];
  /** Words, quoted already; each on a line of its own. */
  readonly words: readonly string[];
  /** Options of `sbatch` and their values, as they are: nothing is filled in there. */
  readonly sbatch: readonly (readonly [name: string, value: string])[];
}

/** A runtime that needs nothing but words. */
export function wordsOnly(words: readonly string[]): ContainerCommand {
  return { before: [], srun: [], words, sbatch: [] };
}
