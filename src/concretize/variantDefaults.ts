/** Default values of variants, and licences, exported from recipes by `scripts/export-recipe-facts.py`. Format: `docs/explain.md`. */
import * as z from "zod";
import type { AbstractSpec, Dialect } from "../spec/abstract.ts";
import type { ConcreteSpec } from "../spec/concrete.ts";
import { parseSpec } from "../spec/parse.ts";
import { concreteSatisfies, type SpecLookup } from "../spec/satisfies.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../util/errors.ts";
import { readBounded } from "../util/readBounded.ts";
import type { VariantDefaults } from "./criteria.ts";

/** Most bytes the file may have. All recipes of Spack together take about 3 MB. */
const largestFile = 64 << 20;

const value = z.union([z.boolean(), z.string().max(1024)]);
const definition = z.strictObject({
  when: z.string().max(10_000).optional(),
  default: z.union([value, z.array(value).max(1000)]),
});
const document = z.strictObject({
  _meta: z.strictObject({
    "file-type": z.literal("spacktainers-recipe-facts"),
    version: z.literal(1),
    spack: z.string().max(100),
  }),
  packages: z.record(z.string(), z.record(z.string(), z.array(definition).max(1000))),
  licenses: z
    .record(
      z.string(),
      z
        .array(z.strictObject({ when: z.string().max(10_000).optional(), license: z.string().max(1024) }))
        .max(1000),
    )
    .optional(),
});

/** What a file of recipe facts tells. */
export interface VariantDefaultsFile extends VariantDefaults {
  /** The licence that a package's recipe declares for it, as written there; undefined when it declares none. */
  licenseOf(spec: ConcreteSpec, lookup: SpecLookup): string | undefined;
}

/** One definition of a variant. Recipes may have several, for different conditions. */
interface Definition {
  readonly when: string | undefined;
  readonly values: readonly (boolean | string)[];
}

/**
 * Reads the text of a file of recipe facts. Of several definitions of a variant the last one counts whose condition the
 * package fulfils.
 *
 * @param file for places
 * @throws {SpacktainersError} `CONFIG_INVALID`
 */
export function parseVariantDefaults(text: string, file: string): VariantDefaultsFile {
  const place: Place = { file };
  const invalid = (message: string, cause?: unknown): SpacktainersError =>
    new SpacktainersError("CONFIG_INVALID", message, {
      place,
      hint: "write it again: spack python scripts/export-recipe-facts.py > FILE",
      cause,
    });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalid("the recipe facts are not JSON", cause);
  }
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? "malformed"}`);
  }
  const { _meta: meta, packages, licenses = {} } = parsed.data;
  const dialect: Dialect = meta.spack.startsWith("0.") ? "0.x" : "1.x";
  const known = new Map<string, ReadonlyMap<string, readonly Definition[]>>();
  for (const [name, variants] of Object.entries(packages)) {
    const definitions = Object.entries(variants).map(
      ([variant, list]) =>
        [
          variant,
          list.map((each) => ({
            when: each.when === "" ? undefined : each.when,
            values: typeof each.default === "object" ? each.default : [each.default],
          })),
        ] as const,
    );
    known.set(name, new Map(definitions));
  }
  const conditions = new Map<string, AbstractSpec>();
  const condition = (when: string): AbstractSpec => {
    const before = conditions.get(when);
    if (before !== undefined) return before;
    try {
      const spec = parseSpec(when, { dialect });
      conditions.set(when, spec);
      return spec;
    } catch (cause) {
      throw invalid(`the condition \`${when}\` is not a spec`, cause);
    }
  };
  const declared = new Map(Object.entries(licenses));
  return {
    licenseOf(spec, lookup) {
      const holding = declared
        .get(spec.name)
        ?.findLast(
          ({ when = "" }) =>
            when === "" || concreteSatisfies(lookup, spec.hash, condition(when), { dialect }),
        );
      return holding?.license;
    },
    defaultsOf(spec, variant, lookup) {
      const definitions = known.get(spec.name)?.get(variant) ?? [];
      const holding = definitions.findLast(
        ({ when }) =>
          when === undefined || concreteSatisfies(lookup, spec.hash, condition(when), { dialect }),
      );
      return holding?.values;
    },
  };
}

/** Reads a file of recipe facts from disk. Throws as {@link parseVariantDefaults}; `NOT_FOUND`, `ACCESS_DENIED`, `IO`. */
export async function loadVariantDefaults(file: string): Promise<VariantDefaultsFile> {
  try {
    const bytes = await readBounded(file, largestFile);
    if (bytes === undefined)
      throw new SpacktainersError("CONFIG_INVALID", `the recipe facts are larger than ${largestFile} bytes`, {
        place: { file },
      });
    return parseVariantDefaults(bytes.toString("utf8"), file);
  } catch (thrown) {
    throw asSpacktainersError(thrown, { file });
  }
}
