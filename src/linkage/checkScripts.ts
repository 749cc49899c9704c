/** The part of the check that concerns scripts: what their first lines ask for. */
import type { InventoryEntry } from "../archive/inventory.ts";
import { imagePath } from "../view/fileTree.ts";
import type { Owners } from "./owners.ts";
import type { LinkageFinding, LinkageProblems } from "./problemList.ts";
import { programProvider } from "./providers.ts";
import { lineBehindSbang, maxShebangLine, parseShebang } from "./shebang.ts";
import type { LinkageInput, Severity } from "./types.ts";

/** Folders whose files are meant to be started. */
const programFolder = /(^|\/)(bin|sbin|libexec)\//;
/** Files that are read by something else, or by people, although they are marked executable. */
const notStarted =
  /(^|\/)(docs?|examples?|demos?|samples?|tests?|testing|testsuite|templates?|contrib)\/|\.(py|pl|pm|t|rb|tcl|lua|r|awk|csh|tcsh|php|js|in|am|ac|m4)$/i;
/** Spack's own notes, helpers of the debugger that are named after what they help with, and Python's library. */
const neverStarted = /(^|\/)\.spack\/|-gdb\.py$|(^|\/)lib(64)?\/python[0-9.]+\/.*\.py$/;

/** Spack does not look at longer lines either. */
const maxLineBehindSbang = 4096;

/** @returns how many scripts were checked */
export function checkScripts(input: LinkageInput, owners: Owners, problems: LinkageProblems): number {
  const check = new ScriptCheck(input, owners, problems);
  let count = 0;
  for (const [path, entry] of input.tree.entries()) {
    if (entry.shebang === undefined || entry.type !== "file" || (entry.mode & 0o111) === 0) continue;
    if (neverStarted.test(path)) continue;
    count++;
    check.script(path, entry, entry.shebang);
  }
  return count;
}

class ScriptCheck {
  readonly #input: LinkageInput;
  readonly #owners: Owners;
  readonly #problems: LinkageProblems;
  /** What is known of paths and of programs on PATH. */
  readonly #known = new Map<string, boolean>();

  constructor(input: LinkageInput, owners: Owners, problems: LinkageProblems) {
    this.#input = input;
    this.#owners = owners;
    this.#problems = problems;
  }

  script(path: string, entry: InventoryEntry, line: string): void {
    if (line.length + 2 > maxShebangLine) {
      this.#report(path, `a first line of ${line.length + 2} characters`, {
        hint: `Linux reads at most ${maxShebangLine} characters of it`,
      });
      return;
    }
    const interpreter = parseShebang(line);
    if (interpreter === undefined) return;
    if (!this.#isFile(interpreter.path)) this.#reportMissing(path, interpreter.path);
    if (interpreter.sbang !== undefined) {
      if (!this.#isFile(interpreter.sbang)) this.#reportMissing(path, interpreter.sbang);
      const real = entry.text === undefined ? undefined : lineBehindSbang(entry.text);
      const behind = real === undefined || real.length > maxLineBehindSbang ? undefined : parseShebang(real);
      if (behind === undefined) return;
      if (!this.#isFile(behind.path)) this.#reportMissing(path, behind.path);
      if (behind.program !== undefined) this.#checkProgram(path, behind.program);
    } else if (interpreter.program !== undefined) {
      this.#checkProgram(path, interpreter.program);
    }
  }

  #checkProgram(path: string, program: string): void {
    const found = program.includes("/")
      ? this.#isFile(program)
      : this.#input.searchPath.some((folder) => this.#isFile(`${folder}/${program}`));
    if (!found) this.#reportMissing(path, program);
  }

  #isFile(path: string): boolean {
    if (!path.startsWith("/")) return false;
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const type = this.#input.tree.resolve(path)?.entry.type;
    const isFile = type === "file" || type === "hardlink";
    this.#known.set(path, isFile);
    return isFile;
  }

  #reportMissing(path: string, missing: string): void {
    const built = this.#buildDependency(path, missing);
    if (built !== undefined)
      this.#report(path, missing, {
        severity: "warning",
        hint: `${built} was only needed to build it; add ${built} to the specs if the script is to run`,
      });
    else this.#report(path, missing, { hint: programProvider(missing) });
  }

  /** The build dependency of the script's package that an interpreter belonged to, by the hash in its path. */
  #buildDependency(path: string, interpreter: string): string | undefined {
    const spec = this.#owners.packageOf(path)?.spec;
    return spec?.dependencies.find(
      (edge) => !edge.types.has("run") && !edge.types.has("link") && interpreter.includes(edge.hash),
    )?.name;
  }

  #report(
    path: string,
    missing: string,
    rest: { readonly severity?: Severity; readonly hint?: string | undefined },
  ): void {
    const finding: LinkageFinding = {
      kind: "shebang",
      severity: severityOf(path),
      file: imagePath(path),
      missing,
      ...rest,
    };
    this.#problems.add(finding);
  }
}

function severityOf(path: string): Severity {
  if (/(^|\/)share\/doc\//.test(path)) return "warning";
  return !programFolder.test(path) && notStarted.test(path) ? "warning" : "error";
}
