/**
 * The facts of an image as a file: what a build knows and the image itself does not say (where archives came from, who
 * signed them, what was installed on the way). JSON; the format is in `docs/supply-chain.md`.
 */
import * as z from "zod";
import { readLock } from "../environment/lock.ts";
import { writeLock } from "../environment/writeLock.ts";
import type { ConcreteSpec, DagHash } from "../spec/concrete.ts";
import { digestSchema as digest, dagHashSchema as hash } from "../spec/hashSchemas.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { BuiltImageDescription } from "./imageDescription.ts";

/** Media type of the document. */
export const descriptionMediaType = "application/vnd.spacktainers.facts.v1+json";

/** Version of the format that is written. */
const factsVersion = 1;

/** Most bytes a document may have. */
export const largestDescription = 64 << 20;

const word = z.string().min(1).max(512);
const text = z.string().max(4096);
const size = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const list = <T extends z.ZodType>(item: T) => z.array(item).max(100_000);

const osPackage = z.strictObject({
  name: word,
  version: word,
  architecture: word,
  digest: digest.optional(),
  size: size.optional(),
  filename: text.optional(),
  archive: z.enum(["main", "security"]).optional(),
  url: text.optional(),
  source: z.strictObject({ name: word, version: word }).optional(),
});

const document = z.strictObject({
  _meta: z.strictObject({ "file-type": z.literal("spacktainers-image-facts"), version: z.int() }),
  name: word,
  version: word,
  platform: z.strictObject({ architecture: word, os: word, variant: word.optional() }),
  manifest: z.strictObject({ digest, size, mediaType: word, config: digest }),
  created: z.iso.datetime(),
  layers: list(
    z.strictObject({
      digest,
      diffId: digest,
      size,
      mediaType: word,
      role: z.enum(["base", "packages", "top"]),
      packages: list(hash),
    }),
  ),
  packages: list(
    z.strictObject({
      hash,
      prefix: text.optional(),
      archive: z
        .strictObject({ digest, size: size.optional(), url: text.optional(), signedBy: word.optional() })
        .optional(),
      license: text.optional(),
    }),
  ),
  externals: list(hash),
  base: z.strictObject({
    name: text,
    digest: digest.optional(),
    distribution: z
      .strictObject({ id: word, versionId: word.optional(), codename: word.optional() })
      .optional(),
    packages: list(osPackage),
  }),
  inputs: z.strictObject({
    all: digest.optional(),
    definition: digest.optional(),
    spackLock: digest.optional(),
    ownLock: digest.optional(),
    configuration: digest.optional(),
  }),
  source: z
    .strictObject({
      url: text.optional(),
      revision: word.optional(),
      lastChange: word.optional(),
      ref: text.optional(),
      path: text.optional(),
    })
    .optional(),
  rebasedFrom: z.strictObject({ digest, repository: text.optional() }).optional(),
  builder: z.strictObject({ id: text, invocation: text.optional() }).optional(),
  spack: z
    .strictObject({
      version: word,
      url: text.optional(),
      commit: word.optional(),
      repositories: z
        .array(z.strictObject({ namespace: word, url: text.optional(), commit: word.optional() }))
        .max(1000),
      builder: z.strictObject({ image: text.optional(), digest: digest.optional() }).optional(),
    })
    .optional(),
  toolVersion: word.optional(),
  // A `spack.lock`; read as such.
  environment: z.record(z.string(), z.unknown()),
});

/** The document: the same facts give the same bytes. */
export function writeDescription(facts: BuiltImageDescription): Buffer {
  const { name, version, platform, manifest, created, layers, base, inputs } = facts;
  const content: z.input<typeof document> = {
    _meta: { "file-type": "spacktainers-image-facts", version: factsVersion },
    name,
    version,
    platform,
    manifest: {
      digest: manifest.digest,
      size: manifest.size,
      mediaType: manifest.mediaType,
      config: manifest.config,
    },
    created,
    layers: layers.map((layer) => ({
      digest: layer.digest,
      diffId: layer.diffId,
      size: layer.size,
      mediaType: layer.mediaType,
      role: layer.role,
      packages: [...layer.packages],
    })),
    packages: facts.packages.map(({ spec, ...known }) => ({ hash: spec.hash, ...known })),
    externals: facts.externals.map(({ hash }) => hash),
    base: { ...base, packages: [...base.packages] },
    inputs,
    source: facts.source,
    rebasedFrom: facts.rebasedFrom,
    builder: facts.builder,
    spack: facts.spack && { ...facts.spack, repositories: [...facts.spack.repositories] },
    toolVersion: facts.toolVersion,
    environment: JSON.parse(writeLock({ roots: facts.roots, graph: facts.graph }, "1.x")),
  };
  return Buffer.from(`${JSON.stringify(content)}\n`, "utf8");
}

/**
 * Reads the document.
 *
 * @param where of the bytes, for places
 * @throws {SpacktainersError} `ARCHIVE_INVALID`; `NOT_SUPPORTED` when it is of a newer version
 */
export function readDescription(bytes: Uint8Array, where: string): BuiltImageDescription {
  const place = { file: where };
  const invalid = (message: string, cause?: unknown): SpacktainersError =>
    new SpacktainersError("ARCHIVE_INVALID", `the facts of the image cannot be read: ${message}`, {
      place,
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid("not JSON", cause);
  }
  const header = z.object({ _meta: z.object({ version: z.int() }) }).safeParse(json);
  if (header.success && header.data._meta.version > factsVersion)
    throw new SpacktainersError("NOT_SUPPORTED", "the facts of the image were written by a newer version", {
      place,
      hint: "update this program",
    });
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "malformed"}`);
  }
  const { packages, externals, environment, _meta: _, ...rest } = parsed.data;
  const { graph, roots } = readLock(JSON.stringify(environment), where);
  const specOf = (hash: DagHash): ConcreteSpec => {
    const spec = graph.get(hash);
    if (spec === undefined) throw invalid(`the package ${hash} is not in its environment`);
    return spec;
  };
  return {
    ...rest,
    platform: defined(rest.platform),
    roots: roots.map(({ request, hash }) => ({ request, hash })),
    graph,
    packages: packages.map(({ hash, prefix, archive, license }) => ({
      spec: specOf(hash),
      prefix,
      archive: archive && {
        digest: archive.digest,
        size: archive.size,
        url: archive.url,
        signedBy: archive.signedBy,
      },
      license,
    })),
    externals: externals.map(specOf),
    base: {
      name: rest.base.name,
      digest: rest.base.digest,
      distribution: rest.base.distribution && {
        id: rest.base.distribution.id,
        versionId: rest.base.distribution.versionId,
        codename: rest.base.distribution.codename,
      },
      packages: rest.base.packages.map(defined),
    },
    inputs: {
      all: rest.inputs.all,
      definition: rest.inputs.definition,
      spackLock: rest.inputs.spackLock,
      ownLock: rest.inputs.ownLock,
      configuration: rest.inputs.configuration,
    },
    source: rest.source && {
      url: rest.source.url,
      revision: rest.source.revision,
      lastChange: rest.source.lastChange,
      ref: rest.source.ref,
      path: rest.source.path,
    },
    rebasedFrom: rest.rebasedFrom && {
      digest: rest.rebasedFrom.digest,
      repository: rest.rebasedFrom.repository,
    },
    builder: rest.builder && { id: rest.builder.id, invocation: rest.builder.invocation },
    spack: rest.spack && {
      version: rest.spack.version,
      url: rest.spack.url,
      commit: rest.spack.commit,
      repositories: rest.spack.repositories.map(({ namespace, url, commit }) => ({ namespace, url, commit })),
      builder: rest.spack.builder && {
        image: rest.spack.builder.image,
        digest: rest.spack.builder.digest,
      },
    },
    toolVersion: rest.toolVersion,
  };
}

/** A record without the keys that are undefined. */
function defined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
