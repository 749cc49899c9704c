import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Python } from "../../src/spack/python.ts";

/** Wheels of the names that Spack's solver has, with a module in each, as small as they can be. */
export function makeSolverWheels(into: string, python: Python, clingo = "class Control: pass\n"): void {
  mkdirSync(into, { recursive: true });
  const own = `cp${python.version[0]}${python.version[1]}`;
  for (const [file, module, text] of [
    [`clingo-5.8.0-${own}-${own}-linux_${python.machine}.whl`, "clingo", clingo],
    ["cffi-1.0-py3-none-any.whl", "cffi", ""],
    ["cffi-2.0-py3-none-any.whl", "cffi", "new = True\n"],
    ["pycparser-1.0-py3-none-any.whl", "pycparser", ""],
  ] as const) {
    writeFileSync(join(into, `${module}.py`), text);
    execFileSync("python3", ["-m", "zipfile", "-c", file, `${module}.py`], { cwd: into });
    rmSync(join(into, `${module}.py`));
  }
}
