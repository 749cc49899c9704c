/** Copies of the demonstration's build cache with faults in them, and a repository that builds from them fast. */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { demoRepository, type Workplace } from "./cli.ts";
import type { TestKey } from "./signingKey.ts";

/** One record of a manifest in layout v3. */
export interface ManifestRecord {
  contentLength: number;
  mediaType: string;
  compression: string;
  checksumAlgorithm: string;
  checksum: string;
}

/** A copy of the demonstration's cache. */
export interface DemoCache {
  readonly directory: string;
  /** Path of the signed manifest of a package. */
  manifest(name: string): string;
  /** Path of a package's archive. */
  archive(name: string): string;
  /** The prefix that a package was built for, absolute. */
  builtPrefix(name: string): string;
  /** Path of the index. */
  index(): string;
  /** Changes the index: its records by hash. Manifest and digests fit again afterwards, as a liar would see to. */
  changeIndex(change: (installs: Record<string, { spec: Record<string, unknown> }>) => void): void;
  /** Puts another archive in the place of a package's and signs that, as someone with a trusted key could. */
  replaceArchive(name: string, key: TestKey, change: (tar: Buffer) => Buffer): Promise<void>;
  /** Puts another spec file in the place of a package's and signs that: `change` gets the package's node. */
  replaceSpec(name: string, key: TestKey, change: (node: Record<string, unknown>) => void): Promise<void>;
}

/** A cache in a directory that has the demonstration's packages in layout v3: those for amd64 are meant. */
export function demoCache(directory: string): DemoCache {
  const at = (path: string): string => join(directory, path);
  const blob = (hex: string): string => at(`blobs/sha256/${hex.slice(0, 2)}/${hex}`);
  const manifest = (name: string): string => {
    const folder = at(`v3/manifests/spec/${name}`);
    const found = readdirSync(folder).find((file) => targetOf(join(folder, file)) !== "aarch64");
    return join(folder, found ?? "");
  };
  /** The microarchitecture that a package is for. */
  const targetOf = (path: string): string | undefined => {
    const text = gunzipSync(readFileSync(blob(only(path, ".spec.").checksum))).toString("utf8");
    const { target } = JSON.parse(text).spec.nodes[0].arch;
    return typeof target === "string" ? target : target?.name;
  };
  const records = (path: string): ManifestRecord[] => {
    const text = readFileSync(path, "utf8");
    return JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)).data;
  };
  const only = (path: string, type: string): ManifestRecord => {
    const found = records(path).find(({ mediaType }) => mediaType.includes(type));
    if (found === undefined) throw new Error(`${path} has no ${type}`);
    return found;
  };
  const putBlob = (bytes: Buffer): Pick<ManifestRecord, "checksum" | "contentLength"> => {
    const checksum = createHash("sha256").update(bytes).digest("hex");
    mkdirSync(dirname(blob(checksum)), { recursive: true });
    writeFileSync(blob(checksum), bytes);
    return { checksum, contentLength: bytes.length };
  };
  const indexManifest = at("v3/manifests/index/index.manifest.json");
  return {
    directory,
    manifest,
    archive: (name) => blob(only(manifest(name), ".install.").checksum),
    builtPrefix(name) {
      const hash = /-([a-z0-9]{32})\.spec\.manifest\.json$/.exec(manifest(name))?.[1];
      const tar = gunzipSync(readFileSync(blob(only(manifest(name), ".install.").checksum))).toString(
        "latin1",
      );
      const prefix = new RegExp(`[{ ]"?${hash}"?: "?(/[^",}]+)`).exec(tar)?.[1];
      if (prefix === undefined) throw new Error(`the archive of ${name} does not say its prefix`);
      return prefix;
    },
    index: () => blob(only(indexManifest, ".db.").checksum),
    changeIndex(change) {
      const record = only(indexManifest, ".db.");
      const document = JSON.parse(readFileSync(blob(record.checksum), "utf8"));
      change(document.database.installs);
      const data = [{ ...record, ...putBlob(Buffer.from(JSON.stringify(document))) }];
      writeFileSync(indexManifest, JSON.stringify({ version: 3, data }));
    },
    async replaceArchive(name, key, change) {
      const path = manifest(name);
      const archive = only(path, ".install.");
      const changed = gzipSync(change(gunzipSync(readFileSync(blob(archive.checksum)))));
      const data = [{ ...archive, ...putBlob(changed) }, only(path, ".spec.")];
      writeFileSync(path, await key.sign(JSON.stringify({ version: 3, data }, undefined, 1)));
    },
    async replaceSpec(name, key, change) {
      const path = manifest(name);
      const spec = only(path, ".spec.");
      const document = JSON.parse(gunzipSync(readFileSync(blob(spec.checksum))).toString("utf8"));
      change(document.spec.nodes[0]);
      const data = [only(path, ".install."), { ...spec, ...putBlob(gzipSync(JSON.stringify(document))) }];
      writeFileSync(path, await key.sign(JSON.stringify({ version: 3, data }, undefined, 1)));
    },
  };
}

/**
 * Makes a repository in a workplace: the definition of `hello-mpi` and a copy of its cache in `cache/`, signed by the
 * demonstration's key and trusted with `test.pub` besides when that is given. Its images have no base, so that they are
 * made in a moment.
 *
 * @param cacheUrl what the configuration names as the cache
 */
export function makeDemoRepository(work: Workplace, cacheUrl = "cache", key?: TestKey): DemoCache {
  cpSync(join(demoRepository, "demo/cache"), work.path("cache"), { recursive: true });
  cpSync(join(demoRepository, "demo/cache.pub"), work.path("cache.pub"));
  if (key !== undefined) writeFileSync(work.path("test.pub"), key.armored);
  const definition = "container_definitions/amd64/hello-mpi";
  cpSync(join(demoRepository, definition), work.path(definition), { recursive: true });
  const keys = key === undefined ? "[cache.pub]" : "[cache.pub, test.pub]";
  writeFileSync(
    work.path("spacktainers.yaml"),
    `caches:\n- {url: ${JSON.stringify(cacheUrl)}, trust: ${keys}}\nbase: {scratch: true}\nlinkage: {allow-unresolved: ["*"]}\n`,
  );
  return demoCache(work.path("cache"));
}
