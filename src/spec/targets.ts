/** Targets in specs: names, and comma separated lists of names and ranges such as `x86_64_v2:,zen2`. */
import type { Dialect } from "./abstract.ts";
import { isAtLeast } from "./microarchitecture.ts";

/** Matches every target (1.x). */
export const anyTarget = "*";

/** True for one microarchitecture, not a list or range. */
export function isOneTarget(target: string | undefined): boolean {
  return target !== undefined && !target.includes(":") && !target.includes(",");
}

interface Range {
  readonly lo: string;
  readonly hi: string;
  readonly isRange: boolean;
}

function ranges(target: string): readonly Range[] {
  return target.split(",").map((part) => {
    const colon = part.indexOf(":");
    if (colon < 0) return { lo: part, hi: "", isRange: false };
    return { lo: part.slice(0, colon), hi: part.slice(colon + 1), isRange: true };
  });
}

function within(name: string, { lo, hi }: Range): boolean {
  return (lo === "" || isAtLeast(name, lo)) && (hi === "" || isAtLeast(hi, name));
}

/** The range that both have, as Spack 1.x writes it; undefined when there is none that it can name. */
function common(a: Range, b: Range): string | undefined {
  const hi = a.hi !== "" && b.hi !== "" ? lesser(a.hi, b.hi) : a.hi || b.hi;
  const lo = a.lo !== "" && b.lo !== "" ? greater(a.lo, b.lo) : a.lo || b.lo;
  if (hi === undefined || lo === undefined || (hi === "" && lo === "")) return undefined;
  if (lo === "" || hi === "") return `${lo}:${hi}`;
  if (!isAtLeast(hi, lo)) return undefined;
  return lo === hi ? lo : `${lo}:${hi}`;
}

/** The one that the other can run; undefined when neither runs the other. */
function lesser(a: string, b: string): string | undefined {
  return isAtLeast(b, a) ? a : isAtLeast(a, b) ? b : undefined;
}

/** The one that can run the other; undefined when neither runs the other. */
function greater(a: string, b: string): string | undefined {
  return isAtLeast(a, b) ? a : isAtLeast(b, a) ? b : undefined;
}

/**
 * The targets in both lists, as Spack writes them: names and ranges, in the order of the pairs. Empty when the two have
 * nothing in common that Spack can name.
 */
export function targetIntersection(a: string, b: string, dialect: Dialect): readonly string[] {
  const result: string[] = [];
  for (const left of ranges(a))
    for (const right of ranges(b)) {
      if (!left.isRange && !right.isRange) {
        if (left.lo === right.lo) result.push(left.lo);
      } else if (!left.isRange) {
        if (within(left.lo, right)) result.push(left.lo);
      } else if (!right.isRange) {
        if (within(right.lo, left)) result.push(right.lo);
      } else {
        const both = dialect === "1.x" ? common(left, right) : oldCommon(left, right);
        if (both !== undefined) result.push(both);
      }
    }
  return result;
}

/**
 * What two ranges have in common by the rule of 0.x, which takes an open end for a target of its own that no other can
 * run, and so looks only at how the ends of the second range compare with the first's.
 */
function oldCommon(a: Range, b: Range): string | undefined {
  const lo = isAtLeast(a.lo, b.lo) ? a.lo : b.lo;
  const hi = isAtLeast(b.hi, a.hi) ? a.hi : b.hi;
  if (lo === hi) return lo;
  return lo === "" || hi === "" || isAtLeast(hi, lo) ? `${lo}:${hi}` : undefined;
}
