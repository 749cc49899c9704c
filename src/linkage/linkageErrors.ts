/** The report of the check as errors and warnings for people. */
import { SpacktainersError, SpacktainersErrors } from "../util/errors.ts";
import type { LinkageProblem, LinkageReport } from "./types.ts";

/** Files named in one line. */
const shownFiles = 3;

/** One sentence: what is missing, and which files need it. */
export function describeProblem(problem: LinkageProblem): string {
  const { kind, missing, files, library, program } = problem;
  const more = files.length > shownFiles ? ` and ${files.length - shownFiles} more` : "";
  const named = `${files.slice(0, shownFiles).join(", ")}${more}`;
  const verb = files.length === 1 ? "needs" : "need";
  const started = program === undefined ? "" : ` (when ${program} is loaded)`;
  switch (kind) {
    case "version":
      return `${named} ${verb} ${missing}, which ${library ?? "its library"} does not define${started}`;
    case "interpreter":
      return `${named} ${verb} the loader ${missing}, which is not in the image`;
    case "shebang":
      return `${named} ${files.length === 1 ? "starts" : "start"} with ${shownName(missing)}, which is not in the image`;
    case "external":
      return `the external package is expected at ${missing}, which is not in the image`;
    case "libc":
      return library === undefined
        ? `the packages need ${missing}, and the base has no glibc`
        : `the packages need ${missing}, which is newer than ${library}`;
    case "library":
      return `${named} ${verb} ${missing}, which is not in the image${started}`;
  }
}

/** The name of a program; where it ends with a carriage return, that is said. */
function shownName(name: string): string {
  return name.endsWith("\r")
    ? `\`${name.slice(0, -1)}\\r\` (the first line ends as lines of DOS and Windows do)`
    : name;
}

/**
 * The errors of a report, one for each problem.
 * @returns undefined when there is nothing that stops a build
 */
export function linkageErrors(report: LinkageReport): SpacktainersError | SpacktainersErrors | undefined {
  const errors = report.problems.map((problem) => {
    const advice = `allow it by name in linkage: allow-unresolved: [${JSON.stringify(problem.missing)}]`;
    return new SpacktainersError(
      problem.kind === "libc" ? "LIBC_TOO_OLD" : "LINKAGE_UNRESOLVED",
      describeProblem(problem),
      {
        place: { spec: problem.owner },
        hint:
          problem.hint === undefined ? `add what has it, or ${advice}` : `${problem.hint}; else ${advice}`,
      },
    );
  });
  if (errors.length <= 1) return errors[0];
  return new SpacktainersErrors(errors);
}
