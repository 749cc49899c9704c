/** Which libraries a base was completed with for the packages above it: known from an earlier build, asked for at once. */
import type { Digest } from "../util/digest.ts";
import { openBaseStore } from "./baseStore.ts";

/** What a base was completed with: recorded with an image, so that the next build of the same packages begins with it. */
export interface Completion {
  /** Stands for the configured base and the packages together. */
  readonly key: Digest;
  /** Names of shared libraries, sorted. */
  readonly libraries: readonly string[];
}

/**
 * The libraries that were added before.
 *
 * @param cacheDir as in `BuildBaseOptions`
 * @param key of the base as configured and of the packages
 */
export async function rememberedLibraries(cacheDir: string, key: Digest): Promise<readonly string[]> {
  return (await openBaseStore(cacheDir).read<readonly string[]>("completions", key)) ?? [];
}

/** Notes the libraries for {@link rememberedLibraries}. */
export async function rememberLibraries(
  cacheDir: string,
  key: Digest,
  libraries: readonly string[],
): Promise<void> {
  await openBaseStore(cacheDir).write("completions", key, libraries);
}
