import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { debianTrouble, type Workplace } from "../support/cli.ts";
import { digestOfBuild, expectRefusal, jsonLines } from "../support/cliChecks.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { bareMachine, patchedBase, rebaseRows, rebasingPlace } from "../support/rebasing.ts";
import { smallBase } from "../support/smallBase.ts";

const repository = "org/spack-hello-mpi";

const withoutLibm = smallBase({
  packages: { libc6: "2.36-10" },
  libraries: ["libc.so.6", "ld-linux-x86-64.so.2"],
});

describe("rebase of a published image", () => {
  let registry: FakeRegistry;
  let work: Workplace;
  beforeEach(async () => {
    registry = await startFakeRegistry();
    work = rebasingPlace(registry.host);
    const pushed = await work.run(["push", "--json"]);
    expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
  });
  afterEach(async () => {
    work.remove();
    await registry.close();
  });

  it("gives what a build of everything on the new base gives, from the image alone", async () => {
    writeFileSync(work.path("new.tar"), patchedBase);
    const machine = bareMachine(work);
    const before = registry.requests.length;
    const reference = `${registry.host}/${repository}:1.0.0`;
    const rebased = await work.run(
      ["rebase", reference, "--base", `rootfs:${work.path("new.tar")}`, "--tag", "patched", "--json"],
      machine,
    );
    expect(rebased.status, rebased.stdout + rebased.stderr).toBe(0);
    const [result] = rebaseRows(rebased);
    expect(result).toMatchObject({ upToDate: false, layers: 3 });
    expect(result?.changes).toEqual([
      { name: "libc6", before: "2.36-9+deb12u8", after: "2.36-9+deb12u9" },
      { name: "libgcc-s1", before: "12.2.0-14" },
      { name: "tzdata", after: "2025a" },
    ]);
    // The base and the top layer; those of the packages were not even asked for.
    expect(result?.pushed).toMatchObject([
      { tags: ["patched"], layers: { uploaded: 2, referenced: 3 }, failed: false },
    ]);
    const manifest = JSON.parse(registry.manifests.get(repository)?.get("patched")?.bytes.toString() ?? "{}");
    const packages: string[] = manifest.layers.flatMap(
      (layer: { digest: string; annotations?: Record<string, string> }) =>
        layer.annotations?.["dev.spacktainers.layer.keys"] === undefined ? [] : layer.digest,
    );
    expect(packages).toHaveLength(3);
    const asked = registry.requests.slice(before).map(({ path }) => path);
    for (const digest of packages) expect(asked.some((path) => path.includes(digest))).toBe(false);
    // The other tag stays what it was.
    expect(registry.manifests.get(repository)?.get("1.0.0")?.bytes).not.toEqual(
      registry.manifests.get(repository)?.get("patched")?.bytes,
    );

    writeFileSync(work.path("base.tar"), patchedBase);
    const built = digestOfBuild(
      await work.run(["--json", "build", "hello-mpi"], { env: bareMachine(work).env }),
    );
    expect(result?.digest).toBe(built);
    // So `push` finds it up to date.
    const pushed = await work.run(["push", "--json", "--tag", "patched"]);
    expect(jsonLines(pushed).at(-1)).toMatchObject({ upToDate: true, digest: built });
  });

  it("is refused where something would not run, and leaves the image as it is", async () => {
    writeFileSync(work.path("base.tar"), withoutLibm);
    const before = registry.manifests.get(repository)?.get("latest")?.bytes;
    for (const more of [[], ["--dry-run"]])
      expectRefusal(await work.run(["-q", "rebase", "hello-mpi", ...more]), {
        code: "LINKAGE_UNRESOLVED",
        status: 1,
      });
    expect(registry.manifests.get(repository)?.get("latest")?.bytes).toEqual(before);
  });

  it("rebases by the container's name, tells what would change beforehand, and does nothing twice", async () => {
    writeFileSync(work.path("base.tar"), patchedBase);
    const before = registry.manifests.get(repository)?.get("latest")?.bytes;
    const dry = await work.run(["-q", "rebase", "--dry-run"]);
    expect(dry.status, dry.stderr).toBe(0);
    expect(dry.stdout).toMatch(/^hello-mpi 1\.0\.0 amd64 {2}rootfs {2}3 layers of packages kept$/m);
    expect(dry.stdout).toMatch(/^ {4}libc6 2\.36-9\+deb12u8 -> 2\.36-9\+deb12u9$/m);
    expect(dry.stdout).toMatch(/^ {2}- libgcc-s1 12\.2\.0-14$/m);
    expect(registry.manifests.get(repository)?.get("latest")?.bytes).toEqual(before);
    const [first] = rebaseRows(await work.run(["rebase", "--json"]));
    expect(first).toMatchObject({
      upToDate: false,
      pushed: [{ tags: ["1.0.0", "latest"], layers: { referenced: 3, uploaded: 2 } }],
    });
    const [second] = rebaseRows(await work.run(["rebase", "--json"]));
    expect(second).toMatchObject({ upToDate: true, pushed: [{ upToDate: true, digest: first?.digest }] });
    expect((await work.run(["-q", "rebase"])).stdout).toContain("(up to date)");
  });

  it("writes the rebased image to this machine", async () => {
    const reference = `${registry.host}/${repository}:latest`;
    writeFileSync(work.path("new.tar"), patchedBase);
    const before = registry.manifests.get(repository)?.get("latest")?.bytes;
    const rebased = await work.run(
      ["rebase", reference, "--base", `rootfs:${work.path("new.tar")}`, "--output", "oci:copy", "--json"],
      bareMachine(work),
    );
    expect(rebased.status, rebased.stdout + rebased.stderr).toBe(0);
    const [result] = rebaseRows(rebased);
    expect(registry.manifests.get(repository)?.get("latest")?.bytes).toEqual(before);
    const outputs = (result as unknown as { outputs: { path: string }[] }).outputs;
    const index = JSON.parse(readFileSync(join(outputs[0]?.path ?? "", "index.json"), "utf8"));
    expect(index.manifests[0].digest).toBe(result?.digest);
  });

  it("refuses images that do not tell what they are made of, and records that are gone", async () => {
    const stored = registry.manifests.get(repository);
    const document = JSON.parse(stored?.get("latest")?.bytes.toString() ?? "{}");
    const foreign = { ...document, annotations: {} };
    registry.putManifest(repository, "foreign", foreign, document.mediaType);
    expectRefusal(await work.run(["-q", "rebase", `${registry.host}/${repository}:foreign`]), {
      code: "NOT_SUPPORTED",
      status: 1,
    });
    const broken = {
      ...document,
      annotations: { ...document.annotations, "dev.spacktainers.assembly": '{"root":"relative"}' },
    };
    registry.putManifest(repository, "broken", broken, document.mediaType);
    expectRefusal(await work.run(["-q", "rebase", `${registry.host}/${repository}:broken`]), {
      code: "ARCHIVE_INVALID",
      status: 1,
    });
    const record: string = document.layers[1].annotations["dev.spacktainers.layer.contents"].split(" ")[0];
    registry.blobs.get(repository)?.delete(record);
    const result = await work.run(["-q", "rebase", "hello-mpi"]);
    expect(result.stderr).toMatch(/error {2}NOT_FOUND {2}the contents of a layer/);
    expectRefusal(await work.run(["-q", "rebase", `${registry.host}/${repository}:missing`]), {
      code: "NOT_FOUND",
      status: 4,
    });
    const slip = await work.run(["-q", "rebase", "--base", "gentoo"]);
    expect(slip.stderr).toMatch(/^error {2}USAGE {2}--base gentoo is not a base$/m);
    expect(slip.status).toBe(2);
  });

  it("keeps to a locked base, and says so", async () => {
    writeFileSync(work.path("base.tar"), patchedBase);
    const locked = await work.run(["lock", "--json"]);
    expect(locked.status, locked.stdout + locked.stderr).toBe(0);
    const rebased = await work.run(["-q", "rebase"]);
    expect(rebased.stderr + rebased.stdout).toContain("the base is the locked one");
    expect(rebased.status).toBe(0);
  });
});

describe("rebase of a built image", () => {
  it("replaces it, and gives what a build gives", async () => {
    const work = rebasingPlace(undefined);
    try {
      digestOfBuild(await work.run(["--json", "build", "hello-mpi"]));
      writeFileSync(work.path("base.tar"), patchedBase);
      const [result] = rebaseRows(await work.run(["rebase", "hello-mpi", "--json"]));
      expect(result?.changes).toHaveLength(3);
      const built = await work.run(["--json", "build", "hello-mpi"]);
      expect(jsonLines(built).at(-1)).toMatchObject({ upToDate: true, digest: result?.digest });
      // Made anew elsewhere it is the same.
      rmSync(work.path("dist"), { recursive: true });
      expect(digestOfBuild(await work.run(["--json", "build"], { env: bareMachine(work).env }))).toBe(
        result?.digest,
      );
      const slip = await work.run(["-q", "rebase", "dist/amd64/hello-mpi"], bareMachine(work));
      expect(slip.stderr).toContain("UNKNOWN_CONTAINER");
      // What is in its layers was known where they were made.
      expectRefusal(await work.run(["-q", "rebase"], { env: bareMachine(work).env }), {
        code: "NOT_FOUND",
        status: 4,
      });
    } finally {
      work.remove();
    }
  });
});

const noDebian = debianTrouble();

describe.skipIf(noDebian !== undefined)(
  `rebase on Debian${noDebian === undefined ? "" : ` (skipped: ${noDebian})`}`,
  () => {
    it("is refused by a C library that is too old, and is what a build makes on a newer one", async () => {
      const registry = await startFakeRegistry();
      const work = rebasingPlace(registry.host);
      try {
        const file = work.path("spacktainers.yaml");
        const configure = (suite: string) =>
          writeFileSync(
            file,
            `caches:\n- {url: cache, trust: [cache.pub]}\nbase: {debian: ${suite}}\nregistries: [{url: "${registry.host}/org", repository: "spack-{name}"}]\n`,
          );
        configure("bookworm");
        const pushed = await work.run(["push", "--json"]);
        expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
        const refused = await work.run(["-q", "rebase", "--base", "debian:bullseye"]);
        expect(refused.stderr).toMatch(/LINKAGE_UNRESOLVED {2}.* needs? GLIBC_2\.34/);
        expect(refused.stderr).toMatch(/LIBC_TOO_OLD/);
        expect(refused.status).toBe(1);
        const rebased = await work.run(["rebase", "--base", "debian:trixie", "--json"]);
        const [result] = rebaseRows(rebased);
        expect(result, rebased.stdout).toMatchObject({ pushed: [{ layers: { referenced: 3 } }] });
        expect(result?.changes?.find(({ name }) => name === "libc6")).toMatchObject({
          before: expect.stringMatching(/^2\.36-/),
          after: expect.stringMatching(/^2\.41-/),
        });
        configure("trixie");
        expect(digestOfBuild(await work.run(["--json", "build"]))).toBe(result?.digest);
      } finally {
        work.remove();
        await registry.close();
      }
    });
  },
);

const trouble = dockerRegistryTrouble();

describe.skipIf(trouble !== undefined)(
  `rebase in Debian's registry${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let registry: RealRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry();
    });
    afterAll(() => registry.close());

    it("refers to the layers that are there", async () => {
      const work = rebasingPlace(registry.host);
      try {
        expect((await work.run(["push", "--json"])).status).toBe(0);
        writeFileSync(work.path("base.tar"), patchedBase);
        const rebased = await work.run(["rebase", "--json"], { env: bareMachine(work).env });
        expect(rebased.status, rebased.stdout + rebased.stderr).toBe(0);
        expect(rebaseRows(rebased)).toMatchObject([
          { upToDate: false, pushed: [{ layers: { uploaded: 2, referenced: 3 } }] },
        ]);
      } finally {
        work.remove();
      }
    });
  },
);
