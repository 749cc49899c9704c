import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytesBlob } from "../../src/registry/blobSource.ts";
import { findBlobs, headBlob } from "../../src/registry/blobs.ts";
import { getManifest, putManifest } from "../../src/registry/manifests.ts";
import { pushBlob, pushBlobs } from "../../src/registry/pushBlob.ts";
import { parseTag } from "../../src/registry/reference.ts";
import type { RegistryOptions } from "../../src/registry/registry.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { type FakeRegistry, ociManifest, startFakeRegistry } from "../support/fakeRegistry.ts";
import { endless, redirect, status } from "../support/registryFaults.ts";
import { startTokenServer, type TokenServer } from "../support/tokenServer.ts";
import { type OpenedRepository, openRepository } from "./open.ts";

const secret = "correct-horse-battery";
const alice = { username: "alice", password: secret };
const tag = parseTag("1");
const blob = bytesBlob(randomBytes(1000));

let registry: FakeRegistry;
let tokens: TokenServer;
const opened: OpenedRepository[] = [];
beforeEach(async () => {
  registry = await startFakeRegistry();
  tokens = await startTokenServer();
  tokens.users.set("alice", { password: secret, writes: "team/" });
  registry.behaviour.guard = tokens.guard;
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await registry.close();
  await tokens.close();
});

function open(path: string, options: Partial<RegistryOptions> = {}): OpenedRepository {
  const one = openRepository(`${registry.host}/${path}`, options);
  opened.push(one);
  return one;
}

/** Everything a user or a log could see of what happened. */
async function everythingShown(work: Promise<unknown>): Promise<string> {
  const shown: unknown[] = [];
  const outcome = await work.catch((thrown: unknown) => thrown);
  for (let error = outcome; error instanceof Error; error = error.cause)
    shown.push({ ...error, message: error.message, stack: error.stack });
  return JSON.stringify([shown, ...opened.map(({ events }) => events)]);
}

describe("bearer tokens", () => {
  it("are fetched without credentials for what is public", async () => {
    registry.put("public/base", Buffer.from("x"));
    expect(await headBlob(open("public/base").repository, digestOf("x"))).toEqual({ size: 1 });
    expect(tokens.requests).toEqual([
      { method: "GET", user: undefined, scopes: ["repository:public/base:pull"], service: "fake" },
    ]);
  });

  it("are fetched for what is done, one for many requests", async () => {
    const { repository } = open("team/x", { credentials: alice });
    const digests = Array.from({ length: 40 }, (_, index) => digestOf(String(index)));
    await findBlobs(repository, digests, 10);
    expect(tokens.requests).toHaveLength(1);
    // The first one alone is refused.
    expect(registry.requests.filter((request) => request.status === 401)).toHaveLength(1);
    await pushBlobs(repository, [blob, bytesBlob(randomBytes(10))]);
    expect(tokens.requests.map(({ user, scopes }) => [user, ...scopes])).toEqual([
      ["alice", "repository:team/x:pull"],
      ["alice", "repository:team/x:pull,push"],
    ]);
    // A token that may push may pull.
    await findBlobs(repository, digests);
    expect(tokens.requests).toHaveLength(2);
  });

  it("for mounting are for both repositories", async () => {
    const { repository, other } = open("team/x", { credentials: alice });
    registry.put("team/base", Buffer.from("layer"));
    const layer = bytesBlob(Buffer.from("layer"));
    expect(await pushBlob(repository, layer, { mountFrom: other("team/base"), missing: true })).toBe(
      "mounted",
    );
    expect(tokens.requests[0]?.scopes).toEqual(["repository:team/x:pull,push", "repository:team/base:pull"]);
  });

  it("are fetched anew when they have ended or were taken back", async () => {
    const { repository } = open("team/x", { credentials: alice });
    await headBlob(repository, blob.digest);
    tokens.revoke();
    await headBlob(repository, blob.digest);
    expect(tokens.requests).toHaveLength(2);
    tokens.lifetime = 0.05;
    tokens.revoke();
    await headBlob(repository, blob.digest);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const refused = registry.requests.filter((request) => request.status === 401).length;
    await headBlob(repository, blob.digest);
    // The end was known: nobody had to refuse.
    expect(registry.requests.filter((request) => request.status === 401)).toHaveLength(refused);
  });

  it("are renewed in the middle of an upload", async () => {
    const { repository } = open("team/x", { credentials: alice });
    const large = bytesBlob(randomBytes(300_000));
    registry.fault(/^PATCH/, () => false, 1);
    registry.fault(/^PATCH/, () => {
      tokens.revoke();
      return false;
    });
    expect(await pushBlob(repository, large, { pieceBytes: 100_000 })).toBe("uploaded");
    expect(registry.blobs.get("team/x")?.get(large.digest)?.length).toBe(300_000);
  });

  it("are fetched for a refresh token by POST", async () => {
    tokens.refreshTokens.set("refresh-me-please", "alice");
    const directory = await mkdtemp(join(tmpdir(), "spacktainers-auth-"));
    const file = join(directory, "auth.json");
    const entry = { auth: Buffer.from("alice:").toString("base64"), identitytoken: "refresh-me-please" };
    await writeFile(file, JSON.stringify({ auths: { [registry.host]: entry } }));
    const { repository } = open("team/x", { env: { REGISTRY_AUTH_FILE: file } });
    await pushBlob(repository, blob);
    expect(tokens.requests.map(({ method, user, service }) => [method, user, service])).toEqual([
      ["POST", "alice", "fake"],
      ["POST", "alice", "fake"],
    ]);
    tokens.refreshTokens.clear();
    tokens.revoke();
    const shown = await everythingShown(headBlob(repository, blob.digest));
    expect(shown).toContain("no such refresh token");
    expect(shown).not.toContain("refresh-me-please");
    await rm(directory, { recursive: true });
  });

  it("wrong credentials are one clear error without them", async () => {
    const { repository } = open("team/x", {
      credentials: { username: "alice", password: "wrong-password-1" },
    });
    const shown = await everythingShown(headBlob(repository, blob.digest));
    expect(shown).toContain("incorrect username or password");
    expect(shown).toContain("***");
    expect(shown).not.toContain("wrong-password-1");
    expect(shown).not.toContain(Buffer.from("alice:wrong-password-1").toString("base64"));
    await expect(headBlob(repository, blob.digest)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });

  it("that do not suffice end in one clear error, not in a loop", async () => {
    const { repository } = open("foreign/x", { credentials: alice });
    await expect(headBlob(repository, blob.digest)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: "the credentials are from the configuration",
    });
    expect(registry.requests.length).toBeLessThanOrEqual(3);
    const anonymous = open("team/x");
    await expect(pushBlob(anonymous.repository, blob)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: expect.stringContaining(`podman login ${registry.host}`),
    });
  });

  it("are not shown by a registry that repeats them", async () => {
    const { repository } = open("team/x", { credentials: alice });
    await headBlob(repository, blob.digest);
    registry.fault(/manifests/, ({ request, response }) => {
      const message = `you sent ${request.headers.authorization} and ${secret}`;
      response.writeHead(403).end(JSON.stringify({ errors: [{ code: "DENIED", message }] }));
      return true;
    });
    const shown = await everythingShown(getManifest(repository, tag));
    expect(shown).toContain("you sent Bearer *** and ***");
    expect(shown).not.toMatch(/tok-[0-9a-f]/);
    expect(shown).not.toContain(secret);
  });
});

describe("a registry that always says 401", () => {
  it.each([
    ["with a token server", () => `Bearer realm="${tokens.url}",service="fake"`],
    ["with Basic", () => 'Basic realm="x"'],
    ["with nothing it wants", () => ""],
    ["with what we do not know", () => "Negotiate"],
  ])("%s is left after a few requests", async (_, challenge) => {
    registry.behaviour.guard = challenge;
    const { repository } = open("team/x", { credentials: alice });
    await expect(headBlob(repository, blob.digest)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    expect(registry.requests.length).toBeLessThanOrEqual(3);
    expect(tokens.requests.length).toBeLessThanOrEqual(2);
  });
});

describe("the token server", () => {
  const challenge = (realm: string): string => `Bearer realm="${realm}",service="fake"`;

  it.each(["http://tokens.example/token", "ftp://x/", "nonsense://", "http://"])(
    "at %s gets no credentials",
    async (realm) => {
      registry.behaviour.guard = () => challenge(realm);
      const { repository } = open("team/x", { credentials: alice });
      const thrown = await headBlob(repository, blob.digest).catch((error: unknown) => error);
      expect(thrown).toMatchObject({
        code: "NETWORK",
        message: expect.stringMatching(/less secure|not a URL/),
      });
    },
  );

  it("that redirects takes no credentials along, by GET or POST", async () => {
    const realm = await startFakeRegistry();
    const elsewhere = await startFakeRegistry("127.0.0.2");
    realm.fault(/token/, redirect(`${elsewhere.url}/token`), 9);
    elsewhere.fault(/token/, status(200, {}, '{"token":"x"}'), 9);
    registry.behaviour.guard = (request) =>
      request.headers.authorization === "Bearer x" || challenge(`${realm.url}/token`);
    const { repository } = open("team/x", { credentials: alice });
    await headBlob(repository, blob.digest);
    expect(realm.requests[0]?.headers.authorization).toMatch(/^Basic /);
    expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
    await realm.close();
    await elsewhere.close();
  });

  it.each([
    ["endless", endless(), /more than the 262144 bytes/],
    ["HTML", status(200, {}, "<html>"), /holds no token/],
    ["no token", status(200, {}, "{}"), /holds no token/],
    ["a token with line breaks", status(200, {}, '{"token":"a\\r\\nx: y"}'), /holds no token/],
    ["a refusal", status(403, {}, '{"errors":[{"code":"DENIED","message":"go away"}]}'), /go away/],
  ])("whose answer is %s is one clear error", async (_, fault, message) => {
    const realm = await startFakeRegistry();
    realm.fault(/token/, fault, 9);
    registry.behaviour.guard = () => challenge(`${realm.url}/token`);
    const { repository } = open("team/x", { credentials: alice });
    const thrown = await headBlob(repository, blob.digest).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(SpacktainersError);
    expect((thrown as Error).message).toMatch(message);
    await realm.close();
  });

  it("that is busy is asked again", async () => {
    const realm = await startFakeRegistry();
    realm.fault(/token/, status(503), 2);
    realm.fault(/token/, status(200, {}, '{"access_token":"late"}'));
    registry.behaviour.guard = (request) =>
      request.headers.authorization === "Bearer late" || challenge(`${realm.url}/token`);
    await headBlob(open("team/x").repository, blob.digest);
    expect(realm.requests).toHaveLength(3);
    await realm.close();
  });
});

describe("Basic", () => {
  it("is sent once it is asked for, and then at once", async () => {
    registry.behaviour.guard = (request) =>
      request.headers.authorization === `Basic ${Buffer.from(`alice:${secret}`).toString("base64")}` ||
      'Basic realm="Registry"';
    const { repository } = open("team/x", { credentials: alice });
    await pushBlob(repository, blob);
    await putManifest(repository, tag, Buffer.from("{}"), ociManifest);
    expect(registry.requests.map((request) => request.status)).toEqual([401, 404, 202, 201, 201]);
    expect(registry.requests[0]?.headers.authorization).toBeUndefined();
  });

  it("without credentials is a clear error", async () => {
    registry.behaviour.guard = () => 'Basic realm="Registry"';
    await expect(headBlob(open("team/x").repository, blob.digest)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: expect.stringContaining("log in"),
    });
  });
});

describe("GITHUB_TOKEN", () => {
  const env = { GITHUB_TOKEN: "ghs_secret", GITHUB_ACTOR: "octocat" };

  it("is used for GHCR where nothing else is, for others never", async () => {
    tokens.users.set("octocat", { password: "ghs_secret", writes: "team/" });
    await headBlob(open("team/x", { type: "ghcr", env }).repository, blob.digest);
    expect(tokens.requests.at(-1)?.user).toBe("octocat");
    await headBlob(open("team/x", { type: "ghcr", env, credentials: alice }).repository, blob.digest);
    expect(tokens.requests.at(-1)?.user).toBe("alice");
    await expect(headBlob(open("team/x", { env }).repository, blob.digest)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
    expect(tokens.requests.at(-1)?.user).toBeUndefined();
  });

  it("that is refused does not stand in the way of reading what is public", async () => {
    registry.put("public/x", Buffer.from("x"));
    const { repository } = open("public/x", { type: "ghcr", env });
    expect(await headBlob(repository, digestOf("x"))).toEqual({ size: 1 });
    await expect(pushBlob(repository, blob)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      message: expect.stringContaining("GITHUB_TOKEN"),
    });
  });
});
