/** The files of an image as recipes ask for them. */
import type { RecipeFiles } from "../recipes/files.ts";
import { type FileTree, imagePath } from "./fileTree.ts";

/** @param tree the image's files */
export function recipeFiles(tree: FileTree): RecipeFiles {
  return {
    kindOf: (path) => {
      const found = tree.resolve(path);
      if (found === undefined) return undefined;
      return found.entry.type === "directory" ? "directory" : "file";
    },
    list: (path) => {
      const found = tree.resolve(path);
      return found?.entry.type === "directory" ? tree.children(found.path) : [];
    },
    identity: (path) => `/${tree.resolve(path)?.path ?? imagePath(path)}`,
    text: (path) => {
      const kept = tree.resolve(path)?.entry.text;
      return kept === undefined ? undefined : Buffer.from(kept, "latin1").toString("utf8");
    },
  };
}
