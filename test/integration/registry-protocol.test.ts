import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { bytesBlob } from "../../src/registry/blobSource.ts";
import { downloadBlob, findBlobs, headBlob, readBlob } from "../../src/registry/blobs.ts";
import { deleteManifest, getManifest, headManifest, putManifest } from "../../src/registry/manifests.ts";
import { mountBlob, pushBlob, pushBlobs } from "../../src/registry/pushBlob.ts";
import { parseTag } from "../../src/registry/reference.ts";
import { listReferrers, putReferrer } from "../../src/registry/referrers.ts";
import type { RegistryOptions } from "../../src/registry/registry.ts";
import { listTags } from "../../src/registry/tags.ts";
import { digestOf } from "../../src/util/digest.ts";
import { type OpenedRepository, openRepository } from "../registry/open.ts";
import { startCuttingProxy, startUploadCuttingProxy } from "../support/cuttingProxy.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import {
  crane,
  dockerRegistryTrouble,
  type RealRegistry,
  startCraneRegistry,
  startDockerRegistry,
  tokenSigner,
} from "../support/realRegistry.ts";
import { startTokenServer, type TokenServer } from "../support/tokenServer.ts";

const opened: OpenedRepository[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
function open(host: string, path: string, options: Partial<RegistryOptions> = {}): OpenedRepository {
  const one = openRepository(`${host}/${path}`, { retryDelayMs: 50, ...options });
  opened.push(one);
  return one;
}
const alice = { username: "alice", password: "alice-password" };

interface Setting {
  readonly registry: RealRegistry;
  readonly options: Partial<RegistryOptions>;
  readonly close: () => Promise<void>;
}
const debian = dockerRegistryTrouble();
const noTokens = dockerRegistryTrouble("openssl");
const settings: readonly (readonly [string, string | undefined, () => Promise<Setting>])[] = [
  [
    "docker-registry",
    debian,
    async () => {
      const registry = await startDockerRegistry();
      return { registry, options: {}, close: () => registry.close() };
    },
  ],
  [
    "docker-registry with passwords",
    dockerRegistryTrouble("htpasswd"),
    async () => {
      const registry = await startDockerRegistry({ users: { alice: alice.password } });
      return { registry, options: { credentials: alice }, close: () => registry.close() };
    },
  ],
  [
    "docker-registry with tokens",
    noTokens,
    async () => {
      const { mint, certificate } = await tokenSigner();
      const tokens = await startTokenServer(mint);
      tokens.users.set("alice", { password: alice.password, writes: "" });
      const registry = await startDockerRegistry({ tokens: { realm: tokens.url, certificate } });
      const close = async (): Promise<void> => {
        await registry.close();
        await tokens.close();
      };
      return { registry, options: { credentials: alice }, close };
    },
  ],
  [
    "go-containerregistry's registry",
    crane() === undefined ? "crane is not installed" : undefined,
    async () => {
      const registry = await startCraneRegistry();
      return { registry, options: {}, close: () => registry.close() };
    },
  ],
];

for (const [name, trouble, start] of settings)
  describe.skipIf(trouble !== undefined)(
    `${name}${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
    () => {
      let setting: Setting;
      let directory: string;
      beforeAll(async () => {
        setting = await start();
        directory = await mkdtemp(join(tmpdir(), "spacktainers-protocol-"));
      });
      afterAll(async () => {
        await setting.close();
        await rm(directory, { recursive: true, force: true });
      });
      const at = (path: string, options: Partial<RegistryOptions> = {}): OpenedRepository =>
        open(setting.registry.host, path, { ...setting.options, ...options });

      it("takes blobs of all sizes, in one piece and in many, and gives them back", async () => {
        const { repository } = at("blobs/all");
        const blobs = [0, 1, 1000, 9_000_000, 20_000_000].map((size) => bytesBlob(randomBytes(size)));
        const outcomes = await pushBlobs(repository, blobs);
        expect([...outcomes.values()]).toEqual(blobs.map(() => "uploaded"));
        const pieces = bytesBlob(randomBytes(12_345_678));
        expect(await pushBlob(repository, pieces, { pieceBytes: 5_000_000 })).toBe("uploaded");
        for (const blob of [...blobs, pieces]) {
          const hash = createHash("sha256");
          for await (const chunk of readBlob(repository, blob)) hash.update(chunk);
          expect(`sha256:${hash.digest("hex")}`).toBe(blob.digest);
        }
        await downloadBlob(repository, pieces, join(directory, "pieces"));
        expect(digestOf(await readFile(join(directory, "pieces")))).toBe(pieces.digest);
        const found = await findBlobs(repository, [...blobs.map(({ digest }) => digest), digestOf("absent")]);
        expect(found.size).toBe(blobs.length);
        expect([...(await pushBlobs(repository, blobs)).values()]).toEqual(blobs.map(() => "present"));
      });

      it("moves a blob between repositories, by mounting where it does that", async () => {
        const { repository, other } = at("mount/from");
        const blob = bytesBlob(randomBytes(100_000));
        await pushBlob(repository, blob);
        const outcome = await pushBlob(other("mount/to"), blob, { mountFrom: repository });
        if (name.startsWith("docker-registry")) expect(outcome).toBe("mounted");
        expect(await headBlob(other("mount/to"), blob.digest)).toBeDefined();
        await mountBlob(other("mount/third"), blob.digest, repository);
      });

      it("refuses what is not what its digest says", async () => {
        const wrong = { ...bytesBlob(randomBytes(1000)), digest: digestOf("something else") };
        await expect(pushBlob(at("blobs/wrong").repository, wrong)).rejects.toMatchObject({
          code: "CHECKSUM_MISMATCH",
        });
      });

      it("takes manifests and tags, lists and deletes them", async () => {
        const { repository, other } = at("manifests/all");
        const { bytes } = await image(at("manifests/all"), "x");
        const tags = Array.from({ length: 12 }, (_, index) => parseTag(`t${String(index).padStart(2, "0")}`));
        for (const tag of tags) await putManifest(repository, tag, bytes, mediaTypes.manifest);
        expect([...((await listTags(repository)) ?? [])].sort()).toEqual(tags);
        expect((await headManifest(repository, parseTag("t03")))?.digest).toBe(digestOf(bytes));
        expect((await getManifest(repository, digestOf(bytes)))?.bytes.equals(bytes)).toBe(true);
        expect(await getManifest(repository, parseTag("none"))).toBeUndefined();
        expect((await listTags(other("manifests/none"))) ?? []).toEqual([]);
        await deleteManifest(repository, digestOf(bytes));
        expect(await headManifest(repository, digestOf(bytes))).toBeUndefined();
      });

      it("keeps referrers of several writers, by its own means or by the tag", async () => {
        const first = at("referrers/all");
        const { bytes } = await image(first, "subject");
        await putManifest(first.repository, parseTag("1"), bytes, mediaTypes.manifest);
        const second = at("referrers/all");
        const empty = bytesBlob(Buffer.from("{}"));
        await pushBlob(first.repository, empty);
        const referrer = (type: string): Buffer => {
          const blank = { mediaType: "application/vnd.oci.empty.v1+json", digest: empty.digest, size: 2 };
          const subject = { mediaType: mediaTypes.manifest, digest: digestOf(bytes), size: bytes.length };
          return Buffer.from(
            JSON.stringify({
              schemaVersion: 2,
              mediaType: mediaTypes.manifest,
              artifactType: type,
              config: blank,
              layers: [blank],
              subject,
            }),
          );
        };
        await Promise.all([
          putReferrer(first.repository, referrer("application/spdx+json")),
          putReferrer(second.repository, referrer("application/vnd.cyclonedx+json")),
        ]);
        const found = await listReferrers(first.repository, digestOf(bytes));
        expect(found.map(({ artifactType }) => artifactType).sort()).toEqual([
          "application/spdx+json",
          "application/vnd.cyclonedx+json",
        ]);
        expect(await listReferrers(first.repository, digestOf(bytes), "application/spdx+json")).toHaveLength(
          1,
        );
        expect(await listReferrers(first.repository, digestOf("nothing"))).toEqual([]);
      });

      it("two pushes of the same at once are safe", async () => {
        const blobs = Array.from({ length: 8 }, () => bytesBlob(randomBytes(2_000_000)));
        const [one, two] = [at("at/once"), at("at/once")];
        const { bytes } = await image(one, "same");
        const push = async ({ repository }: OpenedRepository, order: typeof blobs): Promise<void> => {
          await pushBlobs(repository, order);
          await putManifest(repository, parseTag("1"), bytes, mediaTypes.manifest);
        };
        await Promise.all([push(one, blobs), push(two, blobs.toReversed()), push(one, blobs)]);
        for (const blob of blobs) {
          const hash = createHash("sha256");
          for await (const chunk of readBlob(one.repository, blob)) hash.update(chunk);
          expect(`sha256:${hash.digest("hex")}`).toBe(blob.digest);
        }
      });

      it("gets a blob over connections that break on the way there", async () => {
        const blob = bytesBlob(randomBytes(24_000_000));
        const proxy = await startUploadCuttingProxy(`http://${setting.registry.host}`, 9_000_000, 3);
        const cut = open(new URL(proxy.url).host, "broken/up", setting.options);
        expect(await pushBlob(cut.repository, blob)).toBe("uploaded");
        expect(proxy.cuts()).toBeGreaterThan(0);
        expect(await headBlob(at("broken/up").repository, blob.digest)).toBeDefined();
        await cut.close();
        await proxy.close();
      });

      it("gives a blob over connections that break on the way back", async () => {
        const { repository } = at("broken/down");
        const blob = bytesBlob(randomBytes(12_000_000));
        await pushBlob(repository, blob);
        const proxy = await startCuttingProxy(`http://${setting.registry.host}`, 3_000_000);
        const cut = open(new URL(proxy.url).host, "broken/down", setting.options);
        const path = join(directory, "down");
        await downloadBlob(cut.repository, blob, path);
        expect(digestOf(await readFile(path))).toBe(blob.digest);
        expect(proxy.cuts()).toBeGreaterThan(0);
        await cut.close();
        await proxy.close();
      });

      it("refuses strangers", async () => {
        if (setting.options.credentials === undefined) return;
        const wrong = { credentials: { username: "alice", password: "not-her-password" } };
        for (const options of [{ credentials: undefined }, wrong]) {
          const { repository } = at("blobs/all", options);
          const thrown = await pushBlob(repository, bytesBlob(Buffer.from("x"))).catch(
            (error: unknown) => error,
          );
          expect(thrown).toMatchObject({ code: "ACCESS_DENIED" });
          expect(JSON.stringify([thrown, (thrown as Error).message])).not.toContain("not-her-password");
        }
      });
    },
  );

describe.skipIf(debian !== undefined)(
  `docker-registry, interrupted${debian === undefined ? "" : ` (skipped: ${debian})`}`,
  () => {
    let registry: RealRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry();
    });
    afterAll(() => registry.close());

    it("goes on after the last piece that arrived", async () => {
      const begun = new Set<string>();
      const proxy = await startFaultProxy(`http://${registry.host}`, (path, before) => {
        // Of an upload's addresses (each piece has its own) the third is reset once, before the registry sees it.
        if (!path.includes("_state=") || path.includes("digest=")) return undefined;
        begun.add(path);
        return begun.size === 3 && before === 0 ? { resetAfter: 0 } : undefined;
      });
      const { repository, events } = open(new URL(proxy.url).host, "piece/by/piece");
      const blob = bytesBlob(randomBytes(24_000_000));
      expect(await pushBlob(repository, blob, { pieceBytes: 6_000_000 })).toBe("uploaded");
      expect(events.filter((event) => event.type === "retry")).toHaveLength(1);
      // One upload was begun, and what had arrived was asked for.
      expect(proxy.log.filter((line) => /blobs\/uploads\/$/.test(line))).toHaveLength(1);
      expect(proxy.log.filter((line) => line.startsWith("204 "))).toHaveLength(1);
      expect(proxy.log.filter((line) => line.startsWith("202 ") && line.includes("_state="))).toHaveLength(4);
      await proxy.close();
    });

    it("survives a registry that is killed and comes back", async () => {
      const { repository, events } = open(registry.host, "killed/x", { retryDelayMs: 500, retries: 8 });
      const blob = bytesBlob(randomBytes(30_000_000));
      let sent = 0;
      let restarted: Promise<void> | undefined;
      const source = {
        ...blob,
        async *open(offset: number) {
          for await (const chunk of blob.open(offset))
            for (let begin = 0; begin < chunk.length; begin += 1_000_000) {
              yield chunk.subarray(begin, begin + 1_000_000);
              if (++sent === 15) restarted = registry.restart();
            }
        },
      };
      expect(await pushBlob(repository, source)).toBe("uploaded");
      await restarted;
      expect(events.some((event) => event.type === "retry")).toBe(true);
      expect(await headBlob(repository, blob.digest)).toEqual({ size: 30_000_000 });
    });
  },
);

describe.skipIf(noTokens !== undefined)(
  `tokens${noTokens === undefined ? "" : ` (skipped: ${noTokens})`}`,
  () => {
    let tokens: TokenServer;
    let registry: RealRegistry;
    beforeAll(async () => {
      const { mint, certificate } = await tokenSigner();
      tokens = await startTokenServer(mint);
      tokens.users.set("alice", { password: alice.password, writes: "team/" });
      registry = await startDockerRegistry({ tokens: { realm: tokens.url, certificate } });
    });
    afterAll(async () => {
      await registry.close();
      await tokens.close();
    });

    it("are asked for by what is to be done, and suffice for that only", async () => {
      const { repository, other } = open(registry.host, "team/x", { credentials: alice });
      const blob = bytesBlob(randomBytes(1000));
      await pushBlob(repository, blob);
      expect(await pushBlob(other("team/y"), blob, { mountFrom: repository, missing: true })).toBe("mounted");
      expect(tokens.requests.map(({ scopes }) => scopes.join(" "))).toEqual([
        "repository:team/x:pull",
        "repository:team/x:pull,push",
        "repository:team/y:pull,push repository:team/x:pull",
      ]);
      await expect(pushBlob(other("foreign/x"), blob)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
    });

    it("that live for two seconds are renewed on the way", async () => {
      tokens.lifetime = 2;
      const { repository } = open(registry.host, "team/slow", { credentials: alice });
      const before = tokens.requests.length;
      for (let count = 0; count < 4; count++) {
        await pushBlob(repository, bytesBlob(randomBytes(1000)));
        await new Promise((resolve) => setTimeout(resolve, 900));
      }
      expect(tokens.requests.length - before).toBeGreaterThan(2);
      tokens.lifetime = 300;
    });
  },
);

/** A tiny image whose blobs are pushed: its manifest. */
async function image({ repository }: OpenedRepository, label: string): Promise<{ readonly bytes: Buffer }> {
  const layer = bytesBlob(Buffer.from(`layer ${label}`));
  const rootfs = { type: "layers", diff_ids: [layer.digest] };
  const config = bytesBlob(Buffer.from(JSON.stringify({ architecture: "amd64", os: "linux", rootfs })));
  await pushBlobs(repository, [layer, config]);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: layer.digest, size: layer.size }],
  };
  return { bytes: Buffer.from(JSON.stringify(manifest)) };
}
