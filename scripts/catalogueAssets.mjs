// What browsers load of a catalogue: src/catalogue/client as few small files in dist/catalogue.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Pages load the first two; the front page loads `search` when somebody searches. */
const scripts = ["container", "front", "search"];

/**
 * Writes the files.
 *
 * @param {typeof import("rolldown").rolldown} rolldown
 * @param {string} root folder of `package.json`
 * @param {string} dist where to
 * @returns {Promise<readonly string[]>} paths of the modules that were bundled
 */
export async function writeCatalogueAssets(rolldown, root, dist) {
  const source = join(root, "src/catalogue/client");
  const target = join(dist, "catalogue");
  mkdirSync(target, { recursive: true });
  const modules = [];
  for (const name of scripts) {
    const bundle = await rolldown({
      cwd: root,
      input: join(source, `${name}.ts`),
      platform: "browser",
      onLog(_level, log) {
        throw new Error(log.message);
      },
    });
    const { output } = await bundle.generate({ format: "iife", minify: true });
    await bundle.close();
    const [chunk] = output;
    if (output.length !== 1 || chunk.imports.length > 0)
      throw new Error(`${name}: ${chunk.imports} is not bundled`);
    writeFileSync(join(target, `${name}.js`), chunk.code);
    modules.push(...(chunk.moduleIds ?? []));
  }
  copyFileSync(join(source, "icon.svg"), join(target, "icon.svg"));
  writeFileSync(join(target, "style.css"), smallStyle(readFileSync(join(source, "style.css"), "utf8")));
  return modules;
}

/** A style without what only we read: no text in it has two blanks, or blanks beside braces. */
function smallStyle(text) {
  return text
    .replace(/\/\*.*?\*\//gs, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};]) ?/g, "$1")
    .replace(/(?<=[a-z]): /g, ":")
    .replace(/;}/g, "}")
    .trim();
}
