/** The machine that an environment is read for and on: what conditions and paths may ask about. */
import { homedir, hostname, userInfo } from "node:os";
import type { Dialect } from "../spec/abstract.ts";
import { hostEnvironment } from "../util/surroundings.ts";

/** Facts that a manifest may ask for. */
export interface Machine {
  /** Of the container, not of the machine that this program runs on. */
  readonly platform: string;
  readonly os: string | undefined;
  readonly target: string;
  /** Generation of Spack that would answer. */
  readonly dialect: Dialect;
  readonly hostname: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Name of the user. */
  readonly user: string;
  /** The user's own folder. */
  readonly home: string;
  /** Year, month and day, as `2026-01-31`. */
  readonly date: string;
}

/** What the container's platform is, as far as the configuration says it. */
export interface MachinePlatform {
  readonly target?: string | undefined;
  readonly os?: string | undefined;
}

/** The machine that this program runs on, making containers for a platform. */
export function thisMachine(dialect: Dialect, { target = "x86_64", os }: MachinePlatform = {}): Machine {
  const now = new Date();
  const two = (number: number) => String(number).padStart(2, "0");
  return {
    platform: "linux",
    os,
    target,
    dialect,
    hostname: hostname(),
    environment: hostEnvironment(),
    user: userName(),
    home: hostEnvironment().HOME ?? homedir(),
    date: `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`,
  };
}

/** A user id without an entry has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return hostEnvironment().USER ?? "";
  }
}
