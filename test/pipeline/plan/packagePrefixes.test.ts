import { expect, it } from "vitest";
import { packagePrefixes } from "../../../src/pipeline/plan/packagePrefixes.ts";
import { makeSpec } from "../../view/makeSpec.ts";

const zlib = makeSpec("zlib", { version: "1.3" });
const ring = makeSpec("ring", { version: "2.0" });
const graph = new Map([zlib, ring].map((spec) => [spec.hash, spec]));

function prefixes(configured: readonly (readonly [string, string])[] | undefined): readonly string[] {
  const environment = { dialect: "1.x", config: { projections: [] } } as const;
  const all = packagePrefixes([zlib, ring], graph, { root: "/sw/", configured, environment });
  return [zlib, ring].map(({ hash }) => all.get(hash) ?? "");
}

it("is laid out as by Spack unless something else is configured", () => {
  expect(prefixes(undefined)).toEqual([
    `/sw/linux-x86_64_v3/zlib-1.3-${zlib.hash}`,
    `/sw/linux-x86_64_v3/ring-2.0-${ring.hash}`,
  ]);
});

it("follows the first projection that a spec satisfies, else that for all", () => {
  const some = [
    ["zlib@1.2", "old/{name}"],
    ["zlib@1.3", "new/{name}"],
    ["zlib", "any/{name}"],
    ["all", "{name}/{version}"],
  ] as const;
  expect(prefixes(some)).toEqual(["/sw/new/zlib", "/sw/ring/2.0"]);
});
