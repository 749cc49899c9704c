/** Reads specs from text. Grammar: `docs/formats.md`, "Spec syntax". */
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { AbstractSpec, Dialect } from "./abstract.ts";

/** How a text is to be read. */
export interface ParseOptions {
  readonly dialect: Dialect;
  /**
   * Where the text begins in the user's file. Columns of errors are counted from there, which is exact for text that
   * stands in one line without escapes.
   */
  readonly place?: Place;
  /** 1.x: `toolchains:` of the configuration, by name: what `%name` stands for. */
  readonly toolchains?: ReadonlyMap<string, Toolchain>;
}

/** A toolchain: one spec, or several that apply where their condition holds. */
export type Toolchain = string | readonly { readonly spec: string; readonly when?: string }[];

/**
 * The one spec in `text`. The empty text is the spec without any condition.
 * @throws SpacktainersError SPEC_SYNTAX, with the column of the offending character and what was expected there
 */
export function parseSpec(_text: string, _options: ParseOptions): AbstractSpec {
  throw new SpacktainersError("NOT_SUPPORTED", "parseSpec is not there yet");
}

/**
 * The specs in `text`, which may be several (`hdf5+mpi zlib`), or none.
 * @throws SpacktainersError SPEC_SYNTAX
 */
export function parseSpecs(_text: string, _options: ParseOptions): readonly AbstractSpec[] {
  throw new SpacktainersError("NOT_SUPPORTED", "parseSpecs is not there yet");
}
