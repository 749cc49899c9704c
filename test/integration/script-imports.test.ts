/** Scripts and benches are no TypeScript: that what they take from the built modules is there is checked here. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { builtModules } from "../support/builtProject.ts";

const root = resolve(import.meta.dirname, "../..");
const scripts = ["scripts", "bench"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => join(folder, name)),
);

/** `import { a } from "…/build/x.js"`, `const { a } = await built("x.js")` or `await import(join(root, "build/x.js"))`. */
const forms = [
  /import \{([^{}]*)\} from "[^"]*build\/([^"]+\.js)"/g,
  /\{([^{}]*)\} = await (?:built|import)\((?:join\(root, )?"(?:build\/)?([^"]+\.js)"/g,
];

const imports = scripts.flatMap((script) => {
  const text = readFileSync(join(root, script), "utf8");
  return forms.flatMap((form) =>
    [...text.matchAll(form)].map(([, names = "", module = ""]) => ({
      script,
      module,
      names: names.split(",").flatMap((name) => /\w+/.exec(name)?.[0] ?? []),
    })),
  );
});

it.each(imports)("$script takes $names from $module, which has them", async ({ module, names }) => {
  const found = (await import(pathToFileURL(join(builtModules, module)).href)) as object;
  expect(Object.keys(found)).toEqual(expect.arrayContaining(names));
});

it("finds what scripts take", () => {
  expect(imports.length).toBeGreaterThan(40);
});
