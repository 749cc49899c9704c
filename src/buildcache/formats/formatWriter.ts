/** The part of writing into a cache that a format does: where things lie, and what is written around them. */
import type { Digest } from "../../util/digest.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { EditedIndex, IndexEdit } from "../index/editIndex.ts";
import type { SpecDocument } from "../specDocument.ts";
import type { FormatName } from "../types.ts";
import type { Trust } from "./believe.ts";
import type { DescribedPackage, Orphan, PutPackageOptions, StoredPackage } from "./writer.ts";

/** A package, in the dialect of a format. */
export interface ReadyPackage {
  readonly document: SpecDocument;
  /** As `NewPackage.specBlob`, where the document is as it was. */
  readonly specBlob: Uint8Array | undefined;
  readonly archive: { readonly path: string; readonly digest: Digest; readonly size: number };
}

/** What is to be different in an index, in the dialect of its format. */
export interface FormatEdit extends Pick<IndexEdit, "remove"> {
  readonly add: readonly SpecDocument[];
}

/** See `CacheWriter`: the same words, for one format. */
export interface FormatWriter {
  readonly name: FormatName;
  /** Whether the cache has anything in this format. */
  isPresent(): Promise<boolean>;
  put(content: ReadyPackage, options: PutPackageOptions): Promise<"written" | "present">;
  putKey(fingerprint: string, armored: string): Promise<"written" | "present">;
  removeKey(fingerprint: string): Promise<void>;
  changeIndex(edit: FormatEdit): Promise<EditedIndex>;
  rebuildIndex(): Promise<EditedIndex>;
  list(): AsyncIterable<StoredPackage>;
  describe(stored: StoredPackage): Promise<DescribedPackage>;
  /** The index does not list them any more. Gives the bytes that were freed. */
  remove(packages: readonly StoredPackage[]): Promise<number>;
  orphans(): AsyncIterable<Orphan>;
  removeOrphans(orphans: readonly Orphan[]): Promise<number>;
}

/** What the writers of all formats need. */
export interface WriterTools {
  readonly trust: Trust;
  /** Signs a document; the text itself where nothing is signed. */
  sign(text: string): Promise<string>;
  /** Folder of this machine for what passes through. */
  readonly scratch: string;
  /** Milliseconds since 1970. */
  clock(): number;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal | undefined;
}
