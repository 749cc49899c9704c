/** What a bill of materials of spacktainers says about Spack packages, read back: what the image itself does not say about them. */
import { type DagHash, parseDagHash } from "../spec/concrete.ts";
import { parseDigest } from "../util/digest.ts";
import { isJsonObject, type Json, type JsonObject } from "../util/json.ts";
import { propertyPrefix } from "./components.ts";
import type { PackageDescription } from "./imageDescription.ts";

/** Where a package came from, and its licence. */
export type RecordedPackage = Pick<PackageDescription, "archive" | "license">;

/** By hash. */
export type RecordedPackages = ReadonlyMap<DagHash, RecordedPackage>;

/** More components are not read: no image has as many. */
const mostComponents = 100_000;

/**
 * Reads what `cycloneDxDocument` has written of Spack packages. What is not as it writes it is left out: the document may be
 * anybody's.
 *
 * @param address makes an address fit for publishing; undefined: it is not
 * @param license tells whether a text is an SPDX expression
 */
export function recordedPackages(
  document: JsonObject,
  {
    address,
    license,
  }: {
    readonly address: (text: string) => string | undefined;
    readonly license: (text: string) => boolean;
  },
): RecordedPackages {
  const recorded = new Map<DagHash, RecordedPackage>();
  for (const component of objects(document.components).slice(0, mostComponents)) {
    const property = (name: string): string | undefined =>
      textOf(objects(component.properties).find((one) => one.name === `${propertyPrefix}${name}`)?.value);
    const hash = parseDagHash(property("spack:hash") ?? "");
    if (hash === undefined || component.scope === "excluded") continue;
    const content = textOf(objects(component.hashes).find(({ alg }) => alg === "SHA-256")?.content);
    const digest = parseDigest(`sha256:${content}`);
    const url = textOf(
      objects(component.externalReferences).find(({ type }) => type === "distribution")?.url,
    );
    const signer = property("spack:signed-by");
    const expression = textOf(objects(component.licenses)[0]?.expression);
    recorded.set(hash, {
      archive:
        digest === undefined
          ? undefined
          : {
              digest,
              size: undefined,
              url: url === undefined ? undefined : address(url),
              signedBy: signer !== undefined && /^[0-9A-F]{40,64}$/.test(signer) ? signer : undefined,
            },
      license: expression !== undefined && license(expression) ? expression : undefined,
    });
  }
  return recorded;
}

function objects(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : [];
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= 4096 ? value : undefined;
}
