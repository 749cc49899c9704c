/** The check before an image is written: everything that files in it need to start is in it. */
import { briefSpec } from "../spec/concrete.ts";
import { imagePath } from "../view/fileTree.ts";
import { nameMatcher } from "./allow.ts";
import { LibraryCheck } from "./checkLibraries.ts";
import { checkScripts } from "./checkScripts.ts";
import { Owners } from "./owners.ts";
import { LinkageProblems } from "./problemList.ts";
import type { LinkageInput, LinkageProblem, LinkageReport } from "./types.ts";

/**
 * Checks every ELF file and every script of an image.
 *
 * Programs (files with an interpreter) are loaded as the dynamic loader would, with all they need. Libraries that no
 * program loads by itself - plugins, Python modules - are loaded alone; since whatever opens them has more in memory than
 * they ask for, a library they need is also taken from beside the one that asks for it, from elsewhere in the same package,
 * or from what the programs of the same package, its dependencies or its dependents load or look into; for plugins (which
 * do not lie in `lib` itself) also from anywhere in these packages.
 *
 * Warnings, which stop nothing: libraries of the machine's GPU driver, scripts that are modules, examples or
 * documentation, scripts whose interpreter was only a build dependency of their package, plugins of the base. Modules of
 * Python's own library and helpers of debuggers are skipped: nobody starts them by their first line.
 */
export function checkLinkage(input: LinkageInput): LinkageReport {
  const owners = new Owners(input);
  const problems = new LinkageProblems(owners);
  const libraries = new LibraryCheck(input, owners, problems);
  const checked = libraries.run();
  const scripts = checkScripts(input, owners, problems);
  return sortReport(problems.finish(), input, { ...checked, scripts });
}

function sortReport(
  found: readonly LinkageProblem[],
  input: LinkageInput,
  checked: LinkageReport["checked"],
): LinkageReport {
  const isAllowed = nameMatcher(input.allow ?? []);
  const names = new Map<string, string>(input.packages.map(({ spec }) => [briefSpec(spec), spec.name]));
  const allows = (problem: LinkageProblem): boolean =>
    [problem.missing, problem.library, problem.owner, names.get(problem.owner)].some(
      (name) => name !== undefined && isAllowed(name),
    ) || problem.files.every((file) => isAllowed(file) || isAllowed(imagePath(file)));
  const problems: LinkageProblem[] = [];
  const warnings: LinkageProblem[] = [];
  const allowed: LinkageProblem[] = [];
  for (const problem of found)
    (problem.severity === "warning" ? warnings : allows(problem) ? allowed : problems).push(problem);
  return { problems, warnings, allowed, checked };
}
