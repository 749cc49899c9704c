/** A few of Spack's own recipes: choosing among them takes a second, and most of a minute among all of them. */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** What every package that is compiled needs. */
const always = ["compiler_wrapper", "gcc_runtime"];
/** What the machine has, and nobody builds. */
const external = ["gcc", "glibc", "gmake"];

/** Takes out of recipes what only building them needs, since they are external: without it, nothing else has to be there. */
const withoutDependencies = `
import ast, sys
for path in sys.argv[1:]:
    with open(path) as file:
        text = file.read()
    lines, gone = text.split("\\n"), set()
    def look(body):
        for node in body:
            if isinstance(node, ast.With):
                look(node.body)
            called = getattr(getattr(getattr(node, "value", None), "func", None), "id", None)
            if isinstance(node, ast.Expr) and called in ("depends_on", "patch", "resource", "extends"):
                gone.update(range(node.lineno, node.end_lineno))
                lines[node.lineno - 1] = " " * node.col_offset + "pass"
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef):
            look(node.body)
    with open(path, "w") as file:
        file.write("\\n".join(line for at, line in enumerate(lines) if at not in gone))
`;

/**
 * Copies the recipes that C programs need which are compiled with the machine's own GCC.
 *
 * @param from folder with `repo.yaml` of Spack's recipes
 * @param to folder that gets them
 */
export function copyFewRecipes(from: string, to: string): void {
  mkdirSync(join(to, "packages"), { recursive: true });
  const parts = ["repo.yaml", "__init__.py", "build_systems"];
  const packages = [...always, ...external].map((name) => join("packages", name));
  for (const part of [...parts, ...packages])
    if (existsSync(join(from, part))) cpSync(join(from, part), join(to, part), { recursive: true });
  const { status, stderr } = spawnSync(
    "python3",
    ["-c", withoutDependencies, ...external.map((name) => join(to, "packages", name, "package.py"))],
    { encoding: "utf8", timeout: 60_000 },
  );
  if (status !== 0) throw new Error(`the recipes cannot be read: ${stderr}`);
}
