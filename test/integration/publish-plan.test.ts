import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateSigningKey } from "../../src/supply/signingKey.ts";
import { type CommandResult, emptyMachine, makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";

const onlyRing = "spack:\n  specs:\n  - ring\n";

interface Plan {
  readonly upToDate: boolean;
  readonly layers: readonly { readonly whereabouts: string; readonly size?: number }[];
  readonly download: { readonly archives: number };
  readonly push?: readonly {
    readonly repository: string;
    readonly tags: readonly string[];
    readonly upToDate: boolean;
    readonly error?: string;
    readonly layers: { readonly there: number; readonly mounted: number; readonly sent: number };
    readonly bytes: number;
    readonly unknown: number;
  }[];
}

function planOf(result: CommandResult): Plan {
  expect(result.status, result.stdout + result.stderr).toBe(0);
  return jsonLines(result).at(-1) as unknown as Plan;
}

describe("plan for a push", () => {
  let registry: FakeRegistry;
  let work: Workplace;
  beforeEach(async () => {
    registry = await startFakeRegistry();
    work = makeWorkplace();
    makeDemoRepository(work);
    appendFileSync(work.path("spacktainers.yaml"), `registries: [{url: "${registry.host}/org"}]\n`);
  });
  afterEach(async () => {
    work.remove();
    await registry.close();
  });

  it("tells what would be sent, and that nothing would be once it is published", async () => {
    const before = planOf(await work.run(["--json", "plan"]));
    expect(before.push).toMatchObject([
      {
        repository: `${registry.host}/org/hello-mpi`,
        tags: ["1.0.0", "latest"],
        upToDate: false,
        layers: { there: 0, mounted: 0, sent: 4 },
        bytes: 0,
        unknown: 4,
      },
    ]);
    expect((await work.run(["push", "--json"])).status).toBe(0);
    const after = planOf(await work.run(["--json", "plan"], emptyMachine(work)));
    expect(after.push).toMatchObject([{ upToDate: true, layers: { there: 4, sent: 0 }, bytes: 0 }]);
    expect(after.layers.map(({ whereabouts }) => whereabouts)).toEqual(["registry", "registry", "registry"]);
    expect(after.layers.every(({ size }) => size !== undefined && size > 0)).toBe(true);
    // A build makes them all the same.
    expect(after).toMatchObject({ upToDate: false, install: { packages: 3 } });
    const text = (await work.run(["-q", "plan"], emptyMachine(work))).stdout;
    expect(text).toMatch(/^ {2}push +127\.0\.0\.1:\d+\/org\/hello-mpi:1\.0\.0,latest {2}up to date$/m);
    expect(text).toContain("3 to make (3 of them published: push refers to these)");
  });

  it("takes no credentials, as nothing does that only asks; what publishes refuses to begin", async () => {
    expect((await work.run(["push", "--json"])).status).toBe(0);
    const configured = readFileSync(work.path("spacktainers.yaml"), "utf8");
    const secrets = "username: $PUSH_USER, password: $PUSH_TOKEN";
    writeFileSync(
      work.path("spacktainers.yaml"),
      configured.replace(`{url: "${registry.host}/org"}`, `{url: "${registry.host}/org", ${secrets}}`),
    );
    const warned = /warning {2}the variable PUSH_USER, .* is not set: the credentials of this machine/;
    const image = `docker://${registry.host}/org/hello-mpi`;
    for (const args of [
      ["plan"],
      ["rebase", "--dry-run", "hello-mpi"],
      ["sbom", image],
      ["explain", image],
      ["diff", image, image],
    ]) {
      const asked = await work.run(args, emptyMachine(work));
      expect(asked.status, args.join(" ") + asked.stderr).toBe(0);
      expect(asked.stderr, args.join(" ")).toMatch(warned);
    }
    const plan = planOf(await work.run(["--json", "plan"], emptyMachine(work)));
    expect(plan.push).toMatchObject([{ upToDate: true, layers: { there: 4, sent: 0 } }]);
    for (const args of [
      ["push"],
      ["rebase", "hello-mpi", "--base", "scratch"],
      ["sign", image, "--key", "env://KEY"],
    ]) {
      const key = (await generateSigningKey("")).privateKey;
      const refused = await work.run(args, { env: { KEY: key, COSIGN_PASSWORD: "" } });
      expect(refused.status, args.join(" ") + refused.stderr).toBe(3);
      expect(refused.stdout + refused.stderr).toMatch(/the variable PUSH_USER, .* is not set/);
    }
  });

  it("counts what comes true when it is pushed", async () => {
    expect((await work.run(["push", "--json"])).status).toBe(0);
    const folder = "container_definitions/amd64/only-ring";
    mkdirSync(work.path(folder));
    writeFileSync(work.path(folder, "spack.yaml"), onlyRing);
    const machine = emptyMachine(work);
    const plan = planOf(await work.run(["--json", "plan", "only-ring"], machine));
    expect(plan.push).toMatchObject([{ layers: { there: 0, mounted: 3, sent: 1 }, unknown: 1 }]);
    const pushed = jsonLines(await work.run(["push", "only-ring", "--json"], machine)).at(-1);
    expect(pushed).toMatchObject({ layers: { mounted: 3, uploaded: 1 } });
    // The sizes of what was built are known.
    expect((await work.run(["build", "--json"])).status).toBe(0);
    const other = await startFakeRegistry();
    try {
      writeFileSync(
        work.path("spacktainers.yaml"),
        `caches:\n- {url: cache, trust: [cache.pub]}\nbase: {scratch: true}\nlinkage: {allow-unresolved: ["*"]}\nregistries: [{url: "${other.host}/org"}, {url: "${registry.host}/org"}]\n`,
      );
      const both = planOf(await work.run(["--json", "plan", "hello-mpi"]));
      expect(both.push).toMatchObject([
        { layers: { there: 0, sent: 4 }, unknown: 1 },
        { upToDate: true, layers: { there: 4, sent: 0 } },
      ]);
      const size = both.layers.reduce((sum, layer) => sum + (layer.size ?? 0), 0);
      expect(both.push?.[0]?.bytes).toBe(size);
    } finally {
      await other.close();
    }
  });

  it("warns of a registry that cannot be asked, and asks none when told so", async () => {
    registry.behaviour.guard = () => 'Basic realm="private"';
    const warned = await work.run(["-q", "plan"]);
    expect(warned.status).toBe(0);
    expect(warned.stderr + warned.stdout).toMatch(/warning {2}127\.\S+ cannot be reached: .*--no-registry/);
    expect(warned.stdout).toMatch(/^ {2}push +\S+ {2}cannot be reached$/m);
    const before = registry.requests.length;
    const plan = planOf(await work.run(["--json", "plan", "--no-registry"]));
    expect(plan.push).toBeUndefined();
    expect(registry.requests).toHaveLength(before);
  });
});
