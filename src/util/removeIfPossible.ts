import { removeTree } from "./removeTree.ts";

/**
 * Removes a file or a tree of what can be made again, for tidying after work that is done: what cannot be removed (it is
 * another user's, or on a disk that cannot be written to) is left, and is no reason for that work to fail.
 *
 * @returns whether nothing is there any more
 */
export async function removeIfPossible(path: string): Promise<boolean> {
  return removeTree(path).then(
    () => true,
    () => false,
  );
}
