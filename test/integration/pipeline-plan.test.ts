import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type CommandResult, makeWorkplace, type Workplace } from "../support/cli.ts";
import { digestOfBuild, expectRefusal, jsonLines } from "../support/cliChecks.ts";
import { corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { hasNginx, startNginx } from "../support/staticServer.ts";

interface Layer {
  readonly key: string;
  readonly whereabouts: string;
  readonly size?: number;
  readonly inImage: boolean;
  readonly packages: readonly {
    readonly name: string;
    readonly whereabouts: string;
    readonly archive: { readonly size?: number; readonly local: boolean };
    readonly change?: { readonly kind: string; readonly was?: string };
  }[];
}

interface Plan {
  readonly upToDate: boolean;
  readonly base: { readonly whereabouts: string; readonly layers: number };
  readonly layers: readonly Layer[];
  readonly removed: readonly { readonly name: string }[];
  readonly download: { readonly archives: number; readonly bytes: number; readonly unknown: number };
  readonly install: { readonly packages: number; readonly bytes: number };
}

interface ManifestLayer {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

function workplace(): Workplace {
  const work = makeWorkplace();
  places.push(work);
  return work;
}

function planOf(result: CommandResult): Plan {
  expect(result.status, result.stdout + result.stderr).toBe(0);
  return jsonLines(result).at(-1) as unknown as Plan;
}

/** The layers of the image in an OCI layout. */
function layersOf(layout: string): readonly ManifestLayer[] {
  const [descriptor] = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests;
  const blob = join(layout, "blobs/sha256", descriptor.digest.slice("sha256:".length));
  return JSON.parse(readFileSync(blob, "utf8")).layers;
}

describe("plan", () => {
  it("tells what a build would do, does nothing of it, and what it tells comes true", async () => {
    const work = workplace();
    makeDemoRepository(work);
    const before = planOf(await work.run(["--json", "plan", "hello-mpi"]));
    expect(before.upToDate).toBe(false);
    expect(before.base).toMatchObject({ whereabouts: "local", layers: 0 });
    expect(before.layers.map(({ whereabouts }) => whereabouts)).toEqual(["to make", "to make", "to make"]);
    expect(before.layers.flatMap(({ packages }) => packages.map(({ name }) => name))).toEqual([
      "gcc-runtime",
      "mpich",
      "ring",
    ]);
    expect(before.install.packages).toBe(3);
    expect(before.install.bytes).toBeGreaterThan(1_000_000);
    // The cache is a folder of this machine.
    expect(before.download).toEqual({ archives: 0, bytes: 0, unknown: 0 });
    for (const made of ["dist", "cache-home/spacktainers/fragments", "cache-home/spacktainers/downloads"])
      expect(existsSync(work.path(made)), made).toBe(false);

    const built = await work.run(["--json", "build", "hello-mpi"]);
    digestOfBuild(built);
    const image = layersOf(work.path("dist/amd64/hello-mpi"));
    const keys = image.flatMap(({ annotations }) => annotations?.["dev.spacktainers.layer.keys"] ?? []);
    expect(keys).toEqual(before.layers.map(({ key }) => key));

    const after = planOf(await work.run(["--json", "plan", "hello-mpi"]));
    expect(after).toMatchObject({ upToDate: true, install: { packages: 0, bytes: 0 } });
    expect(after.layers.every(({ whereabouts, inImage }) => whereabouts === "local" && inImage)).toBe(true);
    expect(after.layers.map(({ key }) => key)).toEqual(keys);
    expect((await work.run(["-q", "plan"])).stdout).toMatch(/^hello-mpi 1\.0\.0 amd64 .*\(up to date\)$/m);
  });

  it("says why: options that changed, and what is no longer kept", async () => {
    const work = workplace();
    makeDemoRepository(work);
    digestOfBuild(await work.run(["--json", "build", "hello-mpi"]));
    const unstripped = planOf(await work.run(["--json", "plan", "hello-mpi", "--no-strip"]));
    expect(unstripped.upToDate).toBe(false);
    expect(unstripped.layers.flatMap(({ packages }) => packages.map(({ change }) => change?.kind))).toEqual([
      "reinstalled",
      "reinstalled",
      "reinstalled",
    ]);
    rmSync(work.path("cache-home/spacktainers/fragments"), { recursive: true });
    const text = (await work.run(["-q", "plan", "hello-mpi", "--allow-unresolved", "x"])).stdout;
    expect(text).toMatch(/^ {2}\+ {2}mpich@4\.0\.2 .* unchanged, but no longer kept on this machine$/m);
    expect(text).toMatch(/^ {2}install +3 packages, \d/m);
  });

  it("tells what layers it would join when the budget is too small for one a package", async () => {
    const work = workplace();
    makeDemoRepository(work);
    digestOfBuild(await work.run(["--json", "build", "hello-mpi"]));
    const configuration = readFileSync(work.path("spacktainers.yaml"), "utf8");
    writeFileSync(work.path("spacktainers.yaml"), `${configuration}layers: {budget: 2}\n`);
    const plan = planOf(await work.run(["--json", "plan", "hello-mpi"]));
    expect(plan.layers).toHaveLength(1);
    expect(plan.layers[0]).toMatchObject({ whereabouts: "to make", inImage: false });
    expect(plan.install.packages).toBe(0);
    const text = (await work.run(["-q", "plan", "hello-mpi"])).stdout;
    expect(text).toContain("3 packages share 1 of them");
    expect(text).toMatch(/gcc-runtime@12\.2\.0 mpich@4\.0\.2 ring@1\.0\.0 .* another grouping of layers$/m);
    digestOfBuild(await work.run(["--json", "build", "hello-mpi"]));
    const after = planOf(await work.run(["--json", "plan", "hello-mpi"]));
    expect(after).toMatchObject({
      upToDate: true,
      layers: [{ key: plan.layers[0]?.key, whereabouts: "local" }],
    });
  });

  it.skipIf(!hasNginx())("counts what would be downloaded, and downloads none of it", async () => {
    const work = workplace();
    makeDemoRepository(work);
    const server = await startNginx(work.path("cache"));
    try {
      const run = () =>
        work.run(["--json", "plan", "hello-mpi", "--cache", server.url, "--trust", "cache.pub"]);
      const plan = planOf(await run());
      expect(plan.download.archives).toBe(3);
      expect(plan.download.bytes).toBe(plan.install.bytes);
      expect(existsSync(work.path("cache-home/spacktainers/downloads/sha256"))).toBe(false);
      // Beginnings of archives are read, to see where their packages were installed.
      const sizes = (await server.log()).map((line) => Number(line.split(" ")[3]));
      expect(Math.max(...sizes)).toBeLessThan(plan.download.bytes / 2);
      digestOfBuild(
        await work.run(["--json", "build", "hello-mpi", "--cache", server.url, "--trust", "cache.pub"]),
      );
      rmSync(work.path("cache-home/spacktainers/fragments"), { recursive: true });
      expect(planOf(await run())).toMatchObject({ download: { archives: 0 }, install: { packages: 3 } });
    } finally {
      await server.close();
    }
  });

  it("plans for the containers that can be planned for, and names what is wrong with the others", async () => {
    const work = workplace();
    makeDemoRepository(work);
    mkdirSync(work.path("container_definitions/amd64/nothing"));
    writeFileSync(
      work.path("container_definitions/amd64/nothing/spack.yaml"),
      "spack:\n  specs: [no-such-package]\n",
    );
    const result = await work.run(["-q", "plan"]);
    expect(result.stdout).toMatch(/^hello-mpi 1\.0\.0 amd64 {2}3 packages in 3 layers on scratch$/m);
    expect(result.stderr).toMatch(/nothing\/spack\.yaml:2:\d+ {2}error {2}NO_SOLUTION {2}/);
    expect(result.status).toBe(3);
    expectRefusal(await work.run(["-q", "plan", "nothing"]), { code: "NO_SOLUTION", status: 3 });
    expectRefusal(await work.run(["-q", "plan", "hello-mpi", "--frozen"]), {
      code: "LOCK_STALE",
      status: 3,
      count: 2,
    });
  });
});

describe.skipIf(!hasCorpusCaches)(
  `layers of the corpus${hasCorpusCaches ? "" : " (skipped: ../shared/corpus is not there)"}`,
  () => {
    const manifest = (version: string): string =>
      readFileSync(join(corpusPath, "installed/spack.yaml"), "utf8").replace(
        /^ {2}- py-ring$/m,
        `  - py-ring@${version}`,
      );
    const cache = ["--cache", join(corpusPath, "v2"), "--trust", join(corpusPath, "cache.pub")];

    // With the usual budget every package has a layer; with the small one, most share theirs.
    it.each([60, 9])(
      "a new version of one leaf changes its layer and the top layer (budget %d)",
      async (budget) => {
        const work = workplace();
        writeFileSync(
          work.path("spacktainers.yaml"),
          `base: {scratch: true}\nlinkage: {allow-unresolved: ["*"]}\nlayers: {budget: ${budget}}\n`,
        );
        const folder = work.path("container_definitions/amd64/installed");
        mkdirSync(folder, { recursive: true });
        const build = async (version: string): Promise<readonly ManifestLayer[]> => {
          writeFileSync(join(folder, "spack.yaml"), manifest(version));
          digestOfBuild(await work.run(["--json", "build", "installed", ...cache]));
          return layersOf(work.path("dist/amd64/installed"));
        };
        const before = await build("1.0.0");
        writeFileSync(join(folder, "spack.yaml"), manifest("1.0.1"));
        const plan = planOf(await work.run(["--json", "plan", "installed", ...cache]));
        const after = await build("1.0.1");

        expect(before.length).toBeLessThanOrEqual(budget);
        expect(after.length).toBe(before.length);
        const known = new Set(before.map(({ digest }) => digest));
        const fresh = after.filter(({ digest }) => !known.has(digest));
        expect(fresh).toHaveLength(2);
        expect(fresh[1]).toEqual(after.at(-1));
        expect(fresh[0]?.annotations?.["dev.spacktainers.layer.packages"]).toMatch(/(^| )py-ring@1\.0\.1\//);
        if (budget === 9)
          expect(
            before.some(({ annotations = {} }) => annotations["dev.spacktainers.layer.keys"]?.includes(" ")),
          ).toBe(true);

        // The plan said so beforehand.
        const toMake = plan.layers.filter(({ whereabouts }) => whereabouts === "to make");
        expect(toMake).toHaveLength(1);
        expect(plan.install.packages).toBe(1);
        expect(toMake[0]?.packages.filter(({ change }) => change?.kind !== "same")).toMatchObject([
          { name: "py-ring", change: { kind: "version", was: "1.0.0" } },
        ]);
        expect(plan.layers.filter(({ inImage }) => inImage)).toHaveLength(before.length - 2);
      },
    );
  },
);
