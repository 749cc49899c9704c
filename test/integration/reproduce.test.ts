import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type CommandResult,
  debianTrouble,
  demoRepository,
  makeWorkplace,
  type Workplace,
} from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { patchedBase, rebasingPlace } from "../support/rebasing.ts";
import { makeKey } from "../support/signingKey.ts";

interface Reproduced {
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

function resultOf({ stdout, stderr }: CommandResult): Reproduced {
  const line = stdout.trim().split("\n").at(-1) ?? "";
  expect(line, stderr + stdout).toContain('"result"');
  return JSON.parse(line) as Reproduced;
}

describe("reproduce of images in a registry", () => {
  let registry: FakeRegistry;
  let work: Workplace;
  const reference = (): string => `${registry.host}/org/spack-hello-mpi:1.0.0`;
  /** Another machine: a cache home of its own, another number of threads. */
  const elsewhere = (...args: readonly string[]): Promise<CommandResult> =>
    work.run(["reproduce", "--json", ...args], {
      env: { XDG_CACHE_HOME: work.path(`home-${Math.random().toString(36).slice(2)}`) },
    });
  beforeAll(async () => {
    registry = await startFakeRegistry();
    work = rebasingPlace(registry.host, { more: "image: {vendor: us, labels: {org.example.x: y}}\n" });
    const pushed = await work.run(["push", "--json"]);
    expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
  });
  afterAll(async () => {
    work.remove();
    await registry.close();
  });

  it("gives the same digest, on one thread, from the image alone", async () => {
    rmSync(work.path("container_definitions"), { recursive: true });
    const ran = await elsewhere(reference(), "--jobs", "1");
    const result = resultOf(ran);
    expect(result.differences).toEqual([]);
    expect(result).toMatchObject({ reproduced: true, made: result.digest });
    expect(ran.status).toBe(0);
  });

  it("leaves nothing in the working folder", () => {
    expect(readdirSync(work.directory).filter((name) => name.startsWith("dist"))).toEqual([]);
  });

  it("names the OS packages and files of a base that has moved", async () => {
    writeFileSync(work.path("moved.tar"), patchedBase);
    const ran = await elsewhere(reference(), "--base", `rootfs:${work.path("moved.tar")}`);
    const { reproduced, made, digest, differences } = resultOf(ran);
    expect(ran.status).toBe(1);
    expect(reproduced).toBe(false);
    expect(made).not.toBe(digest);
    expect(differences).toContainEqual({
      kind: "os-package",
      subject: "libc6",
      message: "was 2.36-9+deb12u8, is 2.36-9+deb12u9",
      reason: "the base is now a different one",
    });
    expect(differences.some(({ subject }) => subject === "layer 1, of the base")).toBe(true);
    expect(
      differences.some(({ kind, subject }) => kind === "file" && subject.includes("libextra.so.1")),
    ).toBe(true);
    // The packages are what they were.
    expect(differences.some(({ subject }) => subject.includes("mpich@"))).toBe(false);
  });

  it("names the package that a cache has no more", async () => {
    const folder = work.path("cache/v3/manifests/spec/mpich");
    const kept = work.path("pruned");
    renameSync(folder, kept);
    try {
      const ran = await elsewhere(reference());
      const { made, differences } = resultOf(ran);
      expect(ran.status).toBe(1);
      expect(made).toBeUndefined();
      expect(differences).toHaveLength(1);
      expect(differences[0]?.message).toContain("mpich@4.0.2");
      expect(differences[0]?.reason).toContain("pruned");
      const text = await work.run(["reproduce", reference()], {
        env: { XDG_CACHE_HOME: work.path("home-text") },
      });
      expect(text.stdout).toContain("cannot be made again");
    } finally {
      renameSync(kept, folder);
    }
  });

  it("names the key that is gone", async () => {
    writeFileSync(work.path("other.pub"), (await makeKey()).armored);
    const configuration = readFileSync(work.path("spacktainers.yaml"), "utf8");
    writeFileSync(work.path("spacktainers.yaml"), configuration.replace("cache.pub", "other.pub"));
    try {
      const { differences } = resultOf(await elsewhere(reference()));
      expect(differences[0]?.reason).toContain("the key that signed it is not trusted here");
    } finally {
      writeFileSync(work.path("spacktainers.yaml"), configuration);
    }
  });
});

const trouble = debianTrouble();

describe.skipIf(trouble !== undefined)(
  `reproduce of images on Debian packages (${trouble ?? "Debian archive"})`,
  () => {
    const work = makeWorkplace();
    afterAll(() => work.remove());
    const options = [
      "--cache",
      join(demoRepository, "demo/cache"),
      "--trust",
      join(demoRepository, "demo/cache.pub"),
    ];

    it("gives the same digests, of layouts and archives, stripped or not, from a second cache home", async () => {
      mkdirSync(work.path("ring"));
      writeFileSync(work.path("ring/spack.yaml"), "spack:\n  specs: [ring, mpich]\n");
      const second = { env: { XDG_CACHE_HOME: work.path("second") } };
      for (const [output, more] of [
        ["oci:plain", []],
        ["oci-archive:whole.tar", ["--no-strip", "--keep-metadata"]],
      ] as const) {
        const built = await work.run(["build", "ring", ...options, "--output", output, ...more]);
        expect(built.status, built.stderr).toBe(0);
        const ran = await work.run(["reproduce", output, ...options, "--jobs", "1", "--json"], second);
        const result = resultOf(ran);
        expect(result.differences).toEqual([]);
        expect(result.reproduced).toBe(true);
      }
    });

    it.skipIf(!commandExists("mksquashfs"))("refuses what does not say what it was made from", async () => {
      const sif = await work.run(["sif", "oci:plain", "--output", "plain.sif"]);
      expect(sif.status, sif.stderr).toBe(0);
      const ran = await work.run(["reproduce", "plain.sif", ...options]);
      expect(ran.status).toBe(1);
      expect(ran.stderr).toContain("does not record what it was made from");
    });
  },
);
