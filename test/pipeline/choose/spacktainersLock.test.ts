import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  lockPaths,
  readSpacktainersLock,
  type SpacktainersLock,
  writeSpacktainersLock,
} from "../../../src/pipeline/choose/spacktainersLock.ts";
import { type DagHash, parseDagHash } from "../../../src/spec/concrete.ts";
import { type Digest, digestOf } from "../../../src/util/digest.ts";
import { SpacktainersError } from "../../../src/util/errors.ts";

const hash = (letter: string): DagHash => {
  const parsed = parseDagHash(letter.repeat(32));
  if (parsed === undefined) throw new Error(letter);
  return parsed;
};

const lock: SpacktainersLock = {
  architecture: "amd64",
  spackLock: digestOf("lock"),
  choice: digestOf("choice"),
  tool: { install: 2, assembly: 1 },
  base: {
    kind: "debian",
    request: ["debian bookworm", "packages bash"],
    digest: undefined,
    layers: [digestOf("layer")],
    packages: [
      {
        name: "libstdc++6",
        version: "1:12.2.0-14+deb12u1~x",
        architecture: "amd64",
        digest: digestOf("deb"),
        size: 12,
        filename: "pool/main/g/gcc-12/libstdc++6_12.2.0-14+deb12u1_amd64.deb",
        archive: "security",
        url: "http://deb.debian.org/debian/pool/x.deb",
        source: { name: "gcc-12", version: "12.2.0-14" },
      },
    ],
  },
  packages: [
    { name: "zlib", version: "1.3.1", hash: hash("b"), archive: digestOf("zlib"), size: 99 },
    { name: "mpich", version: "4.0.2", hash: hash("a"), archive: digestOf("mpich"), size: undefined },
  ],
};

const inOrder = { ...lock, packages: [...lock.packages].reverse() };

describe("a lock of ours", () => {
  it("is read as it was written, packages in order", () => {
    expect(readSpacktainersLock(writeSpacktainersLock(lock), "x")).toEqual(inOrder);
  });

  it("holds the Spack that chose, where one did", () => {
    const commit = "abcdef6789012345678901234567890123456789";
    const spack = {
      version: "1.1.0",
      url: "https://github.com/spack/spack.git",
      commit,
      repositories: [{ namespace: "ours", url: undefined, commit: undefined }],
      builder: { image: "local_builder", digest: digestOf("builder") },
    };
    const text = writeSpacktainersLock({ ...inOrder, spack });
    expect(readSpacktainersLock(text, "x")).toEqual({ ...inOrder, spack });
    expect(writeSpacktainersLock(inOrder)).not.toContain('"spack"');
    expect(() => readSpacktainersLock(text.replace(commit, "main"), "x")).toThrow("spack.commit");
  });

  it("has the same bytes whatever the order, a line a package, and ends with a line feed", () => {
    const text = writeSpacktainersLock(lock);
    expect(writeSpacktainersLock(inOrder)).toBe(text);
    expect(text.split("\n").filter((line) => line.includes('"zlib"'))).toHaveLength(1);
    expect(text.split("\n").filter((line) => line.includes('"libstdc++6"'))).toHaveLength(1);
    expect(text.endsWith("}\n")).toBe(true);
  });

  it("holds a base without packages", () => {
    const scratch: SpacktainersLock = {
      ...inOrder,
      base: { kind: "scratch", request: [], digest: undefined, layers: [], packages: [] },
    };
    expect(readSpacktainersLock(writeSpacktainersLock(scratch), "x")).toEqual(scratch);
    const oci: SpacktainersLock = {
      ...inOrder,
      base: {
        kind: "oci",
        request: ["reference x"],
        digest: digestOf("m"),
        layers: [digestOf("l")],
        packages: [],
      },
    };
    expect(readSpacktainersLock(writeSpacktainersLock(oci), "x")).toEqual(oci);
  });

  it("is read as it was written, whatever is in it", () => {
    const digest = fc.uint8Array({ maxLength: 8 }).map((bytes): Digest => digestOf(bytes));
    const word = fc.stringMatching(/^[!-~]{1,20}$/);
    const letters = fc.stringMatching(/^[a-z2-7]{32}$/).map((text) => parseDagHash(text) ?? hash("a"));
    const package_ = fc.record({
      name: word,
      version: word,
      hash: letters,
      archive: digest,
      size: fc.option(fc.maxSafeNat(), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(package_, { selector: (one) => one.hash, maxLength: 6 }), (packages) => {
        const read = readSpacktainersLock(writeSpacktainersLock({ ...lock, packages }), "x");
        const sorted = [...packages].sort((a, b) =>
          a.name < b.name ? -1 : a.name > b.name ? 1 : a.hash < b.hash ? -1 : 1,
        );
        expect(read.packages).toEqual(sorted);
      }),
      { numRuns: 60 },
    );
  });
});

describe("a lock that is not ours", () => {
  const changed = (change: (document: Record<string, never>) => void): string => {
    const document = JSON.parse(writeSpacktainersLock(lock));
    change(document);
    return JSON.stringify(document);
  };
  const refusal = (text: string): SpacktainersError => {
    try {
      readSpacktainersLock(text, "spacktainers.lock");
    } catch (thrown) {
      if (thrown instanceof SpacktainersError) return thrown;
      throw thrown;
    }
    throw new Error("it was read");
  };

  it("is refused with its place", () => {
    for (const text of ["", "{", "[]", "{}", "null", '{"_meta":{"lockfile-version":1}}']) {
      const error = refusal(text);
      expect(error.code).toBe("LOCK_INVALID");
      expect(error.place).toEqual({ file: "spacktainers.lock" });
    }
  });

  it("is refused when it is newer", () => {
    const newer = changed((document) => Object.assign(document._meta ?? {}, { "lockfile-version": 2 }));
    expect(refusal(newer).code).toBe("NOT_SUPPORTED");
  });

  it("cannot lead a download elsewhere", () => {
    for (const filename of [
      "/etc/passwd",
      "../../x.deb",
      "pool/../../x",
      "http://example.org/x",
      "a b",
      "a\nb",
    ]) {
      const text = changed((document) => {
        const [first] = (document.base as unknown as { packages: { filename: string }[] }).packages;
        if (first !== undefined) first.filename = filename;
      });
      expect(refusal(text).message).toMatch(/^base\.packages\.0\.filename: /);
    }
  });

  it("cannot have other digests, hashes or keys", () => {
    const wrong: readonly ((document: Record<string, never>) => void)[] = [
      (document) => Object.assign(document, { "spack-lock": "sha256:00" }),
      (document) => Object.assign(document, { architecture: "riscv64" }),
      (document) => Object.assign(document, { surprise: 1 }),
      (document) => Object.assign(document.packages?.[0] ?? {}, { hash: "short" }),
      (document) => Object.assign(document.packages?.[0] ?? {}, { size: -1 }),
    ];
    for (const change of wrong) expect(refusal(changed(change)).code).toBe("LOCK_INVALID");
  });

  it("never makes anything but our errors", () => {
    const text = writeSpacktainersLock(lock);
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 4 }), (at, length, put) => {
        try {
          readSpacktainersLock(text.slice(0, at) + put + text.slice(at + length), "x");
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SpacktainersError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("lockPaths", () => {
  it("puts locks beside the definition", () => {
    expect(lockPaths({ path: "/r/amd64/sim/spack.yaml", name: "sim" })).toEqual({
      spack: "/r/amd64/sim/spack.lock",
      spacktainers: "/r/amd64/sim/spacktainers.lock",
    });
    expect(lockPaths({ path: "/r/amd64/_flat.yaml", name: "flat" })).toEqual({
      spack: "/r/amd64/flat.lock",
      spacktainers: "/r/amd64/flat.spacktainers.lock",
    });
  });
});
