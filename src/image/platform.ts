/** Which images run on a machine, by the rules of container runtimes (containerd's `platforms`). */
import type { Platform } from "../archive/oci/types.ts";

/** The OCI platform of an architecture; 64-bit ARM carries its variant, as everywhere. */
export function platformOf(architecture: "amd64" | "arm64"): Platform {
  return architecture === "arm64"
    ? { architecture, os: "linux", variant: "v8" }
    : { architecture, os: "linux" };
}

/** Tells how well an image fits: the smaller the better; undefined: it does not run there. */
export type PlatformRank = (offered: Platform) => number | undefined;

/**
 * How well images for other platforms do for those wanted. An image has to be for the operating system and architecture, and
 * for no newer variant; the newest is the best.
 *
 * @param wanted in order of preference: whatever does for the first is better than all that does for the second
 */
export function platformRank(wanted: readonly Platform[]): PlatformRank {
  const runs = wanted.flatMap((platform) => runnable(normalizePlatform(platform)));
  return (offered) => {
    const rank = runs.indexOf(platformText(normalizePlatform(offered)));
    return rank < 0 ? undefined : rank;
  };
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
