import { describe, expect, it } from "vitest";
import { readLock } from "../../../src/environment/lock.ts";
import { readManifest } from "../../../src/environment/manifest.ts";
import { lockText } from "../../../src/pipeline/choose/lockText.ts";
import type { ConcreteSpec, SpecGraph } from "../../../src/spec/concrete.ts";
import { makeSpec } from "../../concretize/specs.ts";

const graphOf = (...specs: readonly ConcreteSpec[]): SpecGraph =>
  new Map(specs.map((spec) => [spec.hash, spec]));

function locked(specs: readonly string[], roots: readonly ConcreteSpec[], graph: SpecGraph) {
  const { environment } = readManifest(`spack:\n  specs: ${JSON.stringify(specs)}\n`, "spack.yaml");
  if (environment === undefined) throw new Error("no environment");
  const resolution = {
    roots: specs.map((request, index) => ({ request, hash: roots[index]?.hash ?? makeSpec("x").hash })),
    graph,
    origin: "caches" as const,
  };
  return readLock(lockText(environment, resolution, graph), "spack.lock");
}

describe("lockText", () => {
  const zlib = makeSpec("zlib@1.3", { variants: { pic: true } });

  it("writes roots as Spack would", () => {
    const lock = locked(["zlib  +pic @1.3"], [zlib], graphOf(zlib));
    expect(lock.roots).toEqual([{ request: "zlib@1.3+pic", hash: zlib.hash, group: undefined }]);
    expect(lock.dialect).toBe("0.x");
  });

  it("writes the version that the specs are of", () => {
    const modern = { ...zlib, compiler: undefined, specfileVersion: 5 };
    expect(locked(["zlib"], [modern], graphOf(modern)).lockVersion).toBe(6);
    expect(locked(["zlib"], [zlib], graphOf(zlib)).lockVersion).toBe(5);
  });

  it("leaves out build dependencies that the caches do not know, so that every edge leads somewhere", () => {
    const cmake = makeSpec("cmake@3.20");
    const app = makeSpec("app@1", { link: [zlib], build: [cmake] });
    const lock = locked(["app"], [app], graphOf(app, zlib));
    expect(lock.graph.get(app.hash)?.dependencies.map(({ name }) => name)).toEqual(["zlib"]);
    expect(locked(["app"], [app], graphOf(app, zlib, cmake)).graph.size).toBe(3);
  });
});
