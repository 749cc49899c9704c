import type { ScaffoldSpack } from "../../scaffold/types.ts";
import type { Place } from "../../util/errors.ts";
import type { FindingList } from "./migration.ts";

/** The oldest Spack that can build what is missing: 0.23. */
const oldest = [0, 23] as const;

/**
 * The Spack of a branch, a tag or the tag of one of Spack's images, said so.
 *
 * @returns undefined, with what is left to do, for one that is too old
 */
export function takeSpackRef(tag: string, place: Place, list: FindingList): ScaffoldSpack | undefined {
  const ref = spackRef(tag);
  const [, major, minor] = /v?(\d+)\.(\d+)/.exec(ref) ?? [];
  if (major !== undefined && Number(major) <= oldest[0] && Number(minor) < oldest[1]) {
    list.todo(
      `Spack ${ref} is older than 0.23, and does not build here: set \`spack: { ref: v1.1.0 }\` in spacktainers.yaml where packages are missing in the caches`,
      place,
    );
    return undefined;
  }
  list.taken(`Spack ${ref}, which builds packages that no cache has`, place);
  return { url: undefined, ref, repos: [] };
}

/** The branch or tag that one of Spack's images was made from. */
export function spackRef(tag: string): string {
  if (tag === "latest" || tag === "develop") return "develop";
  if (!/^\d+\.\d+/.test(tag)) return tag;
  return /^\d+\.\d+$/.test(tag) ? `releases/v${tag}` : `v${tag}`;
}
