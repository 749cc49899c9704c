/** Variables in the paths of a manifest: Spack's own (`$spack`, `${arch}`), those of the environment, and `~`. */
import { join } from "node:path";
import { familyOf } from "../spec/microarchitecture.ts";
import type { Machine } from "./machine.ts";

/** A path with its variables replaced. */
export interface ExpandedPath {
  readonly path: string;
  /** Variables that have a value for Spack, but not here, as written. */
  readonly unknown: readonly string[];
}

/** Variables that only an installed Spack has values for. */
const ofSpack = new Set(["spack", "spack_instance_id", "spack_short_version"]);

/**
 * Replaces variables as Spack does: its own first, in whatever case, then those of the environment, then `~`. What has no
 * value stays as it is. `$env` has none: no environment is active while one is read.
 */
export function expandPath(written: string, machine: Machine): ExpandedPath {
  const unknown: string[] = [];
  const { environment } = machine;
  const spack = written.replace(/\$[\p{L}\p{N}_]+|\$\{[\p{L}\p{N}_]+\}/gu, (variable) => {
    const name = variable.replace(/[${}]/g, "").toLowerCase();
    const value = spackVariable(name, machine);
    if (value === undefined && (ofSpack.has(name) || ofPlatform.has(name))) unknown.push(variable);
    return value ?? variable;
  });
  const expanded = spack.replace(/\$(?:([A-Za-z0-9_]+)|\{([^}]*)\})/g, (variable, plain, braced) => {
    const name: string = plain ?? braced;
    return (Object.hasOwn(environment, name) ? environment[name] : undefined) ?? variable;
  });
  const path = expanded.replace(/^~([^/]*)(?=\/|$)/, (whole, user) =>
    user === "" || user === machine.user ? machine.home : whole,
  );
  return { path, unknown };
}

/** Variables that need the system of the platform. */
const ofPlatform = new Set(["arch", "architecture", "os", "operating_system"]);

function spackVariable(name: string, machine: Machine): string | undefined {
  const { platform, os, target, user, home, date, environment } = machine;
  switch (name) {
    case "spack":
      return environment.SPACK_ROOT || undefined;
    case "user":
      return user;
    case "tempdir":
      return environment.TMPDIR || environment.TEMP || environment.TMP || "/tmp";
    case "user_cache_path":
      return environment.SPACK_USER_CACHE_PATH || join(home, ".spack");
    case "arch":
    case "architecture":
      return os === undefined ? undefined : `${platform}-${os}-${target}`;
    case "platform":
      return platform;
    case "os":
    case "operating_system":
      return os;
    case "target":
      return target;
    case "target_family":
      return familyOf(target);
    case "date":
      return date;
    default:
      return undefined;
  }
}
