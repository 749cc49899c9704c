/**
 * Stand-ins for what clusters have and packages do not: `srun` with the options of pyxis, of CSCS' Container Engine and of Slurm's own containers; Shifter,
 * podman-hpc, enroot, ch-run. Each takes the options that its documentation and source have (pyxis args.c, docs.cscs.ch, shifter.c, podman-hpc's
 * modules.d, ch-run(1) of Charliecloud 0.38), refuses all others and values of another form, and writes down what it was given. `srun` starts
 * the command it is given where there is no container of its own.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a stand-in was given. */
export interface StandInCall {
  readonly program: string;
  /** Each option with its value; `true` where it has none. */
  readonly options: readonly (readonly [name: string, value: string | true])[];
  /** What follows them. */
  readonly words: readonly string[];
  /** The file of `srun --environment`, or what `enroot` was to read credentials from. */
  readonly file?: string;
  readonly env: Readonly<Record<string, string>>;
}

const script = String.raw`
const { appendFileSync, existsSync, readFileSync } = require("node:fs");
const { basename, join } = require("node:path");
const { spawnSync } = require("node:child_process");
const program = basename(process.argv[1]);
const refuse = (why) => { console.error(program + ": error: " + why); process.exit(1); };
const path = /^(?:\/|\.)/;
const bind = (separator) => (value) => value.split(separator).every((one) => /^[^:]+:[^:]+(?::[\w+-]+)?$/.test(one) && path.test(one));
const any = () => true, flag = undefined;
const mount = (value) => /^type=bind,source=\/[^,]*,target=\/[^,]*(?:,readonly)?$/.test(value);
const tables = {
  srun: {
    mpi: any, "cpus-per-task": (v) => /^\d+$/.test(v), "het-group": (v) => /^[\d,-]+$/.test(v), "gpus-per-node": any,
    "container-image": (v) => path.test(v) || /^(?:docker:\/\/)?(?:[^@#\s]+@)?(?:[\w.-]+(?::\d+)?#)?[a-z0-9._\/-]+(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$/.test(v),
    "container-mounts": bind(","), "container-workdir": (v) => path.test(v), "container-name": any, "container-save": any,
    "container-mount-home": flag, "no-container-mount-home": flag, "container-remap-root": flag, "no-container-remap-root": flag,
    "container-entrypoint": flag, "no-container-entrypoint": flag, "container-entrypoint-log": flag, "container-writable": flag,
    "container-readonly": flag, "container-env": (v) => /^\w+(?:,\w+)*$/.test(v),
    environment: (v) => path.test(v) && existsSync(v), container: (v) => path.test(v),
  },
  shifter: {
    volume: (v) => bind(";")(v) && !/:\/(?:dev|etc|proc|var)(?:\/|:|$)/.test(v), image: (v) => /^docker:[\w.\/:-]+$/.test(v), workdir: any,
    module: (v) => /^\w+(?:,\w+)*$/.test(v), env: (v) => /^\w+=/.test(v), "env-file": any, clearenv: flag, entrypoint: flag,
  },
  "podman-hpc": {
    rm: flag, mpi: flag, "cuda-mpi": flag, gpu: flag, "openmpi-pmi2": flag, "openmpi-pmix": flag, nccl: flag, network: any, pid: any, ipc: any,
    "userns": any, mount, volume: any, env: any, workdir: any, entrypoint: any, "security-opt": any, "tls-verify": any, "preserve-fds": any,
  },
  enroot: {
    output: any, arch: any, env: any, rw: flag, root: flag, mount: any, rc: any, net: flag, conf: any,
  },
  shifterimg: { user: any, group: any },
  "ch-image": { "tls-no-verify": flag, auth: flag, storage: any },
  "ch-run": {
    bind: (v) => /^\/[^:]*(?::\/[^:]*)?$/.test(v), cd: any, "env-no-expand": flag, join: flag, "set-env": (v) => v === true || /=/.test(v) || existsSync(v), "unset-env": any,
    "no-passwd": flag, "private-tmp": flag, write: flag, "write-fake": flag, home: flag, uid: any, gid: any,
  },
};
// Options whose value must stand after an equals sign, or may be left out.
const optional = new Set(["set-env", "write-fake"]);
const table = tables[program];
if (process.argv[2] === "--help") { console.log(Object.keys(table).map((name) => "  --" + name).join("\n")); process.exit(0); }
let args = process.argv.slice(2);
const verb = ["podman-hpc", "enroot", "shifterimg", "ch-image"].includes(program) ? args.shift() : undefined;
if (verb !== undefined && !["run", "import", "start", "pull", "create", "load"].includes(verb)) refuse("no command " + verb);
const options = verb === undefined ? [] : [["", verb]];
for (; args.length > 0 && args[0].startsWith("-") && args[0] !== "--"; args.shift()) {
  if (program === "ch-run" && /^[^-]/.test(args[0])) break;
  const [name, ...rest] = args[0].replace(/^--/, "").split("=");
  if (!args[0].startsWith("--") || !(name in table)) refuse("unrecognized option '" + args[0] + "'");
  const takes = table[name];
  if (takes === undefined) { if (rest.length > 0) refuse("option '--" + name + "' doesn't allow an argument"); options.push([name, true]); continue; }
  let value = rest.length > 0 ? rest.join("=") : optional.has(name) ? true : undefined;
  if (value === undefined) { args.shift(); value = args[0]; }
  if (value === undefined || !takes(value)) refuse("invalid value of --" + name + ": " + value);
  options.push([name, value]);
}
// ch-run wants its image before, and the command after, two dashes.
if (args[0] === "--") args.shift();
else if (program === "ch-run" && args[1] !== "--") refuse("missing --");
const given = (name) => options.find(([one]) => one === name)?.[1];
if (program === "srun") {
  const kinds = ["container-image", "environment", "container"].filter((name) => given(name) !== undefined);
  if (kinds.length > 1) refuse("containers of several kinds");
  if (given("container-image") === undefined && options.some(([name]) => /^(?:no-)?container-/.test(name))) refuse("container options without --container-image");
}
const definition = given("environment");
const credentials = process.env.ENROOT_CONFIG_PATH === undefined ? undefined : join(process.env.ENROOT_CONFIG_PATH, ".credentials");
const file = definition ?? (credentials !== undefined && existsSync(credentials) ? credentials : undefined);
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(?:NVIDIA_|SPACKTAINERS_|ENROOT_ALLOW|HDF5_|MINE|A$)/.test(name)));
appendFileSync(LOG, JSON.stringify({ program, options, words: args, env, ...(file === undefined ? {} : { file: readFileSync(file, "utf8") }) }) + "\n");
if (program === "srun" && ["container-image", "environment", "container"].every((name) => given(name) === undefined))
  process.exit(spawnSync(args[0], args.slice(1), { stdio: "inherit" }).status ?? 1);
`;

/** Programs that stand in. */
export const standInPrograms = [
  "srun",
  "shifter",
  "podman-hpc",
  "enroot",
  "shifterimg",
  "ch-image",
  "ch-run",
] as const;

/**
 * Writes them.
 * @param folder made when missing
 * @param log file for a line of JSON a call, see {@link readCalls}
 * @param programs default all
 */
export function writeClusterStandIns(
  folder: string,
  log: string,
  programs: readonly (typeof standInPrograms)[number][] = standInPrograms,
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(log, "");
  for (const program of programs) {
    const path = join(folder, program);
    writeFileSync(path, `#!${process.execPath}\nconst LOG = ${JSON.stringify(log)};\n${script}`);
    chmodSync(path, 0o755);
  }
}

/** What the stand-ins were given, in order. */
export function readCalls(log: string): readonly StandInCall[] {
  const lines = readFileSync(log, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as StandInCall);
}
