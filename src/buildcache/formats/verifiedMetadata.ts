/** What a cache says of a package, once believed: fetched, its signature verified, its digests checked. */
import { briefSpec, type ConcreteSpec, type SpecGraph } from "../../spec/concrete.ts";
import { readSpecFile } from "../../spec/readSpecfile.ts";
import type { Digest } from "../../util/digest.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import type { FormatName } from "../types.ts";
import type { PackageId } from "./packageId.ts";

/** Verified metadata of one package, as plain data. */
export interface VerifiedMetadata {
  readonly format: FormatName;
  /** The signed file, as the format names it, and its version then. */
  readonly path: string;
  readonly version: string | undefined;
  /** The spec file, JSON. */
  readonly specFile: string;
  /** Where the spec file lies by itself; undefined where it is part of something else. */
  readonly specPath: string | undefined;
  readonly archivePath: string;
  readonly digest: Digest;
  /** Bytes of the archive; undefined where the layout does not say. */
  readonly size: number | undefined;
  /** Fingerprint of the primary key; undefined when unsigned. */
  readonly signedBy: string | undefined;
  /** When the key or the signature ends, in milliseconds since 1970; undefined when neither does. */
  readonly validUntil: number | undefined;
}

/** Longest spec file accepted, in bytes (uncompressed). */
export const maxSpecFileBytes = 64 * 2 ** 20;

/** What to do about metadata that nobody can read. */
export const pushAgain =
  "it is damaged, or was not made by Spack; remove it from the cache and push the package again";

/** A spec file read and found to be that of the package asked for. */
export interface IdentifiedSpec {
  readonly root: ConcreteSpec;
  readonly graph: SpecGraph;
  /** The whole document, for what lies beside the spec. */
  readonly document: unknown;
}

/**
 * Reads a spec file and checks that it is the one asked for: signatures say who wrote something, not that it is what
 * its file name claims.
 *
 * @param asked name and version need not be known
 * @throws IDENTITY_MISMATCH when it is of another package; CACHE_INVALID when it is no spec file
 */
export function identifySpec(
  text: string,
  asked: Pick<PackageId, "hash"> & Partial<Pick<PackageId, "name" | "version">>,
  place: Place,
): IdentifiedSpec {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new SpacktainersError("CACHE_INVALID", "the spec file is not JSON", {
      place,
      hint: pushAgain,
      cause,
    });
  }
  const { root, graph } = readNodes(document, place);
  const { name = root.name, version = root.version, hash } = asked;
  if (root.hash !== hash || root.name !== name || root.version !== version) {
    throw new SpacktainersError(
      "IDENTITY_MISMATCH",
      `the cache has ${briefSpec(root)} under the name of ${briefSpec({ name, version, hash })}`,
      { place, hint: "someone stored a package under another package's name; spacktainers did not use it" },
    );
  }
  if (root.external !== undefined)
    throw new SpacktainersError(
      "CACHE_INVALID",
      "the spec file says that the package is external, and external packages have no archive",
      { place, hint: pushAgain },
    );
  return { root, graph, document };
}

/** Reads the nodes; where that fails, says what to do about it. */
function readNodes(document: unknown, place: Place): ReturnType<typeof readSpecFile> {
  try {
    return readSpecFile(document, place);
  } catch (thrown) {
    if (!(thrown instanceof SpacktainersError) || thrown.hint !== undefined) throw thrown;
    throw new SpacktainersError(thrown.code, thrown.message, {
      place: thrown.place,
      hint: pushAgain,
      cause: thrown,
    });
  }
}

/** Decodes a text strictly. Throws CACHE_INVALID when it is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, place: Place): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SpacktainersError("CACHE_INVALID", "the file is not UTF-8 text", {
      place,
      hint: pushAgain,
      cause,
    });
  }
}
