// `npm run release [-- --arch x64|arm64] [--output DIR]`: the archive for npm, recipes for Spack and conda that take it, and
// self-contained folders with their own Node.js as archives; with `--image` an OCI image of each, too. The same sources give
// the same bytes.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { folderEntries, releaseFolder } from "./release/folder.mjs";
import { releaseImage } from "./release/image.mjs";
import { writeRecipes } from "./release/recipes.mjs";

const root = resolve(import.meta.dirname, "..");
const built = (file) => import(join(root, "build", file));
const { values } = parseArgs({
  options: {
    arch: { type: "string", multiple: true, default: ["x64", "arm64"] },
    output: { type: "string", default: join(root, "dist/release") },
    image: { type: "boolean", default: false },
  },
});
const { writeTar } = await built("archive/writeTar.js");
const { compressStream } = await built("archive/compressStream.js");

mkdirSync(values.output, { recursive: true });
const sums = [];
sums.push(packForNpm());
for (const arch of values.arch) {
  if (arch !== "x64" && arch !== "arm64") throw new Error(`--arch is x64 or arm64, not ${arch}`);
  const folder = await releaseFolder(arch);
  const file = `${folder.name}.tar.gz`;
  const path = join(values.output, file);
  const hash = createHash("sha256");
  try {
    const bytes = compressStream(writeTar(folderEntries(folder, folder.name), { trailer: true }));
    await pipeline(hashed(bytes, hash), createWriteStream(`${path}.part`));
    renameSync(`${path}.part`, path);
  } finally {
    rmSync(`${path}.part`, { force: true });
  }
  sums.push(`${hash.digest("hex")}  ${file}\n`);
  console.log(path);
  if (values.image) console.log(await releaseImage(folder, arch, values.output));
}
writeFileSync(join(values.output, "SHA256SUMS"), sums.join(""));

/** The archive for npm, and the recipes that take it. */
function packForNpm() {
  const options = ["--silent", "--ignore-scripts", "--json", "--pack-destination", values.output];
  const [{ filename, version }] = JSON.parse(
    execFileSync("npm", ["pack", ...options], { cwd: root, encoding: "utf8" }),
  );
  const sha256 = createHash("sha256")
    .update(readFileSync(join(values.output, filename)))
    .digest("hex");
  writeRecipes(values.output, { version, sha256 });
  console.log(join(values.output, filename));
  return `${sha256}  ${filename}\n`;
}

async function* hashed(chunks, hash) {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}
