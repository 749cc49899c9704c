/** Build caches of packages that depend on one another, with archives such as Spack makes; for either layout. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { packagePaths } from "../../src/buildcache/formats/v2/paths.ts";
import { blobPath, manifestPath, v3FixedPaths } from "../../src/buildcache/formats/v3/paths.ts";
import { writeNode } from "../../src/environment/writeLock.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { digestOf } from "../../src/util/digest.ts";
import { buildPackage, type TarMember } from "./tarBuilder.ts";
import type { Sign } from "./testCache.ts";

/** Install tree of the machine that built them. */
export const builtRoot = "/build/tree/with/a/rather/long/name/so/that/prefixes/may/shrink";

/** Prefix at build time. */
export function builtPrefix({ name, version, hash }: ConcreteSpec): string {
  return `${builtRoot}/${name}-${version}-${hash}`;
}

/** A spec and everything below it, what it is spliced from included, as far as it is among `all`; itself first. */
function closureIn(all: readonly ConcreteSpec[], root: ConcreteSpec): readonly ConcreteSpec[] {
  const byHash = new Map(all.map((spec) => [spec.hash, spec]));
  const found = new Map([[root.hash, root]]);
  for (const spec of found.values())
    for (const { hash } of [
      ...spec.dependencies,
      ...(spec.buildSpec === undefined ? [] : [spec.buildSpec]),
    ]) {
      const dependency = byHash.get(hash);
      if (dependency !== undefined) found.set(hash, dependency);
    }
  return [...found.values()];
}

/** The spec file of a package, without what a layout adds. */
export function specDocument(all: readonly ConcreteSpec[], spec: ConcreteSpec): Record<string, unknown> {
  const version = spec.specfileVersion;
  const nodes = closureIn(all, spec).map((node) => writeNode(node, version));
  return { spec: { _meta: { version }, nodes }, buildcache_layout_version: 2 };
}

/** What may differ from what Spack would have packed. */
export interface PackedOptions {
  /** Of whom the archive says that it is. */
  readonly says?: ConcreteSpec;
  /** Bytes of noise inside: archives of different sizes. */
  readonly bytes?: number;
  /** Besides that: other files; instead of the program. */
  readonly members?: readonly TarMember[];
}

/** A package's archive, with the spec file and the notes that Spack leaves in it. */
export function packedSpec(
  all: readonly ConcreteSpec[],
  spec: ConcreteSpec,
  { says = spec, bytes = 100, members }: PackedOptions = {},
): Buffer {
  const prefix = builtPrefix(says);
  const noise = Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7919 * (at >> 7)) & 255));
  return buildPackage({
    prefix,
    members: [
      { name: ".spack/spec.json", body: JSON.stringify(specDocument(all, says)) },
      ...(members ?? [
        { name: `bin/${spec.name}`, body: `#!/bin/sh\necho ${spec.name} ${spec.version}\n`, mode: 0o755 },
      ]),
      { name: "share/noise", body: noise },
    ],
    buildinfo: {
      sbang_install_path: `${builtRoot}/bin/sbang`,
      buildpath: builtRoot,
      spackprefix: "/build/spack",
      relative_prefix: prefix.slice(builtRoot.length + 1),
      relocate_textfiles: [],
      relocate_binaries: [],
      relocate_links: [],
      hardlinks_deduped: true,
      hash_to_prefix: Object.fromEntries(
        closureIn(all, says)
          .filter(({ external }) => external === undefined)
          .map((node) => [node.hash, builtPrefix(node)]),
      ),
    },
  });
}

/** What a cache is made of. */
export interface SpecCacheOptions {
  /** Signs texts; without it the cache is unsigned. */
  readonly sign?: Sign;
  /** Specs that the cache has no package of, though they are dependencies. External ones are always left out. */
  readonly without?: readonly ConcreteSpec[];
  /** The archive of a package; default {@link packedSpec}. */
  readonly archive?: (spec: ConcreteSpec) => Buffer;
  /** False: no index. */
  readonly index?: boolean;
}

const asIs: Sign = async (text) => text;

/** A cache in the layout of the specs' generation: v2 for nodes of version 4, v3 for those of version 5. */
export async function specCache(
  specs: readonly ConcreteSpec[],
  options: SpecCacheOptions = {},
): Promise<Map<string, Buffer>> {
  const modern = (specs[0]?.specfileVersion ?? 5) > 4;
  const files = new Map<string, Buffer>();
  const { sign = asIs, without = [], archive = (spec) => packedSpec(specs, spec) } = options;
  const stored = specs.filter((spec) => spec.external === undefined && !without.includes(spec));
  if (modern) files.set(v3FixedPaths.layout, Buffer.from('{"signing": "gpg"}'));
  for (const spec of stored) {
    const packed = archive(spec);
    if (modern) {
      const document = gzipSync(JSON.stringify(specDocument(specs, spec)));
      files.set(blobPath(digestOf(packed)), packed);
      files.set(blobPath(digestOf(document)), document);
      const text = manifest([
        record(packed, "application/vnd.spack.install.v2.tar+gzip", "gzip"),
        record(document, "application/vnd.spack.spec.v5+json", "gzip"),
      ]);
      files.set(manifestPath(spec), Buffer.from(await sign(text)));
      continue;
    }
    const [paths] = packagePaths(spec, (hash) => specs.find((each) => each.hash === hash));
    if (paths === undefined) throw new Error(`no path for ${spec.name}`);
    const checksum = { hash_algorithm: "sha256", hash: sha256(packed) };
    const text = JSON.stringify(
      { ...specDocument(specs, spec), binary_cache_checksum: checksum },
      undefined,
      1,
    );
    files.set(options.sign === undefined ? paths.unsigned : paths.signed, Buffer.from(await sign(text)));
    files.set(paths.archive, packed);
  }
  if (options.index === false) return files;
  const installs = Object.fromEntries(
    specs.map((spec) => [
      spec.hash,
      { spec: writeNode(spec, spec.specfileVersion), ref_count: 0, in_buildcache: stored.includes(spec) },
    ]),
  );
  const index = Buffer.from(JSON.stringify({ database: { version: modern ? "8" : "7", installs } }));
  if (modern) {
    files.set(blobPath(digestOf(index)), index);
    files.set(
      v3FixedPaths.indexManifest,
      Buffer.from(manifest([record(index, "application/vnd.spack.db.v8+json", "none")])),
    );
  } else {
    files.set("build_cache/index.json", index);
    files.set("build_cache/index.json.hash", Buffer.from(sha256(index)));
  }
  return files;
}

function record(bytes: Buffer, mediaType: string, compression: "gzip" | "none") {
  return {
    contentLength: bytes.length,
    mediaType,
    compression,
    checksumAlgorithm: "sha256",
    checksum: sha256(bytes),
  };
}

function manifest(data: readonly unknown[]): string {
  return JSON.stringify({ version: 3, data }, undefined, 1);
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
