/**
 * A real Slurm on this machine: one controller, three nodes that are all this machine, and munge. Everything listens on the loopback
 * interface only, lives below one folder, and is stopped by its own process numbers.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { freePort } from "./staticServer.ts";

/** A Slurm cluster under way. */
export interface SlurmCluster {
  readonly folder: string;
  /** Variables with which Slurm's commands find it; the home of its jobs, whose shells read no profile of the developer's. */
  readonly environment: NodeJS.ProcessEnv;
  stop(): void;
}

const programs = ["slurmctld", "slurmd", "munged", "srun", "sbatch", "squeue", "scontrol"] as const;

/** Why Slurm cannot be started by tests here, or undefined. */
export function slurmTrouble(): string | undefined {
  if (process.platform !== "linux") return "Slurm's tests are for Linux";
  for (const program of programs)
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `${program} is not installed`;
  if (process.getuid?.() !== 0) return "a cluster can only be started by root";
  if (spawnSync("id", ["-u", "munge"]).status !== 0) return "there is no user munge";
  return undefined;
}

/** Why ranks cannot meet by PMIx here, or undefined. */
export function pmixTrouble(): string | undefined {
  // Debian's plug-in opens the library by the name that the package for developers has.
  const found = spawnSync("sh", ["-c", "ls /usr/lib/*/pmix*/lib/libpmix.so /usr/lib/*/libpmix.so"]);
  return `${found.stdout}` === "" ? "Slurm has no PMIx: libpmix-dev is not installed" : undefined;
}

/** Starts a cluster with the nodes n1 to n3, two processors each, in the partition `test`. */
export async function startSlurm(): Promise<SlurmCluster> {
  const folder = mkdtempSync(join(tmpdir(), "spacktainers-slurm-"));
  chmodSync(folder, 0o755);
  for (const name of ["state", "log", "munge", "run", "spool", "home"]) mkdirSync(join(folder, name));
  const key = join(folder, "munge", "munge.key");
  writeFileSync(key, randomBytes(1024), { mode: 0o400 });
  execFileSync("chown", ["-R", "munge", join(folder, "munge"), join(folder, "run")]);
  chmodSync(join(folder, "munge"), 0o700);
  chmodSync(join(folder, "run"), 0o755);
  const conf = join(folder, "slurm.conf");
  const stop = (): void => stopAll(folder);
  try {
    writeFileSync(conf, await configuration(folder));
    start("runuser", [
      ...["-u", "munge", "--", "munged", `--key-file=${key}`, `--socket=${folder}/run/munge.socket`],
      ...[`--pid-file=${folder}/run/munged.pid`, `--log-file=${folder}/munge/log`],
      `--seed-file=${folder}/munge/seed`,
    ]);
    const environment = { SLURM_CONF: conf, HOME: join(folder, "home") };
    start("slurmctld", ["-f", conf], environment);
    for (const node of ["n1", "n2", "n3"]) start("slurmd", ["-f", conf, "-N", node], environment);
    await idle(environment, folder);
    return { folder, environment, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

/** Starts a daemon, which goes on by itself. */
function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  const result = spawnSync(program, args, {
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
    timeout: 60_000,
  });
  if (result.status !== 0) throw new Error(`${program} cannot be started: ${result.stderr}`);
}

async function configuration(folder: string): Promise<string> {
  const name = hostname().split(".")[0] ?? "localhost";
  const [controller, ...nodes] = [await freePort(), await freePort(), await freePort(), await freePort()];
  // In megabytes; Slurm does not use a node that has less than it says.
  const memory = Math.min(4000, Math.floor(totalmem() / 2 ** 20 / 2));
  const node = (number: number): string =>
    `NodeName=n${number} NodeHostname=${name} NodeAddr=127.0.0.1 Port=${nodes[number - 1]} CPUs=2 RealMemory=${memory} Feature=mc,f${number} State=UNKNOWN`;
  return `ClusterName=t${createHash("sha256").update(folder).digest("hex").slice(0, 8)}
SlurmctldHost=${name}(127.0.0.1)
SlurmctldPort=${controller}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/run/munge.socket
CredType=cred/munge
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool/%n
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd-%n.pid
SlurmctldLogFile=${folder}/log/slurmctld.log
SlurmdLogFile=${folder}/log/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SchedulerType=sched/builtin
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
KillWait=5
MinJobAge=300
${[1, 2, 3].map(node).join("\n")}
PartitionName=test Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP
`;
}

async function idle(env: NodeJS.ProcessEnv, folder: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const result = spawnSync("sinfo", ["-h", "-o", "%D %t"], {
      env: { ...process.env, ...env },
      encoding: "utf8",
    });
    if (/^3 idle$/m.test(result.stdout)) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const log = readFileSync(join(folder, "log", "slurmctld.log"), "utf8")
    .split("\n")
    .slice(-10)
    .join("\n");
  throw new Error(`the nodes do not come up: ${log}`);
}

function stopAll(folder: string): void {
  const files = [
    ...readdirSync(folder)
      .filter((name) => name.endsWith(".pid"))
      .map((name) => join(folder, name)),
    join(folder, "run", "munged.pid"),
  ];
  const pids = files.flatMap((file) => {
    try {
      const pid = Number(readFileSync(file, "utf8").trim());
      return Number.isInteger(pid) && pid > 1 ? [pid] : [];
    } catch {
      return [];
    }
  });
  // A number may be another process's by now: ours name the folder in their command lines.
  const alive = (): readonly number[] => pids.filter((pid) => commandLine(pid).includes(folder));
  for (const pid of alive()) signal(pid, "SIGTERM");
  for (let attempt = 0; attempt < 100 && alive().length > 0; attempt++) spawnSync("sleep", ["0.1"]);
  for (const pid of alive()) signal(pid, "SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}

/** What a command of Slurm's left. */
export interface SlurmResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command with the cluster as its own. */
export async function onCluster(
  cluster: SlurmCluster,
  argv: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<SlurmResult> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    env: { ...process.env, ...cluster.environment, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, stdout, stderr }));
  });
}
