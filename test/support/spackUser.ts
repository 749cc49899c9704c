/** Somebody who uses real Spack with a build cache whose signatures are checked: what becomes of a cache that we wrote is seen by them. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { hasGnuPg } from "./gnupg.ts";
import { realSpack } from "./realSpack.ts";

/** Longest that one command of Spack's may take, in milliseconds. */
const patience = 20 * 60_000;

/** Why there can be no such user here; undefined when there can. */
export const spackUserTrouble = ((): string | undefined => {
  const { checkout, wheels } = realSpack ?? {};
  if (checkout === undefined || wheels === undefined || !existsSync(wheels))
    return "SPACKTAINERS_TEST_SPACK names no folder with a Spack";
  return hasGnuPg() ? undefined : "gpg is not installed";
})();

/** A Python that can run Spack for a cache in S3 (it needs boto3, and to be of the version that the wheels are for); undefined without one. */
export function pythonWithBoto(): string | undefined {
  const pythons = [process.env.SPACKTAINERS_TEST_PYTHON, "/usr/bin/python3", "python3"];
  const question = "import boto3, sys; print(sys.executable, '%d%d' % sys.version_info[:2])";
  for (const python of pythons) {
    if (python === undefined) continue;
    const { stdout } = spawnSync(python, ["-c", question], { encoding: "utf8", timeout: 60_000 });
    const [executable = "", version = "none"] = (stdout ?? "").trim().split(" ");
    const wheels = readdirSync(realSpack?.wheels ?? ".");
    if (wheels.some((name) => name.includes(`-cp${version}-`))) return executable;
  }
  return undefined;
}

/** A mirror as Spack's configuration has it. */
export interface SpackMirror {
  readonly url: string;
  readonly signed: boolean;
  /** Of an S3 server that is not Amazon's; credentials are in variables of the environment. */
  readonly endpoint?: string | undefined;
  /** File with the certificate of a server that no authority vouches for. */
  readonly certificate?: string | undefined;
}

/** How the user has set up Spack. */
export interface SpackUserOptions {
  /** Where everything of theirs is. */
  readonly home: string;
  readonly mirror: SpackMirror;
  /** Folder of the install tree; default one in their home. */
  readonly tree?: string;
  /** Characters that paths of the install tree are padded to; 0: they are not. */
  readonly padding?: number;
  /** Recipes besides the builtin ones, or instead of them, by namespace: folders with `repo.yaml`. */
  readonly repositories?: Readonly<Record<string, string>>;
  /** What runs Spack; it needs boto3 for caches in S3. */
  readonly python?: string;
}

/** What a command said, on both of its streams. */
export interface SpackAnswer {
  readonly status: number | null;
  readonly said: string;
}

/** A user of Spack's. */
export interface SpackUser {
  /** Folder of the install tree, without padding. */
  readonly tree: string;
  run(...args: readonly string[]): SpackAnswer;
}

/** Sets up a user of real Spack. Call it only where {@link spackUserTrouble} names no trouble. */
export function openSpackUser(options: SpackUserOptions): SpackUser {
  const { checkout = "", recipes = [], wheels = "", misc } = realSpack ?? {};
  const { home, mirror, padding = 0, repositories = {}, python = "/usr/bin/python3" } = options;
  const scope = join(home, "scope");
  mkdirSync(scope, { recursive: true });
  for (const wheel of readdirSync(wheels))
    if (wheel.endsWith(".whl"))
      execFileSync(python, ["-m", "zipfile", "-e", join(wheels, wheel), join(home, "solver")], {
        timeout: 120_000,
      });
  const write = (section: string, value: unknown): void =>
    writeFileSync(
      join(scope, `${section.replace(":", "")}.yaml`),
      `${JSON.stringify({ [section]: value })}\n`,
    );
  const { url, signed, endpoint, certificate } = mirror;
  const builtin = repositories.builtin ?? recipes[0];
  write("repos:", { ...repositories, builtin });
  write("mirrors:", {
    ours: { url, signed, source: false, ...(endpoint === undefined ? {} : { endpoint_url: endpoint }) },
  });
  write("bootstrap", { enable: true, sources: [], trusted: {} });
  const tree = options.tree ?? join(home, "tree");
  write("config", {
    install_tree: { root: tree, ...(padding === 0 ? {} : { padded_length: padding }) },
    // What is kept there is of all the recipes.
    misc_cache: builtin === recipes[0] && misc !== undefined ? misc : join(home, "misc"),
    source_cache: join(home, "sources"),
    build_stage: [join(home, "stage")],
  });
  const env: NodeJS.ProcessEnv = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: home,
    LC_ALL: "C.UTF-8",
    SPACK_ROOT: checkout,
    SPACK_PYTHON: python,
    SPACK_DISABLE_LOCAL_CONFIG: "1",
    SPACK_USER_CACHE_PATH: join(home, "user"),
    SPACK_GNUPGHOME: join(home, "gpg"),
    PYTHONPATH: join(home, "solver"),
    ...(certificate === undefined ? {} : { SSL_CERT_FILE: certificate }),
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith("AWS_"))),
  };
  return {
    tree,
    run(...args) {
      const argv = [join(checkout, "bin/spack"), "-C", scope, ...args];
      const { status, stdout, stderr } = spawnSync(python, argv, {
        env,
        encoding: "utf8",
        timeout: patience,
        maxBuffer: 2 ** 26,
      });
      return { status, said: stdout + stderr };
    },
  };
}

/** What somebody finds in a cache that Spack is to judge. */
export interface JudgedCache {
  readonly mirror: SpackMirror;
  /** Full hashes of all packages that it lists. */
  readonly hashes: readonly string[];
  /** The full hash of a zlib among them. */
  readonly zlib: string;
  readonly python?: string;
}

/**
 * Real Spack lists all packages of a cache and installs one of them. Where the cache is signed, it does so for a user who trusts the keys that
 * the cache offers, and not for one who does not.
 *
 * @param home where the users live; removed afterwards
 */
export function expectSpackReads(home: string, { mirror, hashes, zlib, ...more }: JudgedCache): void {
  const install = ["install", "--cache-only", "--no-add", `/${zlib}`];
  try {
    const user = openSpackUser({ home: join(home, "user"), mirror, ...more });
    if (mirror.signed) {
      expect(user.run("gpg", "init").status).toBe(0);
      const keys = user.run("buildcache", "keys", "--install", "--trust");
      expect(keys.status, keys.said).toBe(0);
    }
    const { said } = user.run("buildcache", "list", "--allarch", "--very-long");
    for (const hash of hashes) expect(said).toContain(hash);
    const installed = user.run(...install);
    expect(installed.status, installed.said).toBe(0);
    const files = readdirSync(user.tree, { recursive: true, encoding: "utf8" });
    expect(files.some((path) => path.endsWith(`${zlib}/lib/libz.so`))).toBe(true);

    if (!mirror.signed) return;
    // One who does not trust the key installs nothing: Spack did look at signatures.
    const stranger = openSpackUser({ home: join(home, "stranger"), mirror, ...more });
    const refused = stranger.run(...install);
    expect(refused.status).not.toBe(0);
    expect(refused.said).toMatch(/No binary found when cache-only|verif/i);
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
