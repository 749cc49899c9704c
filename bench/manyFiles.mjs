/** Archives of very many empty files: time grows with their number. Each in a process of its own. */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { alternate, printResults, timed } from "./measure.mjs";

const root = resolve(import.meta.dirname, "..");
const built = (path) => import(pathToFileURL(join(root, "build", path)).href);

if (process.argv[1] === import.meta.filename) await child(Number(process.argv[2]));

/** @param {{ runs: number, files: number }} options */
export async function benchManyFiles({ runs, files }) {
  const parts = [files / 4, files / 2, files].map(Math.round);
  printResults(
    "an archive of empty files: written, read, listed",
    await alternate(
      parts.map((count) => ({
        name: `${count} files`,
        run: () => timed([process.execPath, import.meta.filename, String(count)]),
      })),
      runs,
    ),
  );
}

/** One measurement: an archive that is never on disk, and the tree of what is in it. */
async function child(count) {
  const { writeTar } = await built("archive/writeTar.js");
  const { readTar } = await built("archive/readTar.js");
  const { contentOf } = await built("archive/content.js");
  const { collectInventory } = await built("base/collectInventory.js");
  const { FileTree } = await built("view/fileTree.js");
  const base = { uid: 0, gid: 0, mtime: 0 };
  async function* empty() {
    yield { type: "directory", path: "many", mode: 0o755, ...base };
    for (let index = 0; index < count; index++) {
      const content = contentOf(new Uint8Array());
      yield { type: "file", path: `many/${index % 50}-${index}`, mode: 0o644, ...base, size: 0, content };
    }
  }
  const tar = writeTar(empty(), { trailer: true });
  const { entries, inventory } = collectInventory(readTar(tar, { where: { file: "many.tar" } }));
  for await (const _ of entries);
  const found = new FileTree([inventory()]).children("many").length;
  if (found !== count) throw new Error(`${found} of ${count} files are there`);
}
