// `npm run man`: lists the pages of the manual, which `npm run build` made, in `package.json`: `npm install -g` puts them where
// `man` looks.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const file = join(root, "package.json");
const manifest = JSON.parse(readFileSync(file, "utf8"));
manifest.man = readdirSync(join(root, "dist/man"))
  .sort()
  .map((page) => `dist/man/${page}`);
writeFileSync(file, `${JSON.stringify(manifest, undefined, 2)}\n`);
