/** A repository for tests: in memory, and in Debian's docker-registry by plain HTTP. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, type ImageIndex, mediaTypes } from "../../src/archive/oci/types.ts";
import type { Artifact } from "../../src/supply/artifact.ts";
import type { ArtifactSink, ArtifactSource, StoredManifest } from "../../src/supply/artifactStore.ts";
import { type Digest, digestOf, hexOfDigest } from "../../src/util/digest.ts";

/** A repository that can be looked into and tampered with. */
export interface MemoryRepository extends ArtifactSource, ArtifactSink {
  readonly manifests: Map<string, StoredManifest>;
  readonly blobs: Map<Digest, Buffer>;
  putManifest(bytes: Buffer, mediaType: string, tag?: string): Descriptor;
  putBlob(bytes: Buffer, mediaType: string): Descriptor;
}

export function memoryRepository(repository: string): MemoryRepository {
  const manifests = new Map<string, StoredManifest>();
  const blobs = new Map<Digest, Buffer>();
  const referring = new Map<Digest, Descriptor[]>();
  const putManifest = (bytes: Buffer, mediaType: string, tag?: string): Descriptor => {
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
    manifests.set(descriptor.digest, { descriptor, bytes });
    if (tag !== undefined) manifests.set(tag, { descriptor, bytes });
    const { subject, artifactType } = JSON.parse(bytes.toString("utf8"));
    if (subject !== undefined) {
      const list = referring.get(subject.digest) ?? [];
      if (!list.some(({ digest }) => digest === descriptor.digest))
        list.push({ ...descriptor, artifactType } as Descriptor);
      referring.set(subject.digest, list);
    }
    return descriptor;
  };
  const putBlob = (bytes: Buffer, mediaType: string): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  return {
    repository,
    manifests,
    blobs,
    putManifest,
    putBlob,
    manifest: async (reference) => manifests.get(reference),
    referrers: async (image, artifactType) =>
      (referring.get(image) ?? []).filter(
        (one) =>
          artifactType === undefined || (one as { artifactType?: string }).artifactType === artifactType,
      ),
    async blob(descriptor, maxBytes) {
      const bytes = blobs.get(descriptor.digest);
      if (bytes === undefined || bytes.length > maxBytes) throw new Error(`no blob ${descriptor.digest}`);
      return bytes;
    },
    hasBlob: async ({ digest }) => blobs.has(digest),
    async push(artifact) {
      for (const { bytes, descriptor } of artifact.blobs) putBlob(bytes, descriptor.mediaType);
      putManifest(artifact.manifest.bytes, artifact.manifest.descriptor.mediaType, artifact.tag);
    },
  };
}

/** A registry on this machine. */
export interface TestRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  repository(name: string): ArtifactSource & ArtifactSink & HttpRepository;
  stop(): Promise<void>;
}

interface HttpRepository {
  putBlob(bytes: Buffer): Promise<void>;
  putManifest(bytes: Buffer, mediaType: string, reference: string): Promise<void>;
}

/** Why there can be no registry here; undefined when there can. */
export function registryTrouble(): string | undefined {
  return spawnSync("docker-registry", ["--version"]).status === 0
    ? undefined
    : "docker-registry is not installed";
}

/** Starts Debian's docker-registry on a free port of the loopback interface. */
export async function startRegistry(): Promise<TestRegistry> {
  const directory = mkdtempSync(join(tmpdir(), "spacktainers-registry-"));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  writeFileSync(
    join(directory, "config.yml"),
    `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${JSON.stringify(join(directory, "data"))}}}\nhttp: {addr: "${host}"}\n`,
  );
  const child = spawn("docker-registry", ["serve", join(directory, "config.yml")], { stdio: "ignore" });
  for (let tries = 0; ; tries++) {
    const up = await fetch(`http://${host}/v2/`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (up) break;
    if (tries > 300 || child.exitCode !== null) throw new Error("docker-registry does not start");
    await new Promise((done) => setTimeout(done, 100));
  }
  return {
    host,
    repository: (name) => httpRepository(host, name),
    async stop() {
      const ended = new Promise((done) => child.once("exit", done));
      child.kill();
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function httpRepository(host: string, name: string): ReturnType<TestRegistry["repository"]> {
  const base = `http://${host}/v2/${name}`;
  const accept = [mediaTypes.manifest, mediaTypes.index].join(", ");
  const manifest = async (reference: string): Promise<StoredManifest | undefined> => {
    const answer = await fetch(`${base}/manifests/${reference}`, { headers: { accept } });
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`${reference}: ${answer.status}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    const mediaType = answer.headers.get("content-type") ?? "";
    return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
  };
  const putManifest = async (bytes: Buffer, mediaType: string, reference: string): Promise<void> => {
    const answer = await fetch(`${base}/manifests/${reference}`, {
      method: "PUT",
      headers: { "content-type": mediaType },
      body: new Uint8Array(bytes),
    });
    if (!answer.ok) throw new Error(`putting ${reference}: ${answer.status} ${await answer.text()}`);
  };
  const putBlob = async (bytes: Buffer): Promise<void> => {
    const started = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
    const location = new URL(started.headers.get("location") ?? "", base);
    location.searchParams.set("digest", digestOf(bytes));
    const answer = await fetch(location, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: new Uint8Array(bytes),
    });
    if (!answer.ok) throw new Error(`putting a blob: ${answer.status}`);
  };
  /** The index that stands for the referrers API, which this registry does not have. */
  const referring = async (image: Digest): Promise<ImageIndex> => {
    const stored = await manifest(`sha256-${hexOfDigest(image)}`);
    return stored === undefined
      ? { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }
      : JSON.parse(stored.bytes.toString("utf8"));
  };
  return {
    repository: `${host}/${name}`,
    manifest,
    putManifest,
    putBlob,
    async referrers(image, artifactType) {
      const { manifests } = await referring(image);
      return manifests.filter(
        (one) =>
          artifactType === undefined || (one as { artifactType?: string }).artifactType === artifactType,
      );
    },
    async blob({ digest }, maxBytes) {
      const answer = await fetch(`${base}/blobs/${digest}`);
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (!answer.ok || bytes.length > maxBytes || digestOf(bytes) !== digest)
        throw new Error(`blob ${digest}`);
      return bytes;
    },
    hasBlob: async ({ digest }) => (await fetch(`${base}/blobs/${digest}`, { method: "HEAD" })).ok,
    async push(artifact: Artifact) {
      for (const { bytes } of artifact.blobs) await putBlob(bytes);
      const { bytes, descriptor, value } = artifact.manifest;
      await putManifest(bytes, descriptor.mediaType, artifact.tag ?? descriptor.digest);
      const index = await referring(artifact.subject.digest);
      if (index.manifests.some(({ digest }) => digest === descriptor.digest)) return;
      const entry = {
        ...descriptor,
        artifactType: artifact.artifactType,
        ...(value.annotations === undefined ? {} : { annotations: value.annotations }),
      };
      const changed = { ...index, manifests: [...index.manifests, entry] };
      await putManifest(
        Buffer.from(JSON.stringify(changed)),
        mediaTypes.index,
        `sha256-${hexOfDigest(artifact.subject.digest)}`,
      );
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
