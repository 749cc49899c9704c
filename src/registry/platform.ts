/** Which image of an index runs on a machine, by the rules of container runtimes (containerd's `platforms`). */
import type { Platform } from "../archive/oci/types.ts";

/**
 * The best of several images for a platform: of its operating system and architecture, and of the newest variant that is
 * not newer than the one wanted. Of equals the first, as the specification says.
 *
 * @param candidates with the platform that each is for
 * @returns undefined when none runs there
 */
export function choosePlatform<T extends { readonly platform?: Platform | undefined }>(
  candidates: readonly T[],
  wanted: Platform,
): T | undefined {
  const runs = runnable(normalizePlatform(wanted));
  let best: { readonly candidate: T; readonly rank: number } | undefined;
  for (const candidate of candidates) {
    if (candidate.platform === undefined) continue;
    const rank = runs.indexOf(platformText(normalizePlatform(candidate.platform)));
    if (rank >= 0 && (best === undefined || rank < best.rank)) best = { candidate, rank };
  }
  return best?.candidate;
}

/** A platform by its usual names: `x86_64` is `amd64`, `aarch64` is `arm64`; variants that are the default are left out. */
export function normalizePlatform({ os, architecture, variant }: Platform): Platform {
  const [name, implied] = aliases.get(architecture.toLowerCase()) ?? [architecture.toLowerCase(), undefined];
  const own = (variant ?? implied ?? "").toLowerCase().replace(/^(?=\d)/, "v");
  const rest = own === defaultVariants.get(name) ? "" : own;
  return { os: os.toLowerCase(), architecture: name, ...(rest === "" ? {} : { variant: rest }) };
}

/** `OS/ARCHITECTURE[/VARIANT]` */
export function platformText({ os, architecture, variant }: Platform): string {
  return `${os}/${architecture}${variant === undefined ? "" : `/${variant}`}`;
}

const aliases: ReadonlyMap<string, readonly [string, string | undefined]> = new Map([
  ["x86_64", ["amd64", undefined]],
  ["x86-64", ["amd64", undefined]],
  ["aarch64", ["arm64", undefined]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
  ["i386", ["386", undefined]],
]);

/** What an architecture without a variant stands for. */
const defaultVariants: ReadonlyMap<string, string> = new Map([
  ["amd64", "v1"],
  ["arm64", "v8"],
  ["arm", "v7"],
]);

/** Variants from the newest to the oldest; a processor of one runs programs for those after it. */
const variants: ReadonlyMap<string, readonly string[]> = new Map([
  ["amd64", ["v4", "v3", "v2", "v1"]],
  [
    "arm64",
    [
      "v9.5",
      "v9.4",
      "v9.3",
      "v9.2",
      "v9.1",
      "v9.0",
      "v9",
      "v8.9",
      "v8.8",
      "v8.7",
      "v8.6",
      "v8.5",
      "v8.4",
      "v8.3",
      "v8.2",
      "v8.1",
      "v8.0",
      "v8",
    ],
  ],
  ["arm", ["v8", "v7", "v6", "v5"]],
]);

/** Platforms whose programs run on this one, the best first. */
function runnable(wanted: Platform): readonly string[] {
  const order = variants.get(wanted.architecture) ?? [];
  const variant = wanted.variant ?? defaultVariants.get(wanted.architecture);
  const at = variant === undefined ? -1 : order.indexOf(variant);
  const usable = at < 0 ? [wanted.variant] : order.slice(at);
  return usable.map((one) =>
    platformText(normalizePlatform({ ...wanted, ...(one === undefined ? {} : { variant: one }) })),
  );
}
