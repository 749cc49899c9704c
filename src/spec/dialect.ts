/**
 * Which generation of the spec language a text is written in: `0.x` is that of Spack up to 0.23, `1.x` that of Spack 1.0
 * and later.
 */
export type Dialect = "0.x" | "1.x";
