import fc from "fast-check";
import { PackageURL } from "packageurl-js";
import { describe, expect, it } from "vitest";
import { componentsOf } from "../../src/supply/components.ts";
import { cycloneDxDocument } from "../../src/supply/cycloneDx.ts";
import { readDescription, writeDescription } from "../../src/supply/descriptionDocument.ts";
import { purl } from "../../src/supply/purl.ts";
import { spdxDocument } from "../../src/supply/spdx.ts";
import { digestOf } from "../../src/util/digest.ts";
import { hashOf } from "../spec/graph.ts";
import { cycloneDxProblems } from "./cycloneDxSchema.ts";
import { sampleFacts, sampleManifest } from "./sampleDescription.ts";

const facts = sampleFacts();

describe("purl", () => {
  it("is read by the reference implementation as it was meant", () => {
    // No `%`: that implementation decodes qualifiers twice.
    const letters = [..."aZ09 ._~:/?#[]@!$&'()*+,;=^|<>\\\"é"];
    const word = fc
      .array(fc.constantFrom(...letters), { minLength: 1, maxLength: 12 })
      .map((chars) => chars.join(""))
      .filter((text) => text.trim() === text);
    fc.assert(
      fc.property(word, word, word, (name, version, value) => {
        const ours = purl({ type: "generic", name, version, qualifiers: { arch: value, tag: undefined } });
        const read = PackageURL.fromString(ours);
        expect([read.name, read.version, { ...read.qualifiers }]).toEqual([name, version, { arch: value }]);
      }),
    );
  });

  it("encodes as the specification's examples have it", () => {
    expect(
      purl({
        type: "deb",
        namespace: "debian",
        name: "attr",
        version: "1:2.4.47-2+b1",
        qualifiers: { distro: "debian-12", arch: "amd64" },
      }),
    ).toBe("pkg:deb/debian/attr@1:2.4.47-2%2Bb1?arch=amd64&distro=debian-12");
  });
});

describe("components", () => {
  const components = componentsOf(facts);
  const of = (name: string) => components.find((one) => one.name === name);

  it("lists packages, externals and OS packages, each once", () => {
    expect(components.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      "spack ring",
      "spack gcc-runtime",
      "spack mpich",
      "spack zlib_ng",
      "external openssl",
      "os base-files",
      "os libc6",
      "os libstdc++6",
    ]);
    expect(new Set(components.map(({ id }) => id)).size).toBe(components.length);
  });

  it("tells variants, target, compiler, hash, prefix and layer", () => {
    expect(Object.fromEntries(of("ring")?.properties ?? [])).toEqual({
      "spack:hash": hashOf("ring"),
      "spack:namespace": "builtin",
      "spack:platform": "linux",
      "spack:os": "debian12",
      "spack:target": "x86_64_v3",
      "spack:compiler": "gcc@12.2.0",
      "spack:variant:build_system": "generic",
      "spack:variant:debug": "false",
      "spack:variant:fabrics": "tcp,shm",
      "spack:cflags": "-O2 -g",
      "spack:signed-by": "0123456789ABCDEF0123456789ABCDEF01234567",
      prefix: `/opt/software/ring-2.1.0-${hashOf("ring")}`,
      layer: digestOf("ring compressed"),
    });
    expect(Object.fromEntries(of("mpich")?.properties ?? [])["spack:provides"]).toBe("mpi");
  });

  it("names OS packages so that scanners find their source and release", () => {
    expect(of("libstdc++6")?.purl).toBe(
      "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=gcc-12",
    );
    expect(of("libc6")?.purl).toContain("upstream=glibc%402.36-9");
  });

  it("has the edges of run time only", () => {
    expect(of("ring")?.needs).toEqual([of("gcc-runtime")?.id, of("mpich")?.id, of("zlib_ng")?.id].sort());
    expect(of("mpich")?.needs).toEqual([of("openssl")?.id]);
  });
});

describe("facts", () => {
  it("are read as they were written", () => {
    const bytes = writeDescription(facts);
    const read = readDescription(bytes, "facts.json");
    expect(writeDescription(read).equals(bytes)).toBe(true);
    expect(spdxDocument(read)).toEqual(spdxDocument(facts));
    expect(cycloneDxDocument(read)).toEqual(cycloneDxDocument(facts));
    expect({ ...read, graph: 0, packages: 0, externals: 0 }).toEqual({
      ...facts,
      graph: 0,
      packages: 0,
      externals: 0,
    });
  });

  it("are refused when anything is wrong with them", () => {
    const json = JSON.parse(writeDescription(facts).toString("utf8"));
    const read = (change: object) => () =>
      readDescription(Buffer.from(JSON.stringify({ ...json, ...change })), "facts.json");
    expect(read({ manifest: { ...json.manifest, digest: "sha256:1" } })).toThrow(/digest: must be/);
    expect(read({ created: "yesterday" })).toThrow(/created/);
    expect(read({ more: 1 })).toThrow(/cannot be read/);
    expect(read({ externals: ["z".repeat(32)] })).toThrow(/is not in its environment/);
    expect(read({ environment: {} })).toThrow(/lock of Spack/);
    expect(read({ _meta: { "file-type": "spacktainers-image-facts", version: 2 } })).toThrow(/newer version/);
    expect(() => readDescription(Buffer.from([0xff]), "facts.json")).toThrow(/not JSON/);
  });

  it("never make the reader fail in another way", () => {
    const json = JSON.parse(writeDescription(facts).toString("utf8"));
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(json)), fc.jsonValue(), (key, value) => {
        try {
          readDescription(Buffer.from(JSON.stringify({ ...json, [key]: value })), "facts.json");
        } catch (thrown) {
          expect(thrown).toHaveProperty(
            "code",
            expect.stringMatching(/^(ARCHIVE_INVALID|NOT_SUPPORTED|LOCK_INVALID)$/),
          );
        }
      }),
    );
  });
});

describe("CycloneDX", () => {
  it("is valid by the published schema", { timeout: 120_000 }, () => {
    expect(cycloneDxProblems(cycloneDxDocument(facts))).toEqual([]);
    const empty = sampleFacts({
      packages: [],
      externals: [],
      roots: [],
      toolVersion: undefined,
      base: { name: "scratch", digest: undefined, distribution: undefined, packages: [] },
    });
    expect(cycloneDxProblems(cycloneDxDocument(empty))).toEqual([]);
    // Not built yet: nothing names it.
    const unbuilt = cycloneDxDocument({ ...facts, manifest: undefined, layers: [] });
    expect(cycloneDxProblems(unbuilt)).toEqual([]);
    expect(unbuilt.metadata.component.hashes).toBeUndefined();
    // The validator does see what is wrong.
    expect(cycloneDxProblems({ ...cycloneDxDocument(facts), serialNumber: "1" })).not.toEqual([]);
  });

  it("has a dependency entry for every component, and none that leads nowhere", () => {
    const { components, dependencies } = cycloneDxDocument(facts);
    const refs = new Set([...components.map((one) => one["bom-ref"]), "image"]);
    for (const { ref, dependsOn } of dependencies)
      for (const each of [ref, ...dependsOn]) expect(refs).toContain(each);
    expect(dependencies.find(({ ref }) => ref === "image")?.dependsOn).toEqual([
      "deb-base-files-all",
      "deb-libc6-amd64",
      "deb-libstdc++6-amd64",
      `spack-ring-${hashOf("ring")}`,
    ]);
  });
});

describe("SPDX", () => {
  const document = spdxDocument(facts);

  it("uses each identifier once, and only those that are allowed", () => {
    const ids = document.packages.map(({ SPDXID }) => SPDXID);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^SPDXRef-[A-Za-z0-9.-]+$/);
    const known = new Set([...ids, "SPDXRef-DOCUMENT"]);
    for (const { spdxElementId, relatedSpdxElement } of document.relationships)
      for (const each of [spdxElementId, relatedSpdxElement]) expect(known).toContain(each);
  });

  it("says where a package came from, its checksum and its licence where known, and guesses none", () => {
    const ring = document.packages.find(({ name }) => name === "ring");
    expect(ring).toMatchObject({
      versionInfo: "2.1.0",
      downloadLocation: "https://cache.example.org/v3/blobs/sha256/ab/ring",
      checksums: [{ algorithm: "SHA256", checksumValue: digestOf("archive of ring").slice(7) }],
      licenseDeclared: "MIT",
      licenseConcluded: "NOASSERTION",
    });
    expect(JSON.parse(ring?.annotations?.[0]?.comment ?? "")).toMatchObject({
      "spack:hash": hashOf("ring"),
      layer: digestOf("ring compressed"),
    });
    const mpich = document.packages.find(({ name }) => name === "mpich");
    expect(mpich).toMatchObject({
      downloadLocation: "NOASSERTION",
      licenseDeclared: "BSD-3-Clause OR (MIT AND Zlib)",
    });
    expect(document.packages.find(({ name }) => name === "gcc-runtime")?.licenseDeclared).toBe("NOASSERTION");
  });
});

describe("documents", () => {
  it("are the same for the same facts, and others for others", () => {
    expect(JSON.stringify(spdxDocument(sampleFacts()))).toBe(JSON.stringify(spdxDocument(facts)));
    expect(JSON.stringify(cycloneDxDocument(sampleFacts()))).toBe(JSON.stringify(cycloneDxDocument(facts)));
    const other = sampleFacts({ manifest: sampleManifest(digestOf("another manifest")) });
    expect(spdxDocument(other).documentNamespace).not.toBe(spdxDocument(facts).documentNamespace);
    expect(cycloneDxDocument(other).serialNumber).not.toBe(cycloneDxDocument(facts).serialNumber);
    expect(cycloneDxDocument(facts).serialNumber).toMatch(
      /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });
});
