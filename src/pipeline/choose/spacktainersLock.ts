/**
 * `spacktainers.lock`: what an image is made of apart from the choice of packages that `spack.lock` holds: the archives by
 * digest, what lies underneath, and the versions of our own transformations. JSON; the format is in `docs/locks.md`.
 */
import { basename, dirname, join } from "node:path";
import * as z from "zod";
import type { BasePackage } from "../../base/types.ts";
import { type Architecture, architectures } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { type PublicSpackRecord, readSpackRecord, spackRecordSchema } from "../../spack/solveRecords.ts";
import type { DagHash } from "../../spec/concrete.ts";
import { digestSchema as digest, dagHashSchema as hash } from "../../spec/hashSchemas.ts";
import type { Digest } from "../../util/digest.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { readBounded } from "../../util/readBounded.ts";
import { withoutUndefined } from "../../util/withoutUndefined.ts";

/** Version of the format that is written; older ones are read. */
export const spacktainersLockVersion = 1;

/** Most bytes a lock may have. */
const largestLock = 64 << 20;

/** The archive of a package. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  readonly hash: DagHash;
  /** SHA-256 of the archive in the cache. */
  readonly archive: Digest;
  /** Bytes of the archive, where known. */
  readonly size: number | undefined;
}

/** What lies underneath. */
export interface LockedBase {
  readonly kind: "debian" | "rootfs" | "oci" | "image" | "scratch";
  /** The configuration's words, as far as they decide what the base is. */
  readonly request: readonly string[];
  /** Of a base of OS packages: exactly these. Of others: those found in it. */
  readonly packages: readonly BasePackage[];
  /** Of a finished base: digests of the uncompressed layers, from bottom to top. */
  readonly layers: readonly Digest[];
  /** Of an image: digest of its manifest. */
  readonly digest: Digest | undefined;
}

/** A `spacktainers.lock`. */
export interface SpacktainersLock {
  readonly architecture: Architecture;
  /** Of the text of the `spack.lock` it belongs to. */
  readonly spackLock: Digest;
  /** See `choiceInputs`. */
  readonly choice: Digest;
  /** Versions of our transformations: others may give other bytes. */
  readonly tool: { readonly install: number; readonly assembly: number };
  readonly base: LockedBase;
  /** The Spack that chose or built packages; undefined where none did. */
  readonly spack?: PublicSpackRecord | undefined;
  /** The packages that go into the image, by name, then hash. */
  readonly packages: readonly LockedPackage[];
}

/** Paths of both locks of a container: beside its definition, whether they exist or not. */
export function lockPaths(container: Pick<Container, "path" | "name">): {
  readonly spack: string;
  readonly spacktainers: string;
} {
  const folder = dirname(container.path);
  const prefix = basename(container.path) === "spack.yaml" ? "" : `${container.name}.`;
  return {
    spack: join(folder, prefix === "" ? "spack.lock" : `${prefix}lock`),
    spacktainers: join(folder, `${prefix}spacktainers.lock`),
  };
}

const word = z
  .string()
  .max(512)
  .regex(/^[\x21-\x7e]+$/, "must be printable, without blanks");
const size = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

const osPackage = z.strictObject({
  name: word,
  version: word,
  architecture: word,
  digest: digest.optional(),
  size: size.optional(),
  // It becomes part of a URL: nothing that leads elsewhere.
  filename: z
    .string()
    .max(1024)
    .regex(/^(?!\/)(?!.*(?:\.\.|\/\/))[A-Za-z0-9._+~:%/-]+$/, "must be a path below the archive")
    .optional(),
  archive: z.enum(["main", "security"]).optional(),
  url: z.string().max(2048).optional(),
  source: z.strictObject({ name: word, version: word }).optional(),
});

const document = z.strictObject({
  _meta: z.strictObject({ "file-type": z.literal("spacktainers-lockfile"), "lockfile-version": z.int() }),
  architecture: z.enum(architectures),
  "spack-lock": digest,
  choice: digest,
  tool: z.strictObject({ install: z.int(), assembly: z.int() }),
  base: z.strictObject({
    kind: z.enum(["debian", "rootfs", "oci", "image", "scratch"]),
    request: z.array(z.string().max(4096)).max(1000),
    digest: digest.optional(),
    layers: z.array(digest).max(1000).optional(),
    packages: z.array(osPackage).max(100_000).optional(),
  }),
  spack: spackRecordSchema.optional(),
  packages: z
    .array(z.strictObject({ name: word, version: word, hash, archive: digest, size: size.optional() }))
    .max(100_000),
});

/**
 * Reads the text of a lock.
 *
 * @param file for places
 * @throws {SpacktainersError} `LOCK_INVALID`; `NOT_SUPPORTED` when it is of a newer version
 */
export function readSpacktainersLock(text: string, file: string): SpacktainersLock {
  const hint = "run `spacktainers lock` to write it again";
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SpacktainersError("LOCK_INVALID", "the lock is not JSON", { place: { file }, hint, cause });
  }
  const version = z.object({ _meta: z.object({ "lockfile-version": z.int() }) }).safeParse(json);
  if (version.success && version.data._meta["lockfile-version"] > spacktainersLockVersion)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `this program reads its own locks up to version ${spacktainersLockVersion}, not ${version.data._meta["lockfile-version"]}`,
      { place: { file }, hint: "update this program, or run `spacktainers lock` to write the lock again" },
    );
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const at = issue === undefined || issue.path.length === 0 ? "" : `${issue.path.map(String).join(".")}: `;
    throw new SpacktainersError("LOCK_INVALID", `${at}${issue?.message ?? "malformed"}`, {
      place: { file },
      hint,
    });
  }
  const { architecture, choice, tool, base, packages } = parsed.data;
  return {
    architecture,
    spackLock: parsed.data["spack-lock"],
    choice,
    tool,
    base: {
      kind: base.kind,
      request: base.request,
      packages: (base.packages ?? []).map(withoutUndefined),
      layers: base.layers ?? [],
      digest: base.digest,
    },
    spack: parsed.data.spack && readSpackRecord(parsed.data.spack),
    packages: packages.map((one) => ({ ...one, size: one.size })),
  };
}

/** Reads a lock from disk; undefined when there is none. Throws as {@link readSpacktainersLock}, or `ACCESS_DENIED`, `IO`. */
export async function loadSpacktainersLock(file: string): Promise<SpacktainersLock | undefined> {
  let text: string;
  try {
    const bytes = await readBounded(file, largestLock);
    if (bytes === undefined)
      throw new SpacktainersError("LOCK_INVALID", `the lock is larger than ${largestLock} bytes`, {
        place: { file },
      });
    text = bytes.toString("utf8");
  } catch (thrown) {
    const error = asSpacktainersError(thrown, { file });
    if (error.code === "NOT_FOUND") return undefined;
    throw error;
  }
  return readSpacktainersLock(text, file);
}

/** The text of a lock: the same contents give the same bytes. A package takes one line, so that differences read well. */
export function writeSpacktainersLock(lock: SpacktainersLock): string {
  const { base } = lock;
  const lines = (items: readonly object[]): string =>
    items.length === 0 ? "[]" : `[\n${items.map((item) => `    ${JSON.stringify(item)}`).join(",\n")}\n  ]`;
  const fields = (record: Readonly<Record<string, string>>, indent: string): string =>
    Object.entries(record)
      .map(([key, value]) => `${indent}${JSON.stringify(key)}: ${value}`)
      .join(",\n");
  const packages = [...lock.packages]
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.hash < b.hash ? -1 : 1))
    .map(({ name, version, hash, archive, size }) =>
      withoutUndefined({ name, version, hash, archive, size }),
    );
  const underneath = fields(
    {
      kind: JSON.stringify(base.kind),
      request: JSON.stringify(base.request),
      ...(base.digest === undefined ? {} : { digest: JSON.stringify(base.digest) }),
      layers: JSON.stringify(base.layers),
      packages: lines(base.packages.map(writtenPackage)).replaceAll("\n", "\n  "),
    },
    "    ",
  );
  const meta = { "file-type": "spacktainers-lockfile", "lockfile-version": spacktainersLockVersion };
  return `{\n${fields(
    {
      _meta: JSON.stringify(meta),
      architecture: JSON.stringify(lock.architecture),
      "spack-lock": JSON.stringify(lock.spackLock),
      choice: JSON.stringify(lock.choice),
      tool: JSON.stringify(lock.tool),
      base: `{\n${underneath}\n  }`,
      ...(lock.spack === undefined ? {} : { spack: JSON.stringify(lock.spack) }),
      packages: lines(packages),
    },
    "  ",
  )}\n}\n`;
}

/** An OS package with its keys in one order. */
function writtenPackage(one: BasePackage): BasePackage {
  const { name, version, architecture, digest, size, filename, archive, url, source } = one;
  return withoutUndefined({ name, version, architecture, digest, size, filename, archive, url, source });
}
