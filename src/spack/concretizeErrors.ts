/** What Spack says when it finds no solution, as errors with the place of the spec that is concerned. */
import type { Environment } from "../environment/types.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { lastLine } from "../util/tool.ts";

/** A reason that Spack gives, with what it says led to it. */
interface Reason {
  readonly text: string;
  readonly causes: readonly string[];
}

/** Most reasons that are reported. */
const mostReasons = 8;

/**
 * Reads what a failed `spack concretize` said.
 *
 * @param output standard output and errors
 * @param environment the manifest as we read it, which has the places
 * @param target the target that we require of all packages when the manifest requires none; hints about targets name it
 * @returns at least one error, `NO_SOLUTION` where Spack says why there is none
 */
export function concretizeErrors(
  output: string,
  environment: Environment,
  target?: string,
): readonly SpacktainersError[] {
  const at = output.lastIndexOf("==> Error:");
  const said = at < 0 ? "" : output.slice(at + "==> Error:".length).trim();
  if (said === "")
    return [
      new SpacktainersError("PROCESS_FAILED", `Spack could not concretize: ${lastLine(output)}`, {
        place: { file: environment.file },
      }),
    ];
  const reasons = readReasons(said);
  const [, list = ""] = /^failed to concretize (.*?) for the following reasons:/.exec(said) ?? [];
  const tried = [...list.matchAll(/`([^`]+)`/g)].flatMap(([, spec]) => spec ?? []);
  if (reasons.length === 0) {
    const place = placeOf({ text: said, causes: [] }, environment, tried);
    const [first = "", ...rest] = said.split("\n").map((line) => line.trim());
    return [
      new SpacktainersError("NO_SOLUTION", `Spack: ${first}`, {
        place,
        ...(rest.length === 0
          ? {}
          : {
              hint: rest
                .filter((line) => line !== "")
                .join("; ")
                .slice(0, 1000),
            }),
      }),
    ];
  }
  // The solver tells some reasons twice, with and without what led to them.
  const told = reasons.filter(
    (reason, index) =>
      !reasons.some(
        (other, at) =>
          at !== index &&
          other.text === reason.text &&
          (other.causes.length > reason.causes.length ||
            (other.causes.length === reason.causes.length && at < index)),
      ),
  );
  return told.slice(0, mostReasons).map((reason) => {
    const setting = settingBehind(reason, environment, target);
    const hints = [...reason.causes, ...(setting === undefined ? [] : [setting.hint])];
    return new SpacktainersError("NO_SOLUTION", `Spack finds no solution: ${reason.text}`, {
      place: setting?.place ?? placeOf(reason, environment, tried),
      ...(hints.length === 0 ? {} : { hint: hints.join(", ") }),
    });
  });
}

/**
 * Finds the setting behind a reason when Spack does not name it: a requirement, a required target, or `buildable: false`.
 *
 * @returns a hint about the setting, and its place if that helps more than the place of the spec
 */
function settingBehind(
  { text }: Reason,
  environment: Environment,
  target: string | undefined,
): { readonly hint: string; readonly place?: Place } | undefined {
  const required = /^cannot satisfy a requirement for package '([^']+)'/.exec(text)?.[1];
  if (required !== undefined) {
    const own = environment.packages.get(required)?.require ?? [];
    const [first] = own.length > 0 ? own : environment.all.require;
    if (first === undefined) return target === undefined ? undefined : { hint: targetHint(target) };
    const specs = first.options.map((option) => `\`${option.text}\``).join(" or ");
    const where = own.length > 0 ? required : "all";
    return { hint: `\`packages: ${where}: require:\` demands ${specs}`, place: first.place };
  }
  const unsatisfied = /^Cannot (?:satisfy '|build )([a-z0-9][\w-]*)/.exec(text)?.[1];
  const settings = unsatisfied === undefined ? undefined : environment.packages.get(unsatisfied);
  if (settings?.buildable === false) {
    const specs = settings.externals.map(({ spec }) => `\`${spec.text}\``).join(", ");
    const there = specs === "" ? "no external package is named" : `only ${specs} may be used`;
    return {
      hint: `\`packages: ${settings.name}:\` has \`buildable: false\`: ${there}`,
      place: settings.place,
    };
  }
  const isAboutTargets = /node_target|target=\S+' cannot satisfy constraint/.test(text);
  return isAboutTargets && target !== undefined ? { hint: targetHint(target) } : undefined;
}

function targetHint(target: string): string {
  return `all packages are built for ${target}, unless \`packages: all: require:\` demands another target; for all containers: \`platforms:\` in spacktainers.yaml`;
}

/** Reasons are numbered; what led to one stands below it, indented: `required because …`. */
function readReasons(said: string): readonly Reason[] {
  const reasons: { text: string; causes: string[] }[] = [];
  // Advice of Spack's, which is the same whatever is wrong.
  const text = said.replace(/\.? You could consider setting `concretizer:unify`[\s\S]*$/, "");
  for (const line of text.split("\n")) {
    // What follows a spec in the solver's words, such as ` 4(1.10.0)`, is for those who know its rules.
    const numbered = /^\s+\d+\. (.*?)(?: \d+\([^)]*\))?\s*$/.exec(line);
    const cause = /^\s+required because (.*?)\s*$/.exec(line);
    if (numbered?.[1] !== undefined) reasons.push({ text: numbered[1].trim(), causes: [] });
    else if (cause?.[1] !== undefined) reasons.at(-1)?.causes.push(cause[1]);
  }
  return reasons;
}

/**
 * The place of the spec that a reason names: a root of the manifest by its text, or by its package; else what the manifest says
 * of a package in `packages:`; else the only root that was tried; else the manifest.
 *
 * @param tried the roots for which there is no solution together, in Spack's writing
 */
function placeOf({ text, causes }: Reason, environment: Environment, tried: readonly string[]): Place {
  const all = [text, ...causes].join("\n");
  const requested = [...all.matchAll(/(?:^|\n)([^\n]+?) requested explicitly/g)].flatMap(
    ([, spec]) => spec ?? [],
  );
  const names = [
    // What a reason is about comes before what led to it.
    ...[...text.matchAll(/'([^']+)'|`([^`]+)`|^([a-z][\w-]*): /g)].flatMap(
      ([, a, b, c]) => packageOf(a ?? b ?? c ?? "") ?? [],
    ),
    ...requested.flatMap((spec) => packageOf(spec) ?? []),
    ...[...text.matchAll(/\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*\b/g)].map(([word]) => word),
  ];
  const texts = new Set([...requested, ...tried].map(withoutBlanks));
  const byText = environment.specs.filter((spec) => texts.has(withoutBlanks(spec.text)));
  const root = (name: string): Place | undefined =>
    environment.specs.find(({ spec }) => spec.name === name)?.place;
  const setting = (name: string): Place | undefined => environment.packages.get(name)?.place;
  for (const name of names) {
    const place = root(name) ?? setting(name);
    if (place !== undefined) return place;
  }
  const [first, other] = byText;
  return first !== undefined && other === undefined ? first.place : { file: environment.file };
}

/** Spack writes specs its own way: `hdf5 +mpi` as `hdf5+mpi`. */
function withoutBlanks(spec: string): string {
  return spec.replaceAll(/\s+/g, "");
}

/** The package that a spec names. */
function packageOf(spec: string): string | undefined {
  return /^(?:[\w.]+\.)?([a-z0-9][\w-]*)/.exec(spec.trim())?.[1];
}
