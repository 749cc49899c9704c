/** What is left behind by processes that are killed, that work at the same time, or that run out of disk. */
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openArchiveStore } from "../../src/buildcache/archives.ts";
import type { CachedPackage } from "../../src/buildcache/types.ts";
import { openHttpStore } from "../../src/store/httpStore.ts";
import { digestOf } from "../../src/util/digest.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { type FaultServer, serve, startFaultServer } from "../support/faultServer.ts";

const build = resolve(import.meta.dirname, "../../build");
const built = existsSync(join(build, "buildcache/archives.js"));
const content = randomBytes(8_000_000);
const digest = digestOf(content);
let server: FaultServer;
let home: string;

/** Fetches the archive in a process of its own, by the built program. */
const script = `
const [, url, home, digest] = process.argv;
const { openArchiveStore } = await import(${JSON.stringify(join(build, "buildcache/archives.js"))});
const { openHttpStore } = await import(${JSON.stringify(join(build, "store/httpStore.js"))});
const emit = () => {};
const store = openHttpStore(url, { emit, signal: undefined, retries: 0 });
const spec = { name: "ring", version: "1", hash: "a".repeat(32) };
const pkg = { digest, archivePath: "archive", archiveUrl: url, size: undefined, spec };
try {
  const { path } = await openArchiveStore(home, emit).fetch(store, pkg);
  console.log("PATH " + path);
} catch (error) {
  console.log("ERROR " + error.code);
}
process.exit(0);
`;

function fetchElsewhere(target = home, wrap: readonly string[] = []) {
  const [program = process.execPath, ...args] = [
    ...wrap,
    process.execPath,
    "--input-type=module",
    "-e",
    script,
    server.url,
    target,
    digest,
  ];
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  const ended = new Promise<string>((resolve_) => child.once("close", () => resolve_(output.trim())));
  return { child, ended };
}

/** Fetches it here. */
async function fetchHere() {
  const store = openHttpStore(server.url, { emit: ignoreEvents, signal: undefined });
  const pkg = {
    digest,
    archivePath: "archive",
    size: undefined,
    spec: { hash: "a" },
  } as unknown as CachedPackage;
  const archive = await openArchiveStore(home, ignoreEvents).fetch(store, pkg);
  await store.close();
  return archive;
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

beforeAll(async () => {
  server = await startFaultServer();
});
afterAll(() => server.close());
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "spacktainers-crash-"));
  server.files.set("/archive", content);
  server.faults.clear();
  server.requests.length = 0;
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe.skipIf(!built)(`downloads${built ? "" : " (skipped: run `npm run build` first)"}`, () => {
  it("a killed process leaves nothing half-written in the store, and the next one goes on where it stopped", async () => {
    let sent = 0;
    server.faults.set("/archive", [
      (_request, response) => {
        response.writeHead(200, { "content-length": content.length });
        const timer = setInterval(() => {
          if (sent >= 6_000_000) return;
          response.write(content.subarray(sent, sent + 500_000));
          sent += 500_000;
        }, 20);
        response.on("close", () => clearInterval(timer));
        return true;
      },
    ]);
    const { child, ended } = fetchElsewhere();
    // What was sent may still be on its way: it counts once it is on the disk.
    for (let kept = 0; kept < 1_000_000; ) {
      await new Promise((resolve_) => setTimeout(resolve_, 10));
      const [partial] = await filesBelow(home);
      kept = partial === undefined ? 0 : (await stat(partial).catch(() => ({ size: 0 }))).size;
    }
    child.kill("SIGKILL");
    expect(await ended).toBe("");
    const left = await filesBelow(home);
    expect(left).toHaveLength(1);
    expect(left[0]).toMatch(/incoming\/[0-9a-f]{64}\..*\.partial$/);
    const archive = await fetchHere();
    expect(digestOf(await readFile(archive.path))).toBe(digest);
    expect(server.requests[1]?.headers.range).toMatch(/^bytes=[1-9]\d{4,}-$/);
    expect(await filesBelow(home)).toEqual([archive.path]);
  });

  it("several processes fetch the same archive at once", async () => {
    server.faults.set(
      "/archive",
      Array.from({ length: 4 }, () => (request, response, bytes) => {
        // All must have begun before the first ends.
        setTimeout(() => serve(request, response, bytes), 600);
        return true;
      }),
    );
    const outputs = await Promise.all(Array.from({ length: 4 }, () => fetchElsewhere().ended));
    const archive = await fetchHere();
    expect(outputs).toEqual(Array.from({ length: 4 }, () => `PATH ${archive.path}`));
    expect(digestOf(await readFile(archive.path))).toBe(digest);
    expect(await filesBelow(home)).toEqual([archive.path]);
  });

  const small = join(tmpdir(), `spacktainers-small-${process.pid}`);
  const mount = [
    "unshare",
    "-Urm",
    "sh",
    "-c",
    'mkdir -p "$0" && mount -t tmpfs -o size=2m none "$0" && exec "$@"',
    small,
  ];
  const canMount = (() => {
    try {
      execFileSync(mount[0] ?? "", [...mount.slice(1), "true"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  })();
  it.skipIf(!canMount)(
    `a full disk is one clear error${canMount ? "" : " (skipped: no user namespaces here)"}`,
    async () => {
      expect(await fetchElsewhere(small, mount).ended).toBe("ERROR DISK_FULL");
      await rm(small, { recursive: true, force: true });
    },
  );
});
