import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { demoRepository, makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { type FolderServer, startFolderServer } from "../support/folderServer.ts";
import { type GitServer, startGitServer } from "../support/gitServer.ts";
import { podmanEnvironment } from "../support/podman.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { realSpack } from "../support/realSpack.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";

export const { checkout, packages, wheels, sources } = realSpack ?? {};

export function troubleHere(): string | undefined {
  if (process.getuid?.() !== 0) return "building images with Buildah's chroot isolation takes root";
  for (const program of ["buildah", "mmdebstrap", "skopeo", "gpg"])
    if (!commandExists(program)) return `${program} is not installed`;
  for (const path of [checkout, packages, wheels, sources])
    if (path === undefined || !existsSync(path))
      return "SPACKTAINERS_TEST_SPACK names no folder with a Spack";
  return dockerRegistryTrouble() ?? (hasS3Server() ? undefined : "no S3 server (moto) is installed");
}

export const trouble = troubleHere();

/** Longest that a step may take, in milliseconds. */
export const patience = 40 * 60_000;

export const password = "canary-registry-password-7f3a91";

export const passphrase = "canary-passphrase-b20c4e";

export let work: Workplace;

export let registry: RealRegistry;

export let s3: S3Server;

export let mirror: FolderServer;

export let git: GitServer;

export let env: NodeJS.ProcessEnv;

export const before = { ...process.env };

/** Runs a program to its end. */
export function tool(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: work.directory,
    env,
    encoding: "utf8",
    maxBuffer: 2 ** 27,
    timeout: patience,
  });
  expect(status, `${program} ${args.join(" ")}\n${stdout.slice(-3000)}${stderr.slice(-3000)}`).toBe(0);
  return stdout.trim();
}

export const spacktainers = (...words: readonly string[]) => work.run(words, { env });

/** The folder that the documentation describes. */
export function makeProject(name: string, from: readonly [string, string]): string {
  const folder = work.path(name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, "Dockerfile"),
    `FROM ${from[0]} AS builder\nFROM ${from[1]} AS runtime\nCOPY --from=builder /etc/debian_version /etc/debian_version\n`,
  );
  writeFileSync(
    join(folder, "spack.yaml"),
    `spack:
  specs:
  - tree@2.1.0
  - bzip2@1.0.8 ~debug
  packages:
    mpi: {require: mpich}
  mirrors:
    sources: {url: "${mirror.url}", source: true, binary: false}
`,
  );
  return folder;
}

/** Builds, and looks at every process of the machine meanwhile. @returns what was said, and all command lines that were seen */
export async function build(program: "buildah" | "podman", folder: string, ...args: readonly string[]) {
  const argv = ["build", "--format=docker", "--isolation=chroot", ...args, folder];
  const child = spawn(program, argv, { env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
  const seen = new Set<string>();
  const looking = setInterval(() => {
    for (const pid of readdirSync("/proc"))
      if (/^\d+$/.test(pid))
        try {
          seen.add(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
        } catch {
          // It has ended.
        }
  }, 20);
  const status = await new Promise((done) => child.once("close", done));
  clearInterval(looking);
  expect(status, said.slice(-4000)).toBe(0);
  return { said, commands: [...seen] };
}

/** Runs a program of an image. */
export function inside(image: string, ...command: readonly string[]): string {
  const container = tool("buildah", "from", image);
  try {
    return tool("buildah", "run", "--isolation=chroot", container, "--", ...command);
  } finally {
    tool("buildah", "rm", container);
  }
}

if (trouble === undefined)
  beforeAll(async () => {
    const kept = process.env.SPACKTAINERS_TEST_IMAGES;
    registry = await startDockerRegistry({ users: { robot: password } });
    mirror = await startFolderServer(sources ?? "");
    s3 = await startS3Server("packages");
    git = await startGitServer({ packages: packages ?? "" });
    work = makeWorkplace(`base: {image: localhost/debian-for-tests:1}
spack:
  url: ${checkout}
  repos: [{url: ${git.url}/packages.git, ref: main, path: repos/spack_repo/builtin}]
  wheels: ${wheels}
  externals: [gmake, diffutils]
registries:
- {url: "http://${registry.host}", repository: "spacktainers/{name}", username: $ROBOT, password: $ROBOT_PASSWORD}
- {url: "http://${registry.host}", repository: "my-org/spack-{name}", username: $ROBOT, password: $ROBOT_PASSWORD}
`);
    env = {
      ...process.env,
      ...podmanEnvironment(kept ?? work.path("podman")),
      BUILDAH_ISOLATION: "chroot",
      REGISTRY_AUTH_FILE: work.path("auth.json"),
      ROBOT: "robot",
      ROBOT_PASSWORD: password,
    };
    // Its limits are for Podman's runtime.
    delete env.CONTAINERS_CONF;
    writeFileSync(work.path("auth.json"), "{}");
    for (const name of ["builder", "runtime"])
      cpSync(join(demoRepository, name), work.path(name), { recursive: true });
    if (
      spawnSync("buildah", ["inspect", "--type", "image", "localhost/debian-for-tests:1"], {
        env,
        timeout: 60_000,
      }).status === 0
    )
      return;
    tool("mmdebstrap", "--quiet", "--variant=minbase", "bookworm", work.path("debian.tar"));
    const container = tool("buildah", "from", "scratch");
    tool("buildah", "add", "--quiet", container, work.path("debian.tar"), "/");
    tool("buildah", "commit", "--quiet", "--rm", container, "localhost/debian-for-tests:1");
  }, patience);

if (trouble === undefined)
  afterAll(async () => {
    process.env = before;
    await Promise.all([registry?.close(), mirror?.close(), s3?.close(), git?.close()]);
    work?.remove();
  });

/** Podman's settings: what listens on this machine is reached. */
export const podmanEnv = (): NodeJS.ProcessEnv => {
  const settings = podmanEnvironment(process.env.SPACKTAINERS_TEST_IMAGES ?? work.path("podman"));
  const file = settings.CONTAINERS_CONF ?? "";
  writeFileSync(file, readFileSync(file, "utf8").replace("[containers]", '[containers]\nnetns = "host"'));
  return { ...env, ...settings };
};

/** Makes a key with a passphrase, in the files `key`, `key.pub` and `passphrase`. @returns the folder of GnuPG that has it */
export function makeSigningKey(): string {
  const home = work.path("gnupg");
  mkdirSync(home, { mode: 0o700 });
  const gpg = ["--homedir", home, "--batch", "--pinentry-mode=loopback", "--passphrase", passphrase];
  tool("gpg", ...gpg, "--quick-generate-key", "Tester <t@example.invalid>", "rsa3072", "sign", "never");
  writeFileSync(work.path("key"), tool("gpg", ...gpg, "--armor", "--export-secret-keys"));
  writeFileSync(work.path("key.pub"), tool("gpg", ...gpg, "--armor", "--export"));
  writeFileSync(work.path("passphrase"), `${passphrase}\n`);
  spawnSync("gpgconf", ["--homedir", home, "--kill", "all"], { timeout: 60_000 });
  return home;
}

/** Lets the S3 server ask for credentials, which the file `aws` has. */
export async function requireCredentials() {
  const user = await s3.requireUser();
  writeFileSync(
    work.path("aws"),
    `[default]\naws_access_key_id = ${user.accessKeyId}\naws_secret_access_key = ${user.secretAccessKey}\n`,
  );
  return user;
}
