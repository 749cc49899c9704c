/** With which Spack the packages of a lock were chosen or built on this machine: for locks and provenance. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { digestSchema } from "../spec/hashSchemas.ts";
import type { SpackDescription } from "../supply/imageDescription.ts";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { redactUrl } from "../util/redact.ts";
import { spackHome } from "./folders.ts";
import type { SpackRecord } from "./spack.ts";

/** The part of a Spack's record that is worth publishing: no paths of this machine. */
export type PublicSpackRecord = Required<SpackDescription>;

const word = z.string().max(4096);
const commit = z
  .string()
  .regex(/^[0-9a-f]{40}$/)
  .optional();

/** The form in which a record is written. */
export const spackRecordSchema = z.strictObject({
  version: word,
  url: word.optional(),
  commit,
  repositories: z.array(z.strictObject({ namespace: word, url: word.optional(), commit })).max(1000),
  builder: z
    .strictObject({
      image: word.optional(),
      digest: digestSchema.optional(),
    })
    .optional(),
});

/** The part of a record that others may see. Files that are not those of a commit have none. */
export function publicRecord(record: SpackRecord): PublicSpackRecord {
  return {
    version: record.version,
    url: publicAddress(record.url),
    commit: record.modified ? undefined : record.commit,
    repositories: record.repositories.map(({ namespace, url, commit: own, modified }) => ({
      namespace,
      url: publicAddress(url),
      commit: modified ? undefined : own,
    })),
    builder: record.builder && {
      image: isPathOfMachine(record.builder.image) ? undefined : record.builder.image,
      digest: record.builder.digest,
    },
  };
}

/** Reads what {@link spackRecordSchema} has checked. */
export function readSpackRecord(read: z.output<typeof spackRecordSchema>): PublicSpackRecord {
  return {
    version: read.version,
    url: read.url,
    commit: read.commit,
    repositories: read.repositories.map((one) => ({
      namespace: one.namespace,
      url: one.url,
      commit: one.commit,
    })),
    builder: read.builder && { image: read.builder.image, digest: read.builder.digest },
  };
}

const isPathOfMachine = (image: string): boolean => /^\.{0,2}\//.test(image) || image.endsWith(".sif");

function publicAddress(url: string): string | undefined {
  return /^(?:https?|ssh):\/\/|^[^/@]+@[^/:]+:/.test(url) ? redactUrl(url) : undefined;
}

function fileOf(lockText: string): string {
  return join(spackHome(), "records", `${hexOfDigest(digestOf(lockText))}.json`);
}

/** Remembers with which Spack a lock was made, or its packages were built. Never fails: the record is informative, not needed. */
export async function rememberSpack(lockText: string, record: SpackRecord): Promise<void> {
  await writeFileAtomically(fileOf(lockText), JSON.stringify(publicRecord(record))).catch(() => {});
}

/** With which Spack a lock was made, or its packages were built; undefined when that was not on this machine. */
export async function rememberedSpack(lockText: string): Promise<PublicSpackRecord | undefined> {
  try {
    return readSpackRecord(spackRecordSchema.parse(JSON.parse(await readFile(fileOf(lockText), "utf8"))));
  } catch {
    return undefined;
  }
}
