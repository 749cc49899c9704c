/** What is in a SIF file, for people and programs. */
import { createWriteStream } from "node:fs";
import { resolve } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { replaceFile } from "../../image/outputTarget.ts";
import { readKeyFile } from "../../openpgp/keyFile.ts";
import { objectWithId, openSif } from "../../sif/openSif.ts";
import {
  formatId,
  partitionAttributes,
  type SifDescriptor,
  signatureAttributes,
} from "../../sif/sifFormat.ts";
import { type SifVerification, verifySif } from "../../sif/verifySif.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { sifPath } from "./sifPath.ts";

/** One data object, in words. */
export interface ListedObject {
  readonly id: number;
  /** `definition`, `json`, `partition`, `signature`, … */
  readonly type: SifDescriptor["type"];
  readonly name: string;
  readonly group: number | undefined;
  /** Its subject. */
  readonly link: { readonly object: number } | { readonly group: number } | undefined;
  /** Bytes. */
  readonly offset: number;
  readonly size: number;
  readonly fileSystem?: string;
  readonly use?: string;
  readonly architecture?: string;
  /** Of a signature. */
  readonly fingerprint?: string;
  readonly hash?: string;
}

/** A SIF file, in words. */
export interface ListedSif {
  readonly path: string;
  readonly id: string;
  readonly architecture: string;
  /** RFC 3339. */
  readonly created: string;
  readonly objects: readonly ListedObject[];
}

/**
 * Lists what is in a SIF file.
 * @throws {SpacktainersError} as `sifPath` and `openSif`
 */
export async function listSif(path: string, directory: string): Promise<ListedSif> {
  const sif = await openSif(sifPath(path, directory));
  try {
    const { header } = sif;
    return {
      path: sif.path,
      id: formatId(header.id),
      architecture: header.architecture,
      created: new Date(Math.min(header.created, 2 ** 36) * 1000).toISOString(),
      objects: sif.objects.map((object) => ({
        id: object.id,
        type: object.type,
        name: object.name,
        group: object.group === 0 ? undefined : object.group,
        link: object.link,
        offset: object.offset,
        size: object.size,
        ...partitionAttributes(object),
        ...signatureAttributes(object),
      })),
    };
  } finally {
    await sif.close();
  }
}

/**
 * Writes the data of one object to a stream, or to a file, whole or not at all.
 *
 * @param output undefined: to `stream`
 * @throws {SpacktainersError} `NOT_FOUND` for a number that no object has; `OUTPUT_EXISTS`; as `openSif`
 */
export async function dumpSif(
  request: {
    readonly directory: string;
    readonly path: string;
    readonly id: number;
    readonly output: string | undefined;
    readonly force: boolean;
    readonly signal: AbortSignal;
  },
  stream: Writable,
): Promise<void> {
  const { signal } = request;
  const sif = await openSif(sifPath(request.path, request.directory));
  try {
    const object = objectWithId(sif, request.id);
    if (request.output === undefined) {
      await pipeline(sif.read(object), stream, { signal, end: false });
      return;
    }
    const target = resolve(request.directory, request.output);
    await replaceFile(
      target,
      request,
      async () => false,
      (temporary) => pipeline(sif.read(object), createWriteStream(temporary, { flags: "wx" }), { signal }),
    );
  } finally {
    await sif.close();
  }
}

/**
 * Verifies the signatures of a SIF file.
 *
 * @param keys files with OpenPGP public keys
 * @throws {SpacktainersError} `USAGE` without keys; as `verifySif`
 */
export async function verifySifFile(
  path: string,
  keys: readonly string[],
  directory: string,
): Promise<SifVerification> {
  if (keys.length === 0)
    throw new SpacktainersError("USAGE", "no trusted key is named", {
      hint: "name the public key of the signer: --key FILE (repeatable)",
    });
  const file = sifPath(path, directory);
  const read = await Promise.all(keys.map((name) => readKeyFile(resolve(directory, name))));
  return verifySif(file, read);
}
