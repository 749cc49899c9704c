import type { ConcreteSpec, DagHash } from "../../spec/concrete.ts";

/** What has to be known of a package to find it in a cache. */
export type PackageId = Pick<
  ConcreteSpec,
  "name" | "version" | "hash" | "platform" | "os" | "target" | "compiler" | "dependencies" | "annotations"
>;

/** Finds the dependencies of a spec: spec file versions 5 and later name the compiler only there. */
export type DependencyLookup = (hash: DagHash) => Pick<ConcreteSpec, "name" | "version"> | undefined;

/** One component of a path in a cache: characters that Spack does not put into file names become `_`. */
export function pathComponent(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_+.-]/g, "_");
}
