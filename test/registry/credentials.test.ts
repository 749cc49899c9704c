import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCredentials } from "../../src/registry/credentials.ts";
import { parseReference } from "../../src/registry/reference.ts";
import type { Credentials } from "../../src/registry/types.ts";
import type { WorkEvent } from "../../src/util/events.ts";

let home: string;
let events: WorkEvent[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "spacktainers-credentials-"));
  events = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

const auth = (user: string, password: string) => ({
  auth: Buffer.from(`${user}:${password}`).toString("base64"),
});

async function write(path: string, content: unknown): Promise<string> {
  const file = join(home, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

async function find(name: string, env: NodeJS.ProcessEnv = {}): Promise<Credentials | undefined> {
  const { host, path } = parseReference(name);
  const source = openCredentials(host, {
    env: { HOME: home, PATH: `${join(home, "bin")}:/usr/bin:/bin`, ...env },
    emit: (event) => events.push(event),
  });
  return source.find({ host, path });
}

/** A helper whose answer is a shell script; what it was asked is written to a file. */
async function helper(name: string, script: string): Promise<void> {
  const path = await write(
    `bin/docker-credential-${name}`,
    `#!/bin/sh\necho "$@" > '${join(home, "arguments")}'\ncat > '${join(home, "input")}'\n${script}\n`,
  );
  await chmod(path, 0o755);
}

describe("files", () => {
  it("are read in Podman's order, Docker's named folder first", async () => {
    const entry = (user: string) => ({ auths: { "quay.io": auth(user, "p") } });
    await write(".docker/config.json", entry("docker"));
    expect(await find("quay.io/a/b")).toMatchObject({ username: "docker" });
    await write(".config/containers/auth.json", entry("config"));
    expect(await find("quay.io/a/b")).toMatchObject({ username: "config" });
    const XDG_CONFIG_HOME = join(home, "xdg");
    await write("xdg/containers/auth.json", entry("xdg"));
    expect(await find("quay.io/a/b", { XDG_CONFIG_HOME })).toMatchObject({ username: "xdg" });
    await write("run/containers/auth.json", entry("runtime"));
    const XDG_RUNTIME_DIR = join(home, "run");
    expect(await find("quay.io/a/b", { XDG_RUNTIME_DIR })).toMatchObject({ username: "runtime" });
    await write("elsewhere/config.json", entry("elsewhere"));
    const DOCKER_CONFIG = join(home, "elsewhere");
    expect(await find("quay.io/a/b", { XDG_RUNTIME_DIR, DOCKER_CONFIG })).toMatchObject({
      kind: "user",
      username: "elsewhere",
      password: "p",
      origin: join(home, "elsewhere/config.json"),
    });
    const REGISTRY_AUTH_FILE = await write("only.json", { auths: {} });
    expect(await find("quay.io/a/b", { XDG_RUNTIME_DIR, REGISTRY_AUTH_FILE })).toBeUndefined();
  });

  it("are passed over when they are not there, empty, or have no entry", async () => {
    await write(".config/containers/auth.json", "");
    await write(".docker/config.json", { auths: { "quay.io": {}, "ghcr.io": auth("u", "p") } });
    expect(await find("quay.io/a/b")).toBeUndefined();
    expect(await find("ghcr.io/a/b")).toMatchObject({ username: "u" });
  });

  it("have entries for parts of a registry: the longest counts", async () => {
    await write(".config/containers/auth.json", {
      auths: {
        "quay.io": auth("all", "1"),
        "quay.io/team": auth("team", "2"),
        "quay.io/team/project/x": auth("x", "3"),
      },
    });
    expect(await find("quay.io/other/x")).toMatchObject({ username: "all" });
    expect(await find("quay.io/team/project")).toMatchObject({ username: "team" });
    expect(await find("quay.io/teammate/x")).toMatchObject({ username: "all" });
    expect(await find("quay.io/team/project/x")).toMatchObject({ username: "x" });
  });

  it.each(["https://index.docker.io/v1/", "index.docker.io", "docker.io", "https://registry-1.docker.io"])(
    "know Docker Hub as %s",
    async (key) => {
      await write(".docker/config.json", { auths: { [key]: auth("u", "p:with:colons") } });
      expect(await find("debian:12")).toMatchObject({ username: "u", password: "p:with:colons" });
    },
  );

  it("have tokens instead of passwords", async () => {
    await write(".docker/config.json", {
      auths: {
        "a.example": { ...auth("00000000-0000-0000-0000-000000000000", ""), identitytoken: "refresh" },
        "b.example": { registrytoken: "access" },
        "https://c.example/v1/": { username: "plain", password: "p" },
      },
    });
    expect(await find("a.example/x")).toMatchObject({ kind: "identity", token: "refresh" });
    expect(await find("b.example/x")).toMatchObject({ kind: "bearer", token: "access" });
    expect(await find("c.example/x")).toMatchObject({ kind: "user", username: "plain" });
  });

  it("that cannot be read are a warning: what is next counts", async () => {
    const file = join(home, ".config/containers/auth.json");
    await mkdir(file, { recursive: true });
    await write(".docker/config.json", { auths: { "quay.io": auth("u", "p") } });
    expect(await find("quay.io/a")).toMatchObject({ username: "u" });
    expect(events).toMatchObject([{ type: "warning", place: { file } }]);
  });

  it.each([
    ["{", /not JSON/],
    ["[]", /not a JSON object/],
    [
      JSON.stringify({ auths: { "quay.io": { auth: Buffer.from("hunter2secret").toString("base64") } } }),
      /malformed/,
    ],
  ])("that are malformed are one error without their content", async (content, message) => {
    const file = await write(".docker/config.json", content);
    const thrown = await find("quay.io/a").catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "CONFIG_INVALID", place: { file } });
    expect((thrown as Error).message).toMatch(message);
    expect(JSON.stringify(thrown)).not.toContain("hunter2");
  });
});

describe("helpers", () => {
  it("of the registry come before the store, both before entries", async () => {
    await helper("one", `echo '{"ServerURL":"x","Username":"from-one","Secret":"s1"}'`);
    await helper("all", `echo '{"ServerURL":"x","Username":"from-all","Secret":"s2"}'`);
    await write(".docker/config.json", {
      auths: { "quay.io": auth("from-file", "p") },
      credHelpers: { "quay.io": "one" },
      credsStore: "all",
    });
    expect(await find("quay.io/a")).toEqual({
      kind: "user",
      username: "from-one",
      password: "s1",
      origin: "docker-credential-one",
    });
    expect(await readFile(join(home, "arguments"), "utf8")).toBe("get\n");
    expect(await readFile(join(home, "input"), "utf8")).toBe("quay.io\n");
    expect(await find("debian")).toMatchObject({ username: "from-all" });
    expect(await readFile(join(home, "input"), "utf8")).toBe("https://index.docker.io/v1/\n");
  });

  it("give refresh tokens, or have nothing", async () => {
    await helper("one", `echo '{"Username":"<token>","Secret":"refresh"}'`);
    await helper("none", `echo 'credentials not found in native keychain'; exit 1`);
    await write(".docker/config.json", { credHelpers: { "a.example": "one" }, credsStore: "none" });
    expect(await find("a.example/x")).toMatchObject({ kind: "identity", token: "refresh" });
    expect(await find("b.example/x")).toBeUndefined();
    expect(events).toEqual([]);
  });

  it.each([
    ["is missing", undefined, /not installed/],
    ["fails", "echo some-secret-text; exit 3", /ended with status 3/],
    ["answers nonsense", "echo some-secret-text", /not JSON/],
    ["answers without end", "yes some-secret-text", /too long/],
    ["answers something else", `echo '{"Secret":"some-secret-text"}'`, /no Username and Secret/],
  ])("that %s is a warning, and what is next counts", async (_, script, message) => {
    if (script !== undefined) await helper("bad", script);
    await write(".docker/config.json", { auths: { "quay.io": auth("next", "p") }, credsStore: "bad" });
    expect(await find("quay.io/a")).toMatchObject({ username: "next" });
    expect(events).toEqual([
      expect.objectContaining({ type: "warning", message: expect.stringMatching(message) }),
    ]);
    expect(JSON.stringify(events)).not.toContain("some-secret-text");
  });

  it("have names that cannot lead elsewhere", async () => {
    await write(".docker/config.json", { credsStore: "../../bin/sh" });
    expect(await find("quay.io/a")).toBeUndefined();
    expect(events).toMatchObject([{ type: "warning", code: "CONFIG_INVALID" }]);
  });
});
