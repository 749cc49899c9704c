import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bytesBlob } from "../../src/registry/blobSource.ts";
import { headBlob } from "../../src/registry/blobs.ts";
import { openCredentials } from "../../src/registry/credentials.ts";
import { ecrAuthority, parseEcrHost } from "../../src/registry/ecr.ts";
import { putManifest } from "../../src/registry/manifests.ts";
import { pushBlob, pushBlobs } from "../../src/registry/pushBlob.ts";
import { parseReference, parseRegistryHost, parseTag } from "../../src/registry/reference.ts";
import type { RegistryOptions } from "../../src/registry/registry.ts";
import { type EcrServer, startEcrServer } from "../support/ecrServer.ts";
import { type FakeRegistry, ociManifest, startFakeRegistry } from "../support/fakeRegistry.ts";
import { refusal } from "../support/registryFaults.ts";
import { type OpenedRepository, openRepository } from "./open.ts";

let registry: FakeRegistry;
let ecr: EcrServer;
let folder: string;
const opened: OpenedRepository[] = [];
beforeEach(async () => {
  registry = await startFakeRegistry();
  ecr = await startEcrServer();
  folder = await mkdtemp(join(tmpdir(), "spacktainers-ecr-"));
  ecr.keys.set("AKIATEST", "secret-key-of-aws");
  registry.behaviour.repositories = ecr.repositories;
  registry.behaviour.guard = (request) =>
    request.headers.authorization === `Basic ${Buffer.from(`AWS:${ecr.password}`).toString("base64")}` ||
    'Basic realm="https://123456789012.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com"';
  // The SDK reads the process's environment: nothing of this machine's may be seen.
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_ENDPOINT_URL_ECR", ecr.url);
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "credentials"));
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIATEST");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret-key-of-aws");
  vi.stubEnv("AWS_REGION", "eu-central-2");
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  vi.unstubAllEnvs();
  await registry.close();
  await ecr.close();
  await rm(folder, { recursive: true, force: true });
});

function open(path: string, options: Partial<RegistryOptions> = {}): OpenedRepository {
  const one = openRepository(`${registry.host}/${path}`, { type: "ecr", ...options });
  opened.push(one);
  return one;
}
const calls = (): readonly string[] => ecr.calls.map(({ target }) => target);
const blob = () => bytesBlob(randomBytes(1000));

describe("parseEcrHost", () => {
  it.each([
    ["123456789012.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"],
    ["123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"],
    ["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"],
    ["123456789012.dkr-ecr.eu-west-3.on.aws", "eu-west-3"],
  ])("knows %s", (host, region) => {
    expect(parseEcrHost(host)).toEqual({ account: "123456789012", region });
  });

  it.each([
    "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example",
    "12345.dkr.ecr.us-east-1.amazonaws.com",
    "public.ecr.aws",
    "x.123456789012.dkr.ecr.us-east-1.amazonaws.com",
  ])("does not take %s for one", (host) => {
    expect(parseEcrHost(host)).toBeUndefined();
  });
});

describe("ECR", () => {
  it("makes a missing repository when something is pushed, once, and uses one token", async () => {
    const { repository, other } = open("team/new");
    await pushBlobs(repository, [blob(), blob(), blob()]);
    await putManifest(repository, parseTag("1"), Buffer.from("{}"), ociManifest);
    expect(ecr.repositories).toEqual(new Set(["team/new"]));
    expect(calls().filter((name) => name === "GetAuthorizationToken")).toHaveLength(1);
    expect(ecr.calls.find(({ target }) => target === "CreateRepository")).toMatchObject({
      region: "eu-central-2",
      accessKeyId: "AKIATEST",
      input: { repositoryName: "team/new" },
    });
    await putManifest(other("team/second"), parseTag("1"), Buffer.from("{}"), ociManifest);
    expect(ecr.repositories.has("team/second")).toBe(true);
    expect(calls().filter((name) => name === "GetAuthorizationToken")).toHaveLength(1);
  });

  it("waits for a repository that it made but does not know yet", async () => {
    registry.fault(/^POST/, refusal(404, "NAME_UNKNOWN", "does not exist"), 3);
    expect(await pushBlob(open("team/late").repository, blob())).toBe("uploaded");
  });

  it("makes no repository when something is read", async () => {
    expect(await headBlob(open("team/none").repository, blob().digest)).toBeUndefined();
    expect(calls()).toEqual(["GetAuthorizationToken"]);
  });

  it("is asked in the region and for the account of its name", async () => {
    const host = parseRegistryHost("123456789012.dkr.ecr.ap-south-1.amazonaws.com");
    const authority = ecrAuthority(host, { emit: () => {} });
    expect(await authority.credentials()).toMatchObject({
      username: "AWS",
      password: ecr.password,
      origin: "AWS",
    });
    await authority.create({ host, path: parseReference(`${host}/a/b`).path });
    expect(ecr.calls).toMatchObject([
      { target: "GetAuthorizationToken", region: "ap-south-1", input: {} },
      {
        target: "CreateRepository",
        region: "ap-south-1",
        input: { repositoryName: "a/b", registryId: "123456789012" },
      },
    ]);
    authority.close();
  });

  it("renews a token that is about to end, and one that is refused", async () => {
    const { repository } = open("team/x");
    ecr.lifetime = 30;
    await headBlob(repository, blob().digest);
    await headBlob(repository, blob().digest);
    expect(calls().length).toBeGreaterThanOrEqual(2);
    ecr.lifetime = 12 * 3600;
    await headBlob(repository, blob().digest);
    const before = calls().length;
    await headBlob(repository, blob().digest);
    expect(calls()).toHaveLength(before);
    ecr.password = "ecr-password-2";
    await headBlob(repository, blob().digest);
    expect(calls()).toHaveLength(before + 1);
  });

  it("survives a busy API", async () => {
    ecr.refusals.push(
      { status: 400, type: "ThrottlingException", message: "Rate exceeded" },
      { status: 503, type: "ServiceUnavailable", message: "" },
    );
    await pushBlob(open("team/x").repository, blob());
    expect(ecr.repositories.has("team/x")).toBe(true);
  });

  it("says what AWS refuses, without secrets", async () => {
    ecr.keys.set("AKIATEST", "another");
    const thrown = await headBlob(open("team/x").repository, blob().digest).catch((error: unknown) => error);
    expect(thrown).toMatchObject({
      code: "ACCESS_DENIED",
      message: expect.stringContaining("InvalidSignatureException"),
      hint: expect.stringContaining("AWS_PROFILE"),
    });
    const text = JSON.stringify([thrown, { ...(thrown as Error) }, (thrown as Error).cause]);
    expect(text).not.toMatch(/secret-key-of-aws|Signature=/);
    ecr.keys.set("AKIATEST", "secret-key-of-aws");
    const { repository } = open("team/y");
    await headBlob(repository, blob().digest);
    ecr.refusals.push({ status: 400, type: "LimitExceededException", message: "too many repositories" });
    await expect(pushBlob(repository, blob())).rejects.toMatchObject({
      code: "REGISTRY_REFUSED",
      message: expect.stringContaining("too many repositories"),
    });
  });

  it("takes credentials from a profile, and goes on to files where AWS has none", async () => {
    vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
    const file = join(folder, "auth.json");
    const entry = { auth: Buffer.from(`AWS:${ecr.password}`).toString("base64") };
    await writeFile(file, JSON.stringify({ auths: { [registry.host]: entry } }));
    await headBlob(open("team/x", { env: { REGISTRY_AUTH_FILE: file } }).repository, blob().digest);
    expect(calls()).toEqual([]);
    await expect(headBlob(open("team/x").repository, blob().digest)).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      hint: expect.stringContaining("aws sso login"),
    });
    const missing = open("team/none", { env: { REGISTRY_AUTH_FILE: file } });
    await expect(pushBlob(missing.repository, blob())).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      message: expect.stringContaining("no AWS credentials to make the repository team/none"),
    });
    ecr.keys.set("AKIAPROFILE", "profile-secret");
    // The SDK reads a file once in a process, absent or not: another one.
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "credentials-2"));
    await writeFile(
      join(folder, "credentials-2"),
      "[work]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = profile-secret\n",
    );
    vi.stubEnv("AWS_PROFILE", "work");
    await headBlob(open("team/x").repository, blob().digest);
    expect(ecr.calls[0]?.accessKeyId).toBe("AKIAPROFILE");
  });

  it("uses what the configuration gives instead", async () => {
    const { repository } = open("team/x", { credentials: { username: "AWS", password: ecr.password } });
    await headBlob(repository, blob().digest);
    expect(calls()).toEqual([]);
  });

  it("is known by its name alone", () => {
    const host = parseRegistryHost("123456789012.dkr.ecr.us-east-1.amazonaws.com");
    expect(openCredentials(host, { env: {} }).create).toBeDefined();
    expect(openCredentials(parseRegistryHost("quay.io"), { env: {} }).create).toBeUndefined();
  });
});
