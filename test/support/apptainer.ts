/** Real Apptainer for tests: the one on the search path, or the one `scripts/install-components.sh` keeps below the project. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { commandExists } from "./commandExists.ts";

const ownFolder = resolve(import.meta.dirname, "../../.scratch/apptainer/usr/bin");

/** The search path with Apptainer on it. */
export const pathWithApptainer = commandExists("apptainer")
  ? process.env.PATH
  : `${process.env.PATH}:${ownFolder}`;

/** Why there is no Apptainer 1.4 here, or undefined. */
export function apptainerTrouble(): string | undefined {
  if (!commandExists("apptainer") && !existsSync(join(ownFolder, "apptainer")))
    return "Apptainer is not installed: scripts/install-components.sh";
  const said = spawnSync("apptainer", ["--version"], {
    encoding: "utf8",
    env: { ...process.env, PATH: pathWithApptainer },
  });
  if (!/version 1\.(?:[4-9]|\d\d)/.test(said.stdout ?? ""))
    return `this is no Apptainer 1.4: ${said.stdout}${said.stderr}`;
  return undefined;
}

/** Who runs `%post`: root of a namespace, whom root in a container often cannot become; then an ordinary user does. */
export function postUser(): { readonly uid?: number } {
  const uid = process.getuid?.() === 0 ? usersWithSubordinates().find((one) => one > 0) : undefined;
  return uid === undefined ? {} : { uid };
}

/** Why Apptainer cannot run `%post` here, or what it makes cannot be read, or undefined. */
export function postTrouble(): string | undefined {
  if (!commandExists("sqfs2tar")) return "sqfs2tar is not installed";
  const { uid = process.getuid?.() ?? 0 } = postUser();
  if (uid === 0 || !usersWithSubordinates().includes(uid))
    return "no ordinary user has subordinate IDs: /etc/subuid";
  // As Apptainer does it: by newuidmap.
  const tried = spawnSync("unshare", ["--user", "--map-auto", "--map-root-user", "true"], {
    encoding: "utf8",
    ...(process.getuid?.() === 0 ? { uid, gid: uid } : {}),
  });
  if (tried.status !== 0)
    return `no namespace can be made with subordinate IDs: ${`${tried.stderr}`.trim() || "there is no unshare"}`;
  if (!mayMount()) return "this user may not open /dev/fuse";
  return apptainerTrouble();
}

/** Numbers of the users that `/etc/subuid` names. */
function usersWithSubordinates(): readonly number[] {
  if (!existsSync("/etc/subuid")) return [];
  return readFileSync("/etc/subuid", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [name = ""] = line.split(":");
      if (name === "") return [];
      const { uid, username } = userInfo();
      if (name === username) return [uid];
      const found = spawnSync("id", ["-u", "--", name], { encoding: "utf8" });
      return found.status === 0 ? [Number(found.stdout)] : [];
    });
}

/** Apptainer with a home and a cache of its own. */
export interface Apptainer {
  /** Runs it; as `uid` where the tests run as root. */
  run(args: readonly string[], options?: ApptainerOptions): SpawnSyncReturns<string>;
  readonly env: NodeJS.ProcessEnv;
}

export interface ApptainerOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly uid?: number;
}

/** Variables with which Apptainer unpacks SIF files to run them, where this user may not mount file systems in user space. */
export function mountVariables(): Readonly<Record<string, string>> {
  return mayMount() ? {} : { APPTAINER_UNSQUASH: "1" };
}

function mayMount(): boolean {
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param folder an existing folder, for everything it leaves on disk */
export function openApptainer(folder: string): Apptainer {
  for (const name of ["home", "cache", "tmp"]) {
    mkdirSync(join(folder, name), { recursive: true });
    chmodSync(join(folder, name), 0o777);
  }
  const env = {
    PATH: pathWithApptainer,
    HOME: join(folder, "home"),
    APPTAINER_CACHEDIR: join(folder, "cache"),
    APPTAINER_TMPDIR: join(folder, "tmp"),
    ...mountVariables(),
  };
  return {
    env,
    run(args, options = {}) {
      return spawnSync("apptainer", args, {
        cwd: folder,
        env: { ...env, ...options.env },
        input: options.input ?? "",
        encoding: "utf8",
        timeout: 240_000,
        ...(options.uid === undefined || process.getuid?.() !== 0
          ? {}
          : { uid: options.uid, gid: options.uid }),
      });
    },
  };
}
