/**
 * What the JSON Schema of `spacktainers.yaml` says in addition to the types of keys: the rules that `check` has for caches and for what lies
 * underneath (`cacheProblems.ts`, `configurationProblems.ts`), as far as a schema can have them.
 */

/** A part of a JSON Schema. */
export type SchemaPart = Readonly<Record<string, unknown>>;

const isTrue = { const: true };
const urlLike = (pattern: string): SchemaPart => ({ properties: { url: { pattern } }, required: ["url"] });
const without = (...keys: readonly string[]): SchemaPart => ({
  not: { anyOf: keys.map((key) => ({ required: [key] })) },
});

/** Of a cache: keys or `unsigned`, not both; and only what its kind of URL has. */
export const cacheRules: SchemaPart = {
  oneOf: [
    { required: ["trust"], properties: { unsigned: { const: false } } },
    { required: ["unsigned"], properties: { unsigned: isTrue }, ...without("trust") },
  ],
  allOf: [
    urlLike(
      "^(?:(?:[Ff][Ii][Ll][Ee]|[Hh][Tt][Tt][Pp][Ss]?|[Ss]3|[Oo][Cc][Ii](?:\\+[Hh][Tt][Tt][Pp])?)://|(?![A-Za-z][A-Za-z0-9+.-]*://))",
    ),
    { if: urlLike("^[Ss]3://"), else: without("endpoint", "region", "profile", "anonymous") },
    {
      if: urlLike("^[Oo][Cc][Ii](?:\\+[Hh][Tt][Tt][Pp])?://"),
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: without("trust", "sign", "layout"),
    },
    {
      if: urlLike("^[Hh][Tt][Tt][Pp][Ss]?://"),
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { push: { const: false } } },
    },
  ],
};

/**
 * Of `base`: exactly one kind, and only keys that belong to it.
 *
 * @param kinds keys of which there must be one
 * @param archiveKeys keys that belong to `debian` and `ubuntu`
 */
export function baseRules(kinds: readonly string[], archiveKeys: readonly string[]): SchemaPart {
  return {
    oneOf: kinds.map((kind) => ({ required: [kind] })),
    allOf: [
      {
        if: { anyOf: [{ required: ["debian"] }, { required: ["ubuntu"] }] },
        else: without(...archiveKeys),
      },
      { if: { required: ["oci"] }, else: without("reference") },
    ],
  };
}
