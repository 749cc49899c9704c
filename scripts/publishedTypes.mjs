// The declarations that are published.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** Bundled packages that internal declarations name. To those who use the library their types are unknown. */
const opaquePackages = ["undici"];

/**
 * Writes to `dist/types` the types that the library's own types name, and no others.
 *
 * @param {string} root folder of `package.json`, with `build/` beside it
 * @param {(specifier: string) => boolean} isExternal true for what is no bundled package
 */
export function writeTypes(root, isExternal) {
  const build = join(root, "build");
  const published = join(root, "dist/types");
  const seen = new Set();
  /** @type {Map<string, Set<string>>} */
  const opaque = new Map();
  const write = (target, text) => {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  };
  const visit = (file) => {
    if (seen.has(file)) return;
    seen.add(file);
    const target = join(published, relative(build, file));
    const text = readFileSync(file, "utf8");
    const written = text.replaceAll(
      /((?:\bimport type \{([^}]*)\} from|\bfrom|\bimport\(|^import)\s*)"([^"]+)"/gm,
      (whole, before, names, specifier) => {
        if (specifier.startsWith(".")) {
          visit(resolve(dirname(file), specifier.replace(/\.[jt]s$/, ".d.ts")));
          return `${before}"${specifier.replace(/\.ts$/, ".js")}"`;
        }
        if (isExternal(specifier)) return whole;
        if (!opaquePackages.includes(specifier))
          throw new Error(`${relative(root, file)}: types of ${specifier}, which is bundled, are published`);
        const known = opaque.get(specifier) ?? new Set();
        opaque.set(specifier, known);
        for (const name of names?.split(",") ?? []) known.add(name.trim());
        return `${before}"./${relative(dirname(target), join(published, "bundled", specifier))}.js"`;
      },
    );
    write(target, written);
  };
  const index = join(build, "index.d.ts");
  if (!existsSync(index)) throw new Error("tsc wrote no declarations");
  visit(index);
  for (const [name, types] of opaque) {
    const lines = [...types].sort().map((type) => `export type ${type} = unknown;\n`);
    write(join(published, "bundled", `${name}.d.ts`), `/** Internal. */\n${lines.join("")}export {};\n`);
  }
}
