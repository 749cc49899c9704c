/** What the writers of all formats make of packages that are there. */
import { briefSpec } from "../../spec/concrete.ts";
import type { Store } from "../../store/store.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { inNewDialect, readSpecDocument, type SpecDocument } from "../specDocument.ts";
import type { FormatName } from "../types.ts";
import { identifySpec, type VerifiedMetadata } from "./verifiedMetadata.ts";
import type { DescribedPackage, StoredPackage } from "./writer.ts";

const readsAtOnce = 16;

/**
 * The facts of a package.
 *
 * @param metadata undefined: it is gone
 * @throws NOT_FOUND
 */
export async function describeMetadata(
  files: Pick<Store, "locate" | "stat">,
  { path, hash }: StoredPackage,
  metadata: VerifiedMetadata | undefined,
): Promise<DescribedPackage> {
  const place = { url: files.locate(path) };
  if (metadata === undefined)
    throw new SpacktainersError("NOT_FOUND", "the package no longer exists", { place });
  const { root, graph } = identifySpec(metadata.specFile, { hash }, place);
  const facts = await files.stat(metadata.archivePath);
  return {
    spec: root,
    graph,
    archive: {
      path: metadata.archivePath,
      digest: metadata.digest,
      size: facts === undefined ? undefined : (facts.size ?? metadata.size),
    },
    signedBy: metadata.signedBy,
  };
}

/**
 * The spec files of all packages that are there, in the order of their hashes; those that cannot be read are named by a warning.
 *
 * @param cache lists packages, and reads the spec file of one; undefined when it is gone
 */
export async function collectSpecs(
  format: FormatName,
  {
    list,
    read,
  }: {
    list(): AsyncIterable<StoredPackage>;
    read(stored: StoredPackage): Promise<string | undefined>;
  },
  emit: EmitEvent,
): Promise<readonly SpecDocument[]> {
  const stored: StoredPackage[] = [];
  for await (const each of list()) stored.push(each);
  const documents = await mapConcurrently(stored, readsAtOnce, async (one) => {
    try {
      const text = await read(one);
      const place = { url: one.path };
      return text === undefined ? [] : [fitting(readSpecDocument(text, place), format, place)];
    } catch (thrown) {
      const error = asSpacktainersError(thrown, { url: one.path });
      if (["NETWORK", "ACCESS_DENIED", "INTERRUPTED"].includes(error.code)) throw error;
      emit({
        type: "warning",
        code: error.code,
        message: `a package is not in the index: ${error.message}`,
        place: error.place,
        hint: "push it again, or remove it",
      });
      return [];
    }
  });
  const byHash = new Map(documents.flat().map((document) => [document.root.hash, document]));
  return [...byHash.values()].sort((a, b) => (a.root.hash < b.root.hash ? -1 : 1));
}

/**
 * A spec in the dialect that a format keeps.
 *
 * @throws NOT_SUPPORTED when it cannot be kept there
 */
export function fitting(document: SpecDocument, format: FormatName, place: Place): SpecDocument {
  const { version, root } = document;
  if (format === "v2" && version > 4)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${briefSpec(root)} was made by Spack 1.x, which layout v2 cannot keep`,
      { place, hint: "write it into a cache in layout v3, or into a registry" },
    );
  if (format === "v2" && version < 4)
    throw new SpacktainersError("NOT_SUPPORTED", `${briefSpec(root)} was made by Spack 0.20 or older`, {
      place,
      hint: "an index has packages of one generation: push it again with Spack 0.23",
    });
  const fit = format === "v3" ? inNewDialect(document, place) : document;
  if (fit.version > 5)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `${briefSpec(root)} was made by a Spack that is too new to be written here`,
      {
        place,
        hint: "push it with that Spack",
      },
    );
  return fit;
}
