/** The smoke tests of a container: which there are, and whether what came out is right. */
import type { SmokeTest, TestsFile } from "../definitions/testsSchema.ts";
import type { ImageProfile } from "./imageProfile.ts";

/** One test, complete. */
export interface PlannedTest {
  readonly name: string;
  /** Program and arguments, without `mpiexec` or `srun`. */
  readonly command: readonly string[];
  /** 0: the program is started once, alone. */
  readonly ranks: number;
  readonly nodes: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly timeout: number;
  readonly expect: {
    readonly status: number;
    readonly stdout: RegExp | undefined;
    readonly stderr: RegExp | undefined;
    readonly transport: RegExp | undefined;
    /** Lines of standard output that must be there so many times. */
    readonly lines: { readonly line: string; readonly times: number } | undefined;
  };
}

/** What a test left. */
export interface TestOutput {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const defaultTimeout = 120;
/** Seconds that `%test` may take: it may be a whole suite, and there is no place in it to say how long. */
const definitionTimeout = 600;
/** Runs `%test` with the image's variables, in every runtime: Apptainer's own script for it, which is in the image. */
const definitionTest = "/.singularity.d/actions/test";

/** How MPICH is asked to say by what it talks. */
const transportVariables = { MPIR_CVAR_DEBUG_SUMMARY: "1" } as const;

/** Lets the loader of each program say what it would load; fails with the first that is not found. */
const loaderScript = `
status=0
while [ $# -gt 0 ]; do
  out=$("$1" --list "$2" 2>&1) || { echo "$2: $out" >&2; status=1; }
  case $out in *"not found"*) echo "$2: $out" >&2; status=1 ;; esac
  shift 2
done
[ $status = 0 ] && echo "all libraries are found"
exit $status
`;

/** Programs in one command line. */
const mostPrograms = 500;

/** What each rank of the usual test says. */
const rankLine = "rank is started";

/**
 * The tests of a container: the usual ones, `%test` of a definition file, then those of its file.
 *
 * Usual are: of every program of the packages asked for, all libraries are found; where there are MPI and its launcher, that starts
 * two ranks. No program is started by itself: not all know `--version`, and some do harm without arguments.
 *
 * @param file undefined: the container has none
 */
export function planTests(facts: ImageProfile, file: TestsFile | undefined): readonly PlannedTest[] {
  const usual = file?.defaults === false ? [] : usualTests(facts);
  return [...usual, ...sectionTests(facts), ...(file?.tests ?? []).map(planned)];
}

/** With Apptainer `%test` is done when its script ends with status 0. */
function sectionTests({ test }: ImageProfile): readonly PlannedTest[] {
  if (test === undefined) return [];
  return [
    {
      name: "%test",
      command: [definitionTest],
      ranks: 0,
      nodes: 1,
      environment: {},
      timeout: definitionTimeout,
      expect: {
        status: 0,
        stdout: undefined,
        stderr: undefined,
        transport: undefined,
        lines: undefined,
      },
    },
  ];
}

function usualTests(facts: ImageProfile): readonly PlannedTest[] {
  const tests: PlannedTest[] = [];
  const programs = facts.programs.flatMap(({ path, interpreter }) =>
    interpreter === undefined ? [] : [interpreter, path],
  );
  const plain = { ranks: 0, nodes: 1, environment: {}, timeout: defaultTimeout };
  const nothing = { status: 0, stdout: undefined, stderr: undefined, transport: undefined, lines: undefined };
  for (let at = 0; at < programs.length; at += 2 * mostPrograms) {
    const some = programs.slice(at, at + 2 * mostPrograms);
    tests.push({
      ...plain,
      name: `libraries of ${some.length / 2} programs are found`,
      command: ["/bin/sh", "-c", loaderScript, "sh", ...some],
      expect: { ...nothing, stdout: /^all libraries are found$/m },
    });
  }
  if (facts.mpi.length > 0 && facts.mpiexec !== undefined)
    tests.push({
      ...plain,
      name: "mpiexec starts two ranks",
      command: ["/bin/sh", "-c", `echo ${rankLine}`],
      ranks: 2,
      expect: { ...nothing, lines: { line: rankLine, times: 2 } },
    });
  return tests;
}

function planned(test: SmokeTest): PlannedTest {
  const pattern = (text: string | undefined): RegExp | undefined =>
    text === undefined ? undefined : new RegExp(text, "m");
  return {
    name: test.name ?? test.command.join(" "),
    command: test.command,
    ranks: test.ranks ?? 0,
    nodes: test.nodes ?? 1,
    environment: { ...(test.transport === undefined ? {} : transportVariables), ...test.environment },
    timeout: test.timeout ?? defaultTimeout,
    expect: {
      status: test.status ?? 0,
      stdout: pattern(test.stdout),
      stderr: pattern(test.stderr),
      transport: pattern(test.transport),
      lines: undefined,
    },
  };
}

/**
 * Judges what a test left.
 *
 * @param together standard output and error came out as one (a Slurm job): both patterns are held against all of it
 * @returns why it failed, one reason each; empty when it is right
 */
export function judge(test: PlannedTest, output: TestOutput, together = false): readonly string[] {
  const { expect } = test;
  const all = `${output.stdout}\n${output.stderr}`;
  const reasons: string[] = [];
  if (output.status !== expect.status)
    reasons.push(`exit status ${output.status} instead of ${expect.status}${lastWords(output)}`);
  if (expect.stdout !== undefined && !expect.stdout.test(together ? all : output.stdout))
    reasons.push(`the output does not match ${expect.stdout.source}${lastWords(output)}`);
  if (expect.stderr !== undefined && !expect.stderr.test(together ? all : output.stderr))
    reasons.push(`standard error does not match ${expect.stderr.source}`);
  if (expect.transport !== undefined && !expect.transport.test(all))
    reasons.push(`no line names the transport ${expect.transport.source}`);
  if (expect.lines !== undefined) {
    const { line, times } = expect.lines;
    const found = (together ? all : output.stdout).split("\n").filter((one) => one.trim() === line).length;
    if (found !== times)
      reasons.push(`\`${line}\` occurs ${found} times instead of ${times}${lastWords(output)}`);
  }
  return reasons;
}

/** The last line, for whoever looks for the reason. */
function lastWords({ stdout, stderr }: TestOutput): string {
  const lines = (stderr.trim() === "" ? stdout : stderr)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  // Slurm ends with how many tasks failed, and the program says why.
  const text = (
    lines.findLast((line) => !/^(?:srun|slurmstepd\S*): /.test(line)) ??
    lines.at(-1) ??
    ""
  ).slice(0, 300);
  return text === "" ? "" : `: ${text}`;
}
