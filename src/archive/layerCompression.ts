/**
 * How layers are compressed: `gzip` (RFC 1952), which everything reads, or `zstd` (RFC 8878), which is faster both ways.
 *
 * A layer's digest is that of its compressed bytes, so the same input must give the same bytes on every machine. Node's
 * own zlib and zstd differ between releases, builds and processors; so there is one encoder of each format, of a fixed
 * version, in WebAssembly: libdeflate for gzip, the reference library for zstd.
 */
export type CompressionFormat = "gzip" | "zstd";

/** What decides the bytes of a compressed layer, apart from its content. */
export interface CompressionSettings {
  readonly format: CompressionFormat;
  /** The encoder's own; see {@link compressionLevels}. */
  readonly level: number;
}

/** The levels of a format, and the one that is used where none is asked for. */
export const compressionLevels: Readonly<
  Record<CompressionFormat, { readonly lowest: number; readonly highest: number; readonly usual: number }>
> = {
  // libdeflate's level 4 is as small as zlib's 6 and takes two thirds of the time: see docs/performance.md.
  gzip: { lowest: 1, highest: 12, usual: 4 },
  // Above 19 readers need more memory than they are willing to give.
  zstd: { lowest: 1, highest: 19, usual: 3 },
};

/** The zstd library that makes our bytes. */
export const zstdVersion = "1.5.7";

const encoders: Readonly<Record<CompressionFormat, string>> = {
  gzip: "libdeflate.js 0.1.0",
  zstd: `zstd ${zstdVersion}`,
};

/** Settings for a format, at its usual level unless another one is asked for. */
export function compressionSettings(
  format: CompressionFormat = "gzip",
  level: number | undefined = undefined,
): CompressionSettings {
  return { format, level: level ?? compressionLevels[format].usual };
}

/** Everything that decides how content is compressed, as plain data for the key of what is kept. */
export function encodingOf({ format, level }: CompressionSettings): {
  readonly format: string;
  readonly level: number;
  readonly encoder: string;
} {
  return { format, level, encoder: encoders[format] };
}
