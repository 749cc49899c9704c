// The declarations that are published: what the library's own declarations name, one by one, and nothing else.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** What programs import: files of `dist/`, without their ends, and their sources. `exports` of package.json names them. */
export const libraryEntries = {
  index: "src/index.ts",
  "library/buildcache": "src/library/buildcache.ts",
  "library/image": "src/library/image.ts",
  "library/spec": "src/library/spec.ts",
};

/** What begins a statement at the top of a declaration file. Lines that go on with one begin with a blank or a bracket. */
const beginning = /^(?:export|import|declare|type|interface|const|let|class|enum|function|namespace)\b/;

/**
 * A statement of a declaration file.
 * @typedef {{
 *   text: string,
 *   declares: readonly string[],
 *   from: string | undefined,
 *   names: readonly { readonly name: string, readonly as: string, readonly text: string }[],
 *   kind: "declaration" | "import" | "export" | "export-all" | "effect",
 * }} Statement `names` and `from`: of imports and of what is exported again
 */

/**
 * Writes the types of the library to `dist/types`.
 *
 * @param {string} root folder of `package.json`, with `build/` beside it
 * @param {(specifier: string) => boolean} isExternal true for what is no bundled package
 */
export function writeTypes(root, isExternal) {
  const build = join(root, "build");
  const published = join(root, "dist/types");
  /** @type {Map<string, { statements: readonly Statement[], wanted: Set<Statement>, names: Set<string> }>} */
  const files = new Map();

  const fileOf = (path) => {
    const known = files.get(path);
    if (known !== undefined) return known;
    const file = {
      statements: statementsOf(readFileSync(path, "utf8")),
      wanted: new Set(),
      names: new Set(),
    };
    files.set(path, file);
    return file;
  };
  const target = (path, specifier) => resolve(dirname(path), specifier.replace(/\.[jt]s$/, ".d.ts"));

  /** Marks what a file exports under a name, undefined: everything, and what that needs in turn. */
  const wantExport = (path, name) => {
    const { statements } = fileOf(path);
    for (const statement of statements) {
      if (statement.kind === "export-all") {
        keep(path, statement);
        wantExport(target(path, statement.from), name);
      } else if (statement.kind === "export")
        for (const one of statement.names) {
          if (name !== undefined && one.as !== name) continue;
          keepName(path, statement, one);
          if (statement.from === undefined) wantLocal(path, one.name);
        }
    }
    for (const statement of statements)
      if (statement.kind === "declaration" && /\bexport\b/.test(statement.text))
        for (const declared of statement.declares)
          if (name === undefined || declared === name) wantLocal(path, declared);
  };
  /** Marks what a name means inside of a file. */
  const wantLocal = (path, name) => {
    const { statements } = fileOf(path);
    for (const statement of statements) {
      if (statement.kind === "declaration" && statement.declares.includes(name)) keep(path, statement);
      if (statement.kind !== "import") continue;
      for (const one of statement.names) if (one.as === name) keepName(path, statement, one);
    }
  };
  /** Keeps one name of an import, or of what is exported again. */
  const keepName = (path, statement, one) => {
    const { wanted, names } = fileOf(path);
    const key = `${statement.kind} ${one.as}`;
    if (names.has(key)) return;
    names.add(key);
    wanted.add(statement);
    if (statement.from === undefined) return;
    if (statement.from.startsWith("."))
      wantExport(target(path, statement.from), one.name === "*" ? undefined : one.name);
    else expectPublished(path, statement.from);
  };
  const expectPublished = (path, specifier) => {
    if (!isExternal(specifier))
      throw new Error(`${relative(root, path)}: types of ${specifier}, which is bundled, are published`);
  };
  /** Keeps a whole statement, and what its text names. */
  const keep = (path, statement) => {
    const { wanted } = fileOf(path);
    if (wanted.has(statement)) return;
    wanted.add(statement);
    const code = statement.text.replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, specifier, member] of code.matchAll(/\bimport\("([^"]+)"\)(?:\.(\w+))?/g)) {
      if (specifier.startsWith(".")) wantExport(target(path, specifier), member);
      else expectPublished(path, specifier);
    }
    if (statement.kind === "declaration")
      for (const [name] of code.matchAll(/[A-Za-z_$][\w$]*/g)) wantLocal(path, name);
  };

  for (const name of Object.keys(libraryEntries)) {
    const entry = join(build, `${name}.d.ts`);
    if (!existsSync(entry)) throw new Error("tsc wrote no declarations");
    wantExport(entry, undefined);
  }
  const write = (path, text) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  for (const [path, { statements, wanted, names }] of files) {
    const to = join(published, relative(build, path));
    const written = statements.flatMap((statement) =>
      wanted.has(statement) ? [writtenStatement(statement, names)] : [],
    );
    // Without an import or an export, a file would be a script.
    write(
      to,
      written.some((text) => /^(?:import|export)\b/m.test(text))
        ? written.join("")
        : `${written.join("")}export {};\n`,
    );
  }
}

/** The file of JavaScript that a declaration file is of. */
const specifierOf = (specifier) =>
  specifier.startsWith(".") ? specifier.replace(/\.ts$/, ".js") : specifier;

/** A statement as it is published: without the names that nothing needs. */
function writtenStatement(statement, names) {
  const { kind, from, text } = statement;
  if (kind === "import" || kind === "export") {
    const kept = statement.names.filter(({ as }) => names.has(`${kind} ${as}`));
    const [only] = kept;
    const source = from === undefined ? "" : ` from "${specifierOf(from)}"`;
    const list =
      only?.name === "*" || only?.name === "default"
        ? only.text
        : `{ ${kept.map((one) => one.text).join(", ")} }`;
    return `${/^(?:import|export)( type)?/.exec(text)[0]} ${list}${source};\n`;
  }
  return text
    .replace(/\bimport\("([^"]+)"\)/g, (_, specifier) => `import("${specifierOf(specifier)}")`)
    .replace(/^export \* from "([^"]+)"/gm, (_, specifier) => `export * from "${specifierOf(specifier)}"`);
}

/**
 * The statements of a declaration file that tsc wrote, each with the comment above it.
 * @returns {readonly Statement[]}
 */
function statementsOf(text) {
  const pieces = [];
  let current = [];
  /** A comment, of which the line after it says whether it is in a statement or above one. */
  let comment = [];
  let isComment = false;
  for (const line of text.split("\n")) {
    isComment ||= line.startsWith("/**");
    if (isComment || line === "") {
      comment.push(line);
      isComment &&= !line.includes("*/");
      continue;
    }
    if (beginning.test(line)) {
      if (current.some((one) => beginning.test(one))) pieces.push(current);
      current = [];
    }
    current.push(...comment, line);
    comment = [];
  }
  if (current.length > 0) pieces.push(current);
  return pieces.map((lines) => statementOf(`${lines.join("\n").trim()}\n`));
}

/** @returns {Statement} */
function statementOf(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").trim();
  const nothing = { text, declares: [], from: undefined, names: [] };
  // What a module does when it is loaded is no type.
  if (/^import "/.test(code)) return { ...nothing, kind: "effect" };
  const all = /^export \* from "([^"]+)"/.exec(code);
  if (all !== null) return { ...nothing, kind: "export-all", from: all[1] };
  const listed = /^(import|export)(?: type)?\s*\{([^}]*)\}(?:\s*from "([^"]+)")?/.exec(code);
  if (listed !== null) {
    const names = listed[2].split(",").flatMap((one) => {
      const written = one.trim();
      if (written === "") return [];
      const [name, as = name] = written.replace(/^type /, "").split(" as ");
      return [{ name, as, text: written }];
    });
    return { ...nothing, text: code, kind: listed[1], from: listed[3], names };
  }
  const whole = /^import(?: type)?\s+(\* as (\w+)|(\w+)) from "([^"]+)"/.exec(code);
  if (whole !== null) {
    const name = whole[2] === undefined ? "default" : "*";
    return {
      ...nothing,
      text: code,
      kind: "import",
      from: whole[4],
      names: [{ name, as: whole[2] ?? whole[3], text: whole[1] }],
    };
  }
  const declared =
    /^(?:export )?(?:default )?(?:declare )?(?:abstract )?(?:interface|type|const|let|class|enum|function|namespace)\*? ([\w$]+)/.exec(
      code,
    );
  if (declared === null) throw new Error(`no declaration that is known: ${code.slice(0, 200)}`);
  return { ...nothing, kind: "declaration", declares: [declared[1]] };
}
