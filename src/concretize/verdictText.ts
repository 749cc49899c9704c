import { briefSpec, type ConcreteSpec } from "../spec/concrete.ts";
import type { AlternativeVerdict } from "./explainChoice.ts";
import type { Violation } from "./requirementRules.ts";

/** The beginning of a violation of a spec that was asked for. */
const wanted = /^`[^`]*` wants /;

/** `a (x), b (x)` as `a, b (x)`. */
function mergedPlaces(parts: readonly string[]): string {
  const place = / \([^()]*:\d+:\d+\)$/;
  const ends = new Set(parts.map((part) => place.exec(part)?.[0] ?? ""));
  const [end = ""] = ends;
  if (ends.size !== 1 || end === "") return parts.join(", ");
  return `${parts.map((part) => part.slice(0, -end.length)).join(", ")}${end}`;
}

/** A verdict in words: what follows `not taken: `. Places are in it as the caller writes them. */
export function verdictText(
  verdict: AlternativeVerdict,
  spec: ConcreteSpec,
  placeText: (violation: Violation) => string,
): string {
  const said = (violations: readonly Violation[], of: ConcreteSpec): string => {
    // One constraint may be broken by several packages: it is said once, of the package itself if that breaks it.
    const whom = new Map<string, Map<string, string>>();
    for (const violation of violations) {
      const key = `${violation.text}${placeText(violation)}`;
      const specs = whom.get(key) ?? new Map<string, string>();
      whom.set(key, specs.set(violation.spec.hash, briefSpec(violation.spec)));
    }
    // What one spec wants is said in one go.
    const groups = new Map<string, string[]>();
    for (const [key, specs] of whom) {
      const names = specs.has(of.hash) ? "" : ` (its dependency ${[...specs.values()].sort().join(", ")})`;
      const head = wanted.exec(key)?.[0] ?? `${key}${names}`;
      const parts = groups.get(head) ?? [];
      if (key.startsWith(head)) parts.push(`${key.slice(head.length)}${names}`);
      groups.set(head, parts);
    }
    return [...groups]
      .map(([head, parts]) => (wanted.test(head) ? `${head}${mergedPlaces(parts)}` : head))
      .join("; ");
  };
  switch (verdict.kind) {
    case "chosen":
      return "taken";
    case "external":
      return "an external package of the machine that built the cache";
    case "not-cached":
      return "no cache has its archive";
    case "excluded":
      return said(verdict.violations, spec);
    case "unused":
      return verdict.needed === undefined
        ? "nothing that was asked for was built with it"
        : `${briefSpec(verdict.needed.spec)}, which was built with it, cannot be taken: ${said(verdict.needed.violations, verdict.needed.spec)}`;
    case "clash":
      return verdict.requests.length === 0
        ? "it does not go together with the other specs"
        : `it does not go together with ${verdict.requests.map((text) => `\`${text}\``).join(", ")}`;
    case "worse": {
      const because = verdict.because
        .map((pair) =>
          pair.instead === undefined
            ? briefSpec(pair.with)
            : `${briefSpec(pair.with)} instead of ${briefSpec(pair.instead)}`,
        )
        .join(", ");
      const guess =
        verdict.guessed.length === 0
          ? ""
          : ` (only recipes know the defaults of ${verdict.guessed.join(", ")}: guessed from what most cached configurations have)`;
      return `worse by ${verdict.criterion}${because === "" ? "" : `: ${because}`}${guess}`;
    }
    case "equal":
      return verdict.variants.length === 0
        ? "equally good; among equals, the one whose hash sorts first is taken"
        : `as good, as far as caches can tell: only its recipe knows the default of ${verdict.variants.join(", ")}`;
    case "unknown":
      return "not looked into (see --limit)";
  }
}
