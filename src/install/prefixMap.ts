/** Which old paths become which new ones: the rules of Spack's relocation (`docs/formats.md`, "Prefix map"). */
import { bytesOfName } from "../archive/names.ts";
import type { DagHash } from "../spec/concrete.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { Buildinfo } from "./buildinfo.ts";
import { makePrefixSearch, type PrefixPair, type PrefixSearch } from "./prefixSearch.ts";
import type { InstallRequest } from "./types.ts";

/** Prepared prefixes for each kind of edit. They differ only for archives of Spack ≤ 0.23. */
export interface PrefixMap {
  /** Search path and interpreter of ELF files, and symbolic links. */
  readonly loader: PrefixSearch;
  readonly text: PrefixSearch;
  readonly binary: PrefixSearch;
}

/** The part of a request that decides the map. */
export type PrefixRequest = Pick<
  InstallRequest,
  "name" | "version" | "hash" | "root" | "prefixes" | "relocationOrder" | "analogs" | "generation"
>;

/** Where the sbang script is put below an install root. */
export function sbangPathOf(root: string): string {
  return `${root}/bin/sbang`;
}

/**
 * Makes the prefix map of one package.
 *
 * Pairs are ordered by falling length of the old prefix (then by Spack's order): where no prefix begins with another,
 * which hashes in prefixes guarantee, this is Spack's result, and elsewhere it is the right one.
 *
 * @throws SpacktainersError IDENTITY_MISMATCH when the archive is of another package; RELOCATION_FAILED when it is too
 *   old to be relocated
 */
export function makePrefixMap(buildinfo: Buildinfo, request: PrefixRequest): PrefixMap {
  const place = { spec: `${request.name}@${request.version}/${request.hash.slice(0, 7)}` };
  const own = request.prefixes[request.hash];
  if (own === undefined) throw new SpacktainersError("INTERNAL", "the package has no new prefix", { place });
  const older = request.generation === "0.x";
  const { prefixes } = buildinfo;
  const oldPrefixOf = (hash: DagHash): string | undefined => prefixes?.get(request.analogs?.[hash] ?? hash);
  if (prefixes === undefined) {
    const samePlace = older && `${request.root}/${buildinfo.relativePrefix}` === own;
    if (!samePlace) {
      throw new SpacktainersError(
        "RELOCATION_FAILED",
        "the archive does not say where its dependencies were, so it cannot be relocated",
        { place, hint: "a very old Spack made it; push the package again with a newer one" },
      );
    }
  } else if (oldPrefixOf(request.hash) === undefined) {
    throw new SpacktainersError(
      "IDENTITY_MISMATCH",
      "the archive is of another package: its relocation data does not have this hash",
      { place, hint: "the cache is damaged or was tampered with; push the package again" },
    );
  }

  const binary = new Map<string, string>();
  const text = new Map<string, string>();
  if (buildinfo.sbangPath !== undefined) {
    text.set(buildinfo.sbangPath, sbangPathOf(request.root));
    if (!older) binary.set(buildinfo.sbangPath, sbangPathOf(request.root));
  }
  const both = (from: string, to: string): void => {
    binary.set(from, to);
    text.set(from, to);
  };
  for (const hash of request.relocationOrder) {
    const from = oldPrefixOf(hash);
    const to = request.prefixes[hash];
    if (from !== undefined && to !== undefined) both(from, to);
  }
  if (older && buildinfo.relativePrefix !== undefined) {
    both(`${buildinfo.root}/${buildinfo.relativePrefix}`, own);
  }
  both(buildinfo.root, request.root);
  if (older && buildinfo.spackPrefix !== undefined) {
    text.set(`#!/bin/bash ${buildinfo.spackPrefix}/bin/sbang`, `#!/bin/sh ${sbangPathOf(request.root)}`);
  }
  return {
    // Spack 0.23 keeps pairs that change nothing here, where they only make it drop empty items of search paths.
    loader: makePrefixSearch(pairsOf(binary, older)),
    text: makePrefixSearch(pairsOf(text, false)),
    binary: makePrefixSearch(pairsOf(binary, false)),
  };
}

function pairsOf(map: ReadonlyMap<string, string>, keepIdentities: boolean): PrefixPair[] {
  return [...map]
    .filter(([from, to]) => keepIdentities || from !== to)
    .map(([from, to]) => ({ from: bytesOfName(from), to: bytesOfName(to) }))
    .sort((a, b) => b.from.length - a.from.length);
}
