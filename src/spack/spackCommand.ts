/** Command lines of Spack, and the environment they run in: nothing of the user's or the site's configuration gets in. */
import { join } from "node:path";
import { hostPath } from "../util/hostPath.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { innerPath } from "./container/engineCommands.ts";
import type { Spack } from "./spack.ts";

/** A command line of Spack's. */
export interface SpackCommand {
  readonly argv: readonly [python: string, spack: string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
}

/** What a command works with: an environment, or a configuration scope without one. */
export type SpackContext = { readonly environment: string } | { readonly scope: string };

/** The variables that a build may see: the machine and its network, not how somebody has set up their shell. */
const passed =
  /^(?:HOME|USER|LOGNAME|TZ|TMPDIR|TERM|SSL_CERT_FILE|SSL_CERT_DIR|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|(?:https?|ftp|no|all)_proxy|(?:HTTPS?|FTP|NO|ALL)_PROXY|SSH_AUTH_SOCK)$/;

/** The same for a builder image, which has certificates, users and temporary files of its own, and cannot reach an agent of this user. */
const passedInside = /^(?:TZ|TERM|(?:https?|ftp|no|all)_proxy|(?:HTTPS?|FTP|NO|ALL)_PROXY)$/;

/** The environment of Spack's processes. */
export function spackEnvironment(
  {
    checkout,
    python,
    solver,
    folders,
    container,
  }: Pick<Spack, "checkout" | "python" | "solver" | "folders" | "container">,
  ours: NodeJS.ProcessEnv = hostEnvironment(),
): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {};
  const names = container === undefined ? passed : passedInside;
  for (const [name, value] of Object.entries(ours)) if (names.test(name)) env[name] = value;
  return {
    ...env,
    ...(container === undefined
      ? { PATH: hostPath() }
      : { PATH: innerPath, HOME: folders.user, TMPDIR: folders.temporary }),
    // Some build systems cannot do with anything else than UTF-8.
    LC_ALL: "C.UTF-8",
    SPACK_ROOT: checkout.folder,
    SPACK_PYTHON: python.executable,
    SPACK_DISABLE_LOCAL_CONFIG: "1",
    SPACK_USER_CACHE_PATH: folders.user,
    SPACK_USER_CONFIG_PATH: join(folders.user, "no-configuration"),
    SPACK_SYSTEM_CONFIG_PATH: join(folders.user, "no-configuration"),
    SPACK_GNUPGHOME: join(folders.user, "gpg"),
    PYTHONPATH: solver.folder,
    PYTHONNOUSERSITE: "1",
    PYTHONUNBUFFERED: "1",
  };
}

/** A command line of Spack's, with the environment to run it in; where it runs is up to `spackProcess` and executors. */
export function spackCommand(spack: Spack, context: SpackContext, args: readonly string[]): SpackCommand {
  const where = "environment" in context ? ["-e", context.environment] : ["-C", context.scope];
  return {
    argv: [spack.python.executable, join(spack.checkout.folder, "bin", "spack"), ...where, ...args],
    env: spackEnvironment(spack),
  };
}

/** The words of a command of Spack's that puts installed packages, and nothing else, into a cache on this machine. */
export function pushWords(cache: string, hashes: readonly string[]): readonly string[] {
  return [
    "buildcache",
    "push",
    "--unsigned",
    // What a killed push left is no package.
    "--force",
    "--only=package",
    "--without-build-dependencies",
    cache,
    ...hashes.map((hash) => `/${hash}`),
  ];
}
