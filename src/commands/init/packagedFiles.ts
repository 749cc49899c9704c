import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ScaffoldFile } from "../../scaffold/types.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { packageFile } from "../../util/packageFile.ts";

/**
 * Files that come with this program and go into a new repository as they are.
 *
 * @param path a file or a folder, relative to the package; the files have the same paths in the repository
 * @throws {SpacktainersError} `NOT_FOUND` when the installed package does not have it
 */
export async function packagedFiles(path: string): Promise<readonly ScaffoldFile[]> {
  try {
    return await filesAt(path);
  } catch (error) {
    const cause = asSpacktainersError(error);
    throw new SpacktainersError(cause.code, `the installed package lacks \`${path}\`: ${cause.message}`, {
      place: cause.place,
      hint: "install spacktainers again",
      cause,
    });
  }
}

async function filesAt(path: string): Promise<readonly ScaffoldFile[]> {
  const source = packageFile(path);
  const facts = await stat(source);
  if (!facts.isDirectory())
    return [{ path, content: await readFile(source), executable: (facts.mode & 0o111) !== 0 }];
  const found: ScaffoldFile[] = [];
  for (const name of (await readdir(source)).sort()) found.push(...(await filesAt(join(path, name))));
  return found;
}
