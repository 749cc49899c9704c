/** Servers that are not there: said once, not once a container and package, and not waited for again and again. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";

/** A port of this machine on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === "object" && address !== null ? address.port : 1;
}

const names = ["one", "two", "three", "four"];
let work: Workplace;
let port: number;
let configured: string;
beforeAll(async () => {
  port = await closedPort();
  work = makeWorkplace();
  makeDemoRepository(work);
  for (const name of names) {
    mkdirSync(work.path("container_definitions/amd64", name));
    writeFileSync(work.path("container_definitions/amd64", name, "spack.yaml"), "spack:\n  specs: [ring]\n");
  }
  configured = readFileSync(work.path("spacktainers.yaml"), "utf8");
});
afterAll(() => work?.remove());

const retries = (stdout: string) => jsonLines({ stdout }).filter(({ type }) => type === "retry");

describe("several containers", () => {
  it("are planned where the registry is dead: one line of a retry, a warning each", async () => {
    appendFileSync(work.path("spacktainers.yaml"), `registries: [{url: "127.0.0.1:${port}/org"}]\n`);
    const result = await work.run(["plan", "--json", ...names]);
    expect(result.status, result.stdout).toBe(0);
    expect(retries(result.stdout)).toHaveLength(1);
    const warnings = jsonLines(result).filter(({ type }) => type === "warning");
    expect(warnings.map(({ code, container }) => [code, container])).toEqual(
      expect.arrayContaining(names.map((name) => ["NETWORK", `amd64/${name}`])),
    );
    expect(jsonLines(result).filter(({ type }) => type === "result")).toHaveLength(names.length);
  });

  it("fail to be pushed there, with one line of a retry", async () => {
    const result = await work.run(["push", "--json", ...names]);
    expect(result.status).toBe(4);
    expect(retries(result.stdout)).toHaveLength(1);
  });

  it("fail where the cache is dead, with one line of a retry", async () => {
    writeFileSync(
      work.path("spacktainers.yaml"),
      configured.replace(/url: [^,\s}]+/, `url: "http://127.0.0.1:${port}/cache"`),
    );
    const result = await work.run(["build", "--json", ...names]);
    expect(result.status).not.toBe(0);
    expect(result.stdout).toContain("connection refused");
    expect(retries(result.stdout)).toHaveLength(1);
  });
});
