import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compactPackages, openPackageIndex } from "../../src/base/debian/packagesIndex.ts";

const hex = "a".repeat(64);
const paragraph = (fields: string): string => `${fields}\nFilename: pool/x.deb\nSize: 1\nSHA256: ${hex}\n`;

async function compact(text: string, cuts: readonly number[] = []): Promise<string> {
  const bytes = Buffer.from(text, "latin1");
  async function* chunks() {
    let at = 0;
    for (const cut of [...cuts, bytes.length]
      .map((one) => Math.min(one, bytes.length))
      .sort((a, b) => a - b)) {
      yield bytes.subarray(at, cut);
      at = cut;
    }
  }
  const parts: string[] = [];
  for await (const part of compactPackages(chunks(), {})) parts.push(part);
  return parts.join("");
}

const sample = [
  paragraph("Package: a\nVersion: 1\nArchitecture: amd64\nDepends: b,\n c (>= 2)\nDescription: x\n y"),
  paragraph("Package: b\nVersion: 2:1-1\nArchitecture: all\nProvides: c (= 2), d\nMulti-Arch: foreign"),
  paragraph("Package: e\nArchitecture: all"),
  paragraph("package: f\nVERSION: 3\nArchitecture: amd64\nProvides: d"),
].join("\n");

describe("compactPackages", () => {
  test("keeps what is needed and leaves out paragraphs without it", async () => {
    const index = openPackageIndex([await compact(sample)]);
    expect([...index.names()]).toEqual(["a", "b", "f"]);
    expect(index.named("a")[0]).toMatchObject({ version: "1", depends: "b, c (>= 2)", size: 1, index: 0 });
    expect(index.named("b")[0]).toMatchObject({ multiArch: "foreign", filename: "pool/x.deb" });
    expect(index.named("toString")).toEqual([]);
  });

  test("does not depend on how the index is cut", async () => {
    const whole = await compact(sample);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(sample.length), { maxLength: 6 }), async (cuts) => {
        expect(await compact(sample, cuts)).toBe(whole);
      }),
    );
  });

  test.each([
    "../../etc/passwd",
    "/etc/passwd",
    "pool/../../x.deb",
    "pool//x.deb",
    "http://elsewhere/x.deb?a",
    "pool/x y.deb",
    "pool/./x.deb",
  ])("leaves out a package whose file is %j", async (filename) => {
    const text = `Package: a\nVersion: 1\nArchitecture: all\nFilename: ${filename}\nSize: 1\nSHA256: ${hex}\n`;
    expect(await compact(text)).toBe("");
  });

  test("refuses a paragraph without end", async () => {
    async function* endless() {
      for (let at = 0; at < 100; at++) yield Buffer.alloc(65_536, "a");
    }
    const read = async () => {
      for await (const _ of compactPackages(endless(), {}));
    };
    await expect(read()).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});

describe("openPackageIndex", () => {
  test("finds providers, with the version they provide", async () => {
    const index = openPackageIndex([await compact(sample), await compact(sample)]);
    expect(index.providers("c").map(({ package: one, version }) => [one.name, one.index, version])).toEqual([
      ["b", 0, "2"],
      ["b", 1, "2"],
    ]);
    expect(index.providers("d")).toHaveLength(4);
    expect(index.providers("d")[0]?.package).toBe(index.named("b")[0]);
    expect(index.providers("a")).toEqual([]);
  });
});
