import { chmod, readdir, rm } from "node:fs/promises";

const slash = Buffer.from("/");

/** Removes a tree (or a file), also one with directories its owner may not write to. Nothing there is no error. */
export async function removeTree(path: string): Promise<void> {
  // Names as bytes: not all are UTF-8.
  const open = async (directory: Buffer): Promise<void> => {
    await chmod(directory, 0o700);
    for (const item of await readdir(directory, { withFileTypes: true, encoding: "buffer" })) {
      if (item.isDirectory()) await open(Buffer.concat([directory, slash, item.name]));
    }
  };
  await rm(path, { recursive: true, force: true }).catch(async () => {
    await open(Buffer.from(path));
    await rm(path, { recursive: true, force: true });
  });
}
