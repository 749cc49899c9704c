import { appendFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";

interface Listed {
  readonly version?: string;
  readonly published?: readonly {
    readonly reference: string;
    readonly digest: string;
    readonly version?: string;
  }[];
}

const work = makeWorkplace();
let registry: FakeRegistry;

beforeAll(async () => {
  registry = await startFakeRegistry();
  makeDemoRepository(work);
  appendFileSync(work.path("spacktainers.yaml"), `registries: [{url: "${registry.host}/org"}]\n`);
});
afterAll(async () => {
  work.remove();
  await registry.close();
});

async function listed(...options: readonly string[]): Promise<Listed> {
  const result = await work.run(["list", "hello-mpi", "--arch", "amd64", "--json", ...options]);
  expect(result.status, result.stderr).toBe(0);
  return (jsonLines(result).at(-1) as { containers: readonly [Listed] }).containers[0];
}

describe("list", () => {
  it("asks nobody by itself: what is not built has no version, and what is published is not known", async () => {
    const { version, published } = await listed();
    expect({ version, published }).toEqual({ version: undefined, published: undefined });
    expect(registry.requests).toEqual([]);
  });

  it("knows with --remote which version a build would have, and what is published", async () => {
    expect(await listed("--remote")).toMatchObject({ version: "1.0.0", published: [] });
    expect((await work.run(["push", "hello-mpi", "--arch", "amd64", "--quiet"])).status).toBe(0);
    const { published = [] } = await listed("--remote");
    expect(published.map(({ reference, version }) => [reference, version])).toEqual([
      [`${registry.host}/org/hello-mpi:1.0.0`, "1.0.0"],
      [`${registry.host}/org/hello-mpi:latest`, "1.0.0"],
    ]);
    expect(new Set(published.map(({ digest }) => digest)).size).toBe(1);
    const { stdout } = await work.run(["list", "hello-mpi", "--arch", "amd64", "--remote"]);
    expect(stdout.split("\n").map((line) => line.split(/ {2,}/))).toMatchObject([
      ["NAME", "ARCH", "VERSION", "LOCK", "IMAGE", "PUBLISHED", "SPECS"],
      ["hello-mpi", "amd64", "1.0.0", "-", "-", "1.0.0", "ring, mpich"],
      [""],
    ]);
  });

  it("says which caches and registries do not answer, and lists all the same", async () => {
    // The discard port: nothing listens there.
    const other = makeWorkplace();
    try {
      makeDemoRepository(other, "http://127.0.0.1:9/cache");
      appendFileSync(other.path("spacktainers.yaml"), 'registries: [{url: "127.0.0.1:9/org"}]\n');
      const { status, stdout, stderr } = await other.run(["list", "--remote", "--quiet"]);
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining("hello-mpi") });
      expect(stderr.match(/ {2}warning {2}/g)).toHaveLength(1);
    } finally {
      other.remove();
    }
  });
});

describe("test without names", () => {
  it("tests what is built here: of nothing there is nothing to say", async () => {
    const place = makeWorkplace();
    try {
      makeDemoRepository(place);
      expect(await place.run(["test", "--with", "namespace"])).toEqual({
        status: 0,
        stdout: "nothing is built here yet\n",
        stderr: "",
      });
    } finally {
      place.remove();
    }
  });
});
