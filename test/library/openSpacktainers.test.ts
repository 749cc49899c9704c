import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSpacktainers, type SpacktainersError } from "../../src/index.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-session-"));
  for (const name of ["demo/cache", "demo/cache.pub", "container_definitions/amd64/hello-mpi"])
    cpSync(name, join(directory, name), { recursive: true });
  const configuration = "caches:\n- {url: demo/cache, trust: [demo/cache.pub]}\nbase: {scratch: true}\n";
  writeFileSync(join(directory, "spacktainers.yaml"), configuration);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const open = (more: object = {}) =>
  openSpacktainers({ directory, cacheDirectory: join(directory, "cache"), ...more });

it("has a method for the work of each verb", () => {
  const spacktainers = open();
  const verbs = readdirSync("src/commands");
  // What shells ask for completion is about the command line itself.
  for (const verb of verbs.filter((name) => name !== "names" && !name.endsWith(".md"))) {
    const method: unknown = Reflect.get(spacktainers, verb);
    expect(["function", "object"], verb).toContain(typeof method);
  }
  expect(verbs).toContain("build");
});

describe("a session", () => {
  it("answers without a request", async () => {
    expect(await open().list()).toMatchObject([{ name: "hello-mpi", arch: "amd64" }]);
    expect(await open().check()).toMatchObject({ errors: [], warnings: [] });
    expect(await open().version()).toMatchObject({ node: process.versions.node });
  });

  it("takes fields that are undefined as left out", async () => {
    expect(await open().list({ names: undefined, arch: undefined })).toHaveLength(1);
    expect(
      await open()
        .list({ names: ["hello-mpi"], arch: "arm64" })
        .catch(code),
    ).toBe("UNKNOWN_CONTAINER");
  });

  it("asks the configured caches, and keeps what it read where it was told to", async () => {
    const { packages, totals } = await open().cache.list({ specs: ["mpich"] });
    expect(packages.map(({ name }) => name)).toEqual(["mpich", "mpich"]);
    expect(totals).toMatchObject({ packages: 2 });
  });

  it("chooses packages, and says what it does", async () => {
    const stages: string[] = [];
    const emit = (event: { readonly type: string; readonly stage?: string }): void => {
      if (event.type === "stage") stages.push(event.stage ?? "");
    };
    const planned = await open({ emit }).plan({ registry: false });
    expect(planned).toMatchObject([{ name: "amd64/hello-mpi", state: "done" }]);
    expect(stages).toContain("choose-packages");
    const own: string[] = [];
    await open({ emit }).plan({ registry: false, emit: (event) => own.push(event.type) });
    expect(own).toContain("stage");
  });

  it("stops by its own signal, and by that of a request", async () => {
    const stopped = AbortSignal.abort(new Error("enough"));
    expect(await open({ signal: stopped }).list().catch(code)).toBe("INTERRUPTED");
    const stop = new AbortController();
    const planning = open().plan({ registry: false, signal: stop.signal, emit: () => stop.abort() });
    expect(await planning.catch(code)).toBe("INTERRUPTED");
    expect(await open().list()).toHaveLength(1);
  });

  it("goes by variables of its own", async () => {
    const env = { ...process.env, XDG_CACHE_HOME: join(directory, "own") };
    const spacktainers = openSpacktainers({ directory, env });
    const pair = spacktainers.keys({ prefix: "signing" });
    expect(await pair.catch(code)).toBe("USAGE");
    const withPassword = openSpacktainers({ directory, env: { ...env, COSIGN_PASSWORD: "secret" } });
    expect(await withPassword.keys({ prefix: "signing" })).toMatchObject({
      publicKey: join(directory, "signing.pub"),
    });
  });
});

function code(thrown: SpacktainersError): string {
  return thrown.code;
}
