import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandExists } from "./commandExists.ts";
import { podmanEnvironment } from "./podman.ts";

/** A user of this machine, made for tests, with subordinate numbers where the machine gives them. */
export interface OrdinaryUser {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  /** Variables with which this user's programs, Podman among them, keep to the home directory. */
  readonly environment: NodeJS.ProcessEnv;
  /** Words before a command, for root: the command is this user's. */
  readonly become: readonly string[];
  /** Ends what runs, and takes everything away. */
  remove(): void;
}

/** Why no user can be made here, or undefined. */
export function ordinaryUserTrouble(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can make a user";
  for (const program of ["useradd", "userdel", "setpriv"])
    if (!commandExists(program)) return `${program} is not installed`;
  return undefined;
}

/** Makes a user. */
export function makeOrdinaryUser(): OrdinaryUser {
  const place = mkdtempSync(join(tmpdir(), "spacktainers-user-"));
  chmodSync(place, 0o755);
  const name = `spk${process.pid}${Math.trunc(Math.random() * 1e6)}`;
  const home = join(place, "home");
  const made = spawnSync("useradd", ["--create-home", "--home-dir", home, "--shell", "/bin/sh", name], {
    encoding: "utf8",
  });
  if (made.status !== 0) throw new Error(`no user can be made: ${made.stderr}`);
  const uid = Number(spawnSync("id", ["-u", name], { encoding: "utf8" }).stdout);
  for (const folder of ["podman", "runtime", "cache"]) mkdirSync(join(home, folder), { mode: 0o700 });
  const environment = {
    ...podmanEnvironment(join(home, "podman")),
    HOME: home,
    USER: name,
    LOGNAME: name,
    XDG_RUNTIME_DIR: join(home, "runtime"),
    XDG_CACHE_HOME: join(home, "cache"),
  };
  spawnSync("chown", ["-R", `${uid}:${uid}`, home]);
  return {
    name,
    uid,
    home,
    environment,
    become: ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--"],
    remove() {
      // Podman leaves a process that keeps its namespace.
      for (const pid of processesOf(uid)) process.kill(pid, "SIGKILL");
      spawnSync("umount", [join(home, "podman/storage/overlay")]);
      spawnSync("userdel", [name]);
      spawnSync("chmod", ["-R", "u+rwX", place]);
      rmSync(place, { recursive: true, force: true });
    },
  };
}

function processesOf(uid: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return new RegExp(`^Uid:\\s+${uid}\\s`, "m").test(readFileSync(`/proc/${pid}/status`, "latin1"));
      } catch {
        return false;
      }
    })
    .map(Number);
}
