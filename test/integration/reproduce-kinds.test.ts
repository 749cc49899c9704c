/** `reproduce` of published images of several kinds, on a machine that has nothing of the first one and one processor in place of several. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeSigningKey, startArchive, type TestArchive } from "../base/makeArchive.ts";
import { openRepository } from "../registry/open.ts";
import { binary, type CommandResult, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { oldBase, patchedBase, rebasingPlace } from "../support/rebasing.ts";
import { putIndex } from "../support/remoteImage.ts";

interface Reproduced {
  readonly arch: string;
  readonly digest: string;
  readonly made?: string;
  readonly reproduced: boolean;
  readonly differences: readonly {
    readonly kind: string;
    readonly subject: string;
    readonly message: string;
    readonly reason?: string;
  }[];
}

/** Milliseconds that one command may take. */
const patience = 120_000;
const library = (version: string, text: string) => ({
  name: "libtest1",
  version,
  files: [{ path: "usr/lib/x86_64-linux-gnu/libtest.so.1", content: text }],
});

describe("published images, made again elsewhere", () => {
  let registry: FakeRegistry;
  let archive: TestArchive;
  let work: Workplace;
  let homes = 0;

  beforeAll(async () => {
    registry = await startFakeRegistry();
    const key = await makeSigningKey();
    archive = await startArchive(key);
    await archive.publish("bookworm", [library("1.0-1", "one")]);
    work = rebasingPlace(undefined);
    writeFileSync(work.path("archive.asc"), key.publicKey);
  });
  afterAll(async () => {
    work.remove();
    await archive.close();
    await registry.close();
  });

  const configuration = (repository: string, base: string, more = ""): string =>
    `caches:\n- {url: cache, trust: [cache.pub]}\nbase: ${base}\nlinkage: {allow-unresolved: ["*"]}\nregistries: [{url: "${registry.host}/org", repository: "${repository}"}]\n${more}`;

  /** Publishes what is defined, with several threads. */
  async function publish(
    repository: string,
    base: string,
    more = "",
    ...args: readonly string[]
  ): Promise<string> {
    writeFileSync(work.path("spacktainers.yaml"), configuration(repository, base, more));
    const pushed = await work.run(["push", "--json", "--jobs", "4", ...args], {
      env: { UV_THREADPOOL_SIZE: "8" },
    });
    expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
    return `${registry.host}/org/${repository}`;
  }

  /** On one processor, from a cache home of its own. */
  async function again(...args: readonly string[]): Promise<Reproduced & Pick<CommandResult, "status">> {
    const command = [process.execPath, binary, "reproduce", "--json", "--jobs", "1", ...args];
    const [program = "", ...rest] = commandExists("taskset") ? ["taskset", "-c", "0", ...command] : command;
    const env = {
      ...process.env,
      XDG_CACHE_HOME: work.path(`home-${homes++}`),
      UV_THREADPOOL_SIZE: "1",
      TZ: "Asia/Kathmandu",
    };
    return new Promise((done, fail) => {
      const ended = (error: Error | null, stdout: string, stderr: string): void => {
        const line = stdout.trim().split("\n").at(-1) ?? "";
        if (!line.includes('"result"')) fail(new Error(`${error?.message}\n${stdout}${stderr}`));
        else done({ status: error === null ? 0 : 1, ...(JSON.parse(line) as Reproduced) });
      };
      execFile(
        program,
        rest,
        { cwd: work.directory, env, timeout: patience, encoding: "utf8", maxBuffer: 2 ** 26 },
        ended,
      );
    });
  }

  const same = { status: 0, reproduced: true, differences: [] };

  it("with an epilogue, on a root file system, compressed with zstd: the same digest", async () => {
    const folder = work.path("container_definitions/amd64/hello-mpi");
    const epilogue = `${folder}/Dockerfile.epilogue`;
    writeFileSync(epilogue, "COPY motd /etc/motd\nENV GREETING=hello\nWORKDIR /work\n");
    writeFileSync(`${folder}/motd`, "welcome\n");
    const image = await publish(
      "with-epilogue",
      "{rootfs: base.tar}",
      "layers: {compression: zstd, level: 7}\nimage: {vendor: us}\n",
    );
    // What is configured elsewhere is another compression.
    writeFileSync(work.path("spacktainers.yaml"), configuration("with-epilogue", "{rootfs: base.tar}"));
    const result = await again(`${image}:1.0.0`);
    expect(result).toMatchObject({ ...same, made: result.digest });
    writeFileSync(epilogue, "COPY motd /etc/motd\nENV GREETING=bye\nWORKDIR /work\n");
    const { differences, status } = await again(`${image}:1.0.0`);
    expect(status).toBe(1);
    expect(differences).toContainEqual(
      expect.objectContaining({
        kind: "configuration",
        subject: "variable GREETING",
        message: 'was "hello", is "bye"',
      }),
    );
    expect(differences.some(({ subject }) => subject.includes("motd"))).toBe(false);
    writeFileSync(`${folder}/motd`, "others are welcome\n");
    const other = await again(`${image}:1.0.0`);
    expect(other.differences).toContainEqual(
      expect.objectContaining({
        subject: expect.stringMatching(/^layer \d, of the epilogue$/),
        reason: expect.stringContaining("the epilogue here differs"),
      }),
    );
    expect(other.differences).toContainEqual(expect.objectContaining({ kind: "file", subject: "/etc/motd" }));
    rmSync(epilogue);
    rmSync(`${folder}/motd`);
  });

  it("on an image of a registry, for several architectures: the same digests, whatever its tag is now", async () => {
    const definitions = work.path("container_definitions");
    cpSync(`${definitions}/amd64/hello-mpi/spack.yaml`, work.path("arm64.yaml"));
    mkdirSync(`${definitions}/arm64/hello-mpi`, { recursive: true });
    cpSync(work.path("arm64.yaml"), `${definitions}/arm64/hello-mpi/spack.yaml`);
    const { repository } = openRepository(`${registry.host}/base/small`);
    const [first] = await putIndex(repository, "2", [
      { layers: [oldBase], config: { Env: ["PATH=/bin", "OF_BASE=yes"] } },
      { layers: [patchedBase], architecture: "arm64" },
    ]);
    const base = `${registry.host}/base/small:2`;
    const image = await publish("on-image", `{image: "${base}"}`);
    // The tag moves on.
    await putIndex(repository, "2", [
      { layers: [patchedBase] },
      { layers: [oldBase], architecture: "arm64" },
    ]);
    for (const arch of ["amd64", "arm64"]) {
      const result = await again(`${image}:1.0.0`, "--arch", arch);
      expect(result).toMatchObject({ ...same, arch, made: result.digest });
    }
    // On what it is now, the image is another one, and it is said why.
    const moved = await again(`${image}:1.0.0`, "--arch", "amd64", "--base", `image:${base}`);
    expect(moved.reproduced).toBe(false);
    expect(moved.differences).toContainEqual(
      expect.objectContaining({
        kind: "os-package",
        subject: "libc6",
        reason: "the base is now a different one",
      }),
    );
    // And where the base is in the registry no more, that is said.
    registry.manifests.get("base/small")?.delete(first?.digest ?? "");
    const gone = await again(`${image}:1.0.0`, "--arch", "amd64");
    expect(gone).toMatchObject({ status: 1, reproduced: false });
    expect(gone.made).toBeUndefined();
    expect(gone.differences[0]?.message).toContain("base/small");
  });

  it("on Debian's packages: the same digest after others have come, a named one when those are gone", async () => {
    const base = `{debian: bookworm, packages: [libtest1], complete: false, mirror: "${archive.url}", security-mirror: "${archive.url}", keyring: [archive.asc]}`;
    const image = await publish("on-debian", base, "", "--arch", "amd64");
    await archive.publish("bookworm", [library("1.0-2", "two")]);
    expect(await again(`${image}:1.0.0`, "--arch", "amd64")).toMatchObject(same);
    for (const path of archive.files.keys()) if (path.includes("1.0-1")) archive.files.delete(path);
    const { differences, made, status } = await again(`${image}:1.0.0`, "--arch", "amd64");
    expect(status).toBe(1);
    expect(made).toBeUndefined();
    expect(differences[0]).toMatchObject({ kind: "os-package", subject: "libtest1 1.0-1" });
    expect(differences[0]?.message).toContain("libtest1_1.0-1_amd64.deb: there is no such file");
    expect(differences[0]?.reason).toContain("the archive no longer has it");
  });
});
