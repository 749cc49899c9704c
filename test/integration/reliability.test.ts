/** A small part of the faults that docs/reliability.md tells of: those that were wrong once. */
import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn, digestOfBuild, expectRefusal } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { startFakeRegistry } from "../support/fakeRegistry.ts";
import { type Fault, type FaultServer, serveDirectory, startFaultServer } from "../support/faultServer.ts";
import { status } from "../support/registryFaults.ts";

const build = ["build", "hello-mpi", "--json", "--output", "oci:image"];
const places: Workplace[] = [];
let server: FaultServer;
let digest: string;

function prepare(cacheUrl: string): Workplace {
  const work = makeWorkplace();
  places.push(work);
  makeDemoRepository(work, cacheUrl);
  return work;
}

beforeAll(async () => {
  server = await startFaultServer();
  const work = prepare("cache");
  await serveDirectory(server, work.path("cache"));
  digest = digestOfBuild(await work.run(build));
});
afterAll(async () => {
  await server.close();
  for (const place of places) place.remove();
});

it("answers that are cut once, of a server without ETags, are asked for again", async () => {
  const cut: Fault = (_request, response, content) => {
    response
      .writeHead(200, { "content-length": content.length })
      .write(content.subarray(0, content.length >> 1));
    setTimeout(() => response.socket?.resetAndDestroy(), 20);
    return true;
  };
  for (const path of server.files.keys()) if (path.startsWith("/v3/")) server.faults.set(path, [cut]);
  expect(digestOfBuild(await prepare(server.url).run(build))).toBe(digest);
  server.faults.clear();
});

it("one changed digit in what is kept of earlier builds never gets into an image", async () => {
  const work = prepare("cache");
  expect(digestOfBuild(await work.run(build))).toBe(digest);
  const keys = join(work.cacheHome, "spacktainers/fragments/keys");
  const records = readdirSync(keys, { recursive: true, encoding: "utf8" }).filter((name) =>
    /[0-9a-f]\.json$/.test(name),
  );
  expect(records.length).toBeGreaterThan(2);
  for (const name of records) {
    const path = join(keys, name);
    const text = readFileSync(path, "utf8");
    const at = text.indexOf('"diffId":"sha256:') + 30;
    chmodSync(path, 0o644);
    writeFileSync(path, `${text.slice(0, at)}${text[at] === "7" ? "8" : "7"}${text.slice(at + 1)}`);
  }
  rmSync(work.path("image"), { recursive: true });
  expect(digestOfBuild(await work.run(build))).toBe(digest);
});

it.skipIf(!commandExists("bash")).each([24, 32])(
  "with %i open files, a build works or says why not",
  (most) => {
    const work = prepare("cache");
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync(
      "bash",
      ["-c", `ulimit -n ${most}; exec "$@"`, "x", process.execPath, binary, ...build, "--quiet"],
      {
        cwd: work.directory,
        encoding: "utf8",
        timeout: 60_000,
        env: { ...process.env, XDG_CACHE_HOME: work.cacheHome, NO_COLOR: "1" },
      },
    );
    expect(stderr).not.toContain("ERR_WORKER_INIT_FAILED");
    // Node itself may not start, or not find the program's modules.
    if (/node::|uv_|Assertion|node:internal\/modules/.test(stderr)) return;
    expect(stdout + stderr).not.toMatch(/INTERNAL|^\s+at /m);
    if (code === 0) expect(digestOfBuild({ status: code, stdout, stderr })).toBe(digest);
    else expect(stdout + stderr).toMatch(/too many files are open|ulimit/);
    expect(debrisIn(work.directory)).toEqual([]);
  },
);

describe("what answers in a registry's place", () => {
  it.each([
    ["HEAD", /^HEAD .*\/blobs\//],
    ["PUT", /^PUT .*\/blobs\//],
  ])("a login page is not taken for a blob that is there (%s)", async (_method, match) => {
    const work = prepare("cache");
    const registry = await startFakeRegistry();
    try {
      writeFileSync(
        work.path("spacktainers.yaml"),
        `${readFileSync(work.path("spacktainers.yaml"), "utf8")}registries: [{url: "${registry.url}/team"}]\n`,
      );
      registry.fault(match, status(200, { "content-type": "text/html" }, "<html>log in</html>"), 99);
      const refused = await work.run(["push", "hello-mpi", "--quiet"]);
      expectRefusal({ ...refused, stdout: "" }, { code: "NETWORK", status: 4, hint: /login page/ });
      expect([...registry.manifests.values()].flatMap((each) => [...each.keys()])).toEqual([]);
      expect(debrisIn(work.directory)).toEqual([]);
    } finally {
      await registry.close();
    }
  });
});
