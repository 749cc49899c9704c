/** Made-up facts of catalogues: those of the bench, and some that mean harm. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { CatalogueFacts } from "../../src/catalogue/facts.ts";

/** How much there is. */
export interface SyntheticSize {
  readonly containers?: number;
  readonly packages?: number;
  readonly releases?: number;
  readonly recipes?: number;
  readonly versions?: number;
}

/** Facts as the bench makes them. */
export async function syntheticFacts(size: SyntheticSize): Promise<CatalogueFacts> {
  const path = pathToFileURL(resolve(import.meta.dirname, "../../bench/catalogueFacts.mjs")).href;
  const bench = (await import(path)) as { readonly syntheticFacts: (size: SyntheticSize) => CatalogueFacts };
  return bench.syntheticFacts(size);
}

/** What strangers may write: markup, scripts, endings of what is around it, characters that XML does not have. */
export const hostileText = `"><script>alert(1)</script><img src=x onerror=alert(2)>'\`&amp;\u0000\uD800]]>--></style>`;

/** Facts of which every text is hostile. */
export function hostileFacts(facts: CatalogueFacts): CatalogueFacts {
  return {
    ...facts,
    title: hostileText,
    missing: [hostileText],
    containers: facts.containers.map((container) => ({
      ...container,
      name: `../../${container.name}${hostileText}`,
      description: hostileText,
      specs: [hostileText],
      images: container.images.map((image) => ({
        ...image,
        version: `/${hostileText}`,
        tags: [hostileText],
        licenses: hostileText,
        revision: hostileText,
        roots: image.roots.map(({ hash }) => ({ hash, request: hostileText })),
        base: { name: hostileText, packages: [{ name: hostileText, version: hostileText }] },
        changes: {
          since: hostileText,
          unchanged: 1,
          base: undefined,
          packages: [{ name: hostileText, before: undefined, after: hostileText, why: hostileText }],
        },
        supply: {
          ...image.supply,
          signers: [hostileText],
          problems: [hostileText],
          builder: "javascript:alert(3)",
        },
        sites: image.sites.map((site) => ({
          ...site,
          site: hostileText,
          description: hostileText,
          script: hostileText,
          trouble: hostileText,
          findings: site.findings.map((one) => ({
            ...one,
            message: hostileText,
            evidence: [hostileText],
            remedy: hostileText,
          })),
        })),
      })),
    })),
    graph: new Map(
      [...facts.graph].map(([hash, spec]) => [
        hash,
        { ...spec, version: hostileText, namespace: hostileText, target: hostileText },
      ]),
    ),
  };
}
