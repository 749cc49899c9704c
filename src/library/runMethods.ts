import type { JobRequest } from "../commands/job/makeJob.ts";
import type { JobRun } from "../commands/job/runJob.ts";
import type { RunRequest } from "../commands/run/runContainer.ts";
import type { ShimsRequest } from "../commands/shims/writeShims.ts";
import type { ShellRequest } from "../commands/spack/openBuildShell.ts";
import type { SpackRequest } from "../commands/spack/runRepositorySpack.ts";
import { complete, type Given } from "./requests.ts";
import type { Spacktainers } from "./spacktainers.ts";
import type { DoWork } from "./work.ts";

/** The verbs that start programs, and those that say how: `exec`, `job`, `run`, `shell`, `shims` and `spack`, of one session. */
export function runMethods(
  work: DoWork,
): Pick<Spacktainers, "exec" | "job" | "run" | "shell" | "shims" | "spack"> {
  const runImage = (given: Given<RunRequest, "image">, entrypoint: RunRequest["entrypoint"]) =>
    work(given, async (session) => {
      const { runContainer } = await import("../commands/run/runContainer.ts");
      const usual = {
        arch: undefined,
        command: [],
        binds: [],
        env: [],
        workdir: undefined,
        entrypoint,
        runtime: "auto" as const,
        network: "host" as const,
        readOnly: false,
        tty: undefined,
        print: undefined,
      };
      return runContainer(complete<RunRequest, "image">(session, usual, given));
    });
  const job = (given: Given<JobRequest, "image" | "site" | "command">) =>
    work(given, async (session) => {
      const { makeJob, usualJob } = await import("../commands/job/makeJob.ts");
      return makeJob(complete<JobRequest, "image" | "site" | "command">(session, usualJob, given));
    });
  const submit = (given: Given<JobRun, "script">) =>
    work(given, async (session) => {
      const { runJob } = await import("../commands/job/runJob.ts");
      const usual = { cancelOnInterrupt: false, output: () => {} };
      return runJob(complete<JobRun, "script">(session, usual, given));
    });
  const shims = (given: Given<ShimsRequest, "image" | "into">) =>
    work(given, async (session) => {
      const { writeShims } = await import("../commands/shims/writeShims.ts");
      const usual = {
        arch: undefined,
        lmod: false,
        site: undefined,
        runtime: undefined,
        location: undefined,
        programs: [],
        rootsOnly: false,
        binds: [],
        env: [],
        gpu: undefined,
      };
      return writeShims(complete<ShimsRequest, "image" | "into">(session, usual, given));
    });
  const tools = { caches: [], trust: [], begin: () => {} };
  const spack = (given: Given<SpackRequest, "args">) =>
    work(given, async (session) => {
      const { runRepositorySpack } = await import("../commands/spack/runRepositorySpack.ts");
      const usual = { ...tools, container: undefined, arch: undefined };
      return runRepositorySpack(complete<SpackRequest, "args">(session, usual, given));
    });
  const buildShell = (given: Given<ShellRequest, "container" | "package">) =>
    work(given, async (session) => {
      const { openBuildShell } = await import("../commands/spack/openBuildShell.ts");
      const usual = { ...tools, arch: undefined };
      return openBuildShell(complete<ShellRequest, "container" | "package">(session, usual, given));
    });
  return {
    exec: (given) => runImage(given, "none"),
    job: Object.assign(job, { run: submit }),
    run: (given) => runImage(given, "image"),
    shell: (given) => runImage(given, "shell"),
    shims,
    spack: Object.assign(spack, { shell: buildShell }),
  };
}
