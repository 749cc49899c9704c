// The licences of the packages that are published with ours.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { vendoredFolders } from "./bundledPackages.mjs";

/**
 * Writes `THIRD-PARTY-LICENSES.txt`: name, version, licence and its text of each package, as these ask for.
 *
 * @param {string} root folder of `package.json`
 * @param {string} dist where to
 * @param {readonly string[]} modules paths of the files that were bundled
 */
export function writeLicences(root, dist, modules) {
  const bundled = new Set(
    modules.flatMap((id) => /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.slice(1) ?? []),
  );
  if (bundled.size === 0) throw new Error("no bundled package was found: have the paths of modules changed?");
  /** @type {Map<string, string[]>} texts, and the packages that have them */
  const packages = new Map();
  for (const folder of [...bundled, ...vendoredFolders(root)].sort()) {
    const { name, version, license, author } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const text = licenceText(root, folder, { name, license, author });
    packages.set(text, [...(packages.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  // The LGPL asks for the GPL beside it.
  const gpl = readFileSync(join(root, "LICENSES/GPL-3.0.txt"), "utf8").trim();
  const lesser = [...packages.keys()].find((text) => text.includes("GNU LESSER GENERAL PUBLIC LICENSE"));
  if (lesser === undefined) throw new Error("nothing has the LGPL any more: leave the GPL out");
  const source =
    "vendor/openpgp.mjs is this package's own file, unchanged: another version can take its place.";
  packages.set(`${source}\n\n${lesser}\n\n${gpl}`, packages.get(lesser) ?? []);
  packages.delete(lesser);
  const texts = [...packages].map(([text, names]) => `${names.join("\n")}\n\n${text}\n`);
  const head = "The files in this folder contain the following packages, which have licences of their own.\n";
  writeFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), [head, ...texts].join(`\n${"-".repeat(100)}\n\n`));
}

/** The text that comes with a package; where none does, that of the licence that it names. */
function licenceText(root, folder, { name, license, author }) {
  const files = readdirSync(folder);
  const own = files.find((file) => /^(licen[cs]e|copying)(\.|-mit|$)/i.test(file));
  const text = (path) => readFileSync(path, "utf8").trim();
  const notice = files.find((file) => /^notice(\.|$)/i.test(file));
  const also = notice === undefined ? "" : `\n\n${text(join(folder, notice))}`;
  if (own !== undefined) return `${text(join(folder, own))}${also}`;
  if (license === "Apache-2.0") return `${text(join(root, "LICENSE"))}${also}`;
  const holder = typeof author === "string" ? author : (author?.name ?? `the authors of ${name}`);
  if (license === "MIT") return `${holder}\n\n${text(join(root, "LICENSES/MIT.txt"))}`;
  if (license === "ISC") return `${holder}\n\n${text(join(root, "LICENSES/ISC.txt"))}`;
  const link = links[license];
  if (link === undefined)
    throw new Error(`${name} is bundled, but there is no text of its licence ${license}`);
  return `by ${holder}, unchanged; the licence is ${link}`;
}

/** Licences of data, which ask for the name of who made it, or for nothing. */
const links = {
  "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
  "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
};
