import { join } from "node:path";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { pathsOf } from "./container/spackProcess.ts";
import type { BuildTask, TaskResources } from "./executors/executor.ts";
import { installScript, pushedOr } from "./installScript.ts";
import type { Spack } from "./spack.ts";
import { pushWords, spackCommand, spackEnvironment } from "./spackCommand.ts";

/** The work on one package. */
export interface InstallWork {
  readonly spec: ConcreteSpec;
  /** Folder of the environment whose lock has the package. */
  readonly environment: string;
  /** Folder of logs, which exists. */
  readonly logs: string;
  readonly resources: TaskResources;
  /** Stop after this phase; nothing is published then. */
  readonly until: string | undefined;
  /** It may be installed already, and is built again all the same. */
  readonly again: boolean;
}

/** Names of the commands that a package takes. */
export const installStep = "install";
export const pushStep = "push";

/**
 * The commands that build a package from source and put it into the local build cache. What it needs is on the machine already,
 * or is taken from caches. Pushing is a step of its own: were it Spack's autopush, one that fails would lose the build. It is done by
 * the process that installs, and by one of its own where that could not.
 */
export function installTask(spack: Spack, work: InstallWork): BuildTask {
  const { spec, environment, resources, until, again } = work;
  const command = (args: readonly string[]) => spackCommand(spack, { environment }, args).argv;
  const paths = spack.container === undefined ? [] : pathsOf({ environment });
  const install = [
    "install",
    "--only-concrete",
    "--no-check-signature",
    "--use-buildcache=package:never,dependencies:only",
    "--verbose",
    `--jobs=${resources.cores}`,
    ...(until === undefined ? [] : [`--until=${until}`]),
    ...(again ? ["--overwrite", "--yes-to-all"] : []),
    `/${spec.hash}`,
  ];
  const push = pushWords(spack.folders.built, [spec.hash]);
  const pushed = join(work.logs, `${spec.hash}.pushed`);
  const options = ["-e", environment];
  const [python, file] = command([]);
  const both = [
    python,
    "-c",
    installScript,
    file,
    pushed,
    ...options,
    "--",
    ...install,
    "--",
    ...push,
  ] as const;
  return {
    hash: spec.hash,
    work: `install${again ? " again" : ""}${until === undefined ? " and push" : ` until ${until}`}`,
    label: `${spec.name}@${spec.version}`,
    steps:
      until === undefined
        ? [
            { name: installStep, argv: both, paths },
            { name: pushStep, argv: pushedOr(pushed, command(push)), paths },
          ]
        : [{ name: installStep, argv: command(install), paths }],
    log: join(work.logs, `${spec.name}-${spec.version}-${spec.hash.slice(0, 7)}.log`),
    env: spackEnvironment(spack),
    cwd: work.logs,
    resources,
  };
}
