import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Descriptor, mediaTypes, type Platform } from "../../src/archive/oci/types.ts";
import { followIndex } from "../../src/image/followIndex.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64" };

/** Documents by digest, and how often each was read. */
class Documents {
  readonly #bytes = new Map<Digest, Buffer>();
  readonly reads: Digest[] = [];

  put(document: unknown, mediaType: string, more: Partial<Descriptor> = {}): Descriptor {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    this.#bytes.set(digest, bytes);
    return { mediaType, digest, size: bytes.length, ...more };
  }

  index(manifests: readonly Descriptor[], more: Partial<Descriptor> = {}): Descriptor {
    return this.put({ schemaVersion: 2, mediaType: mediaTypes.index, manifests }, mediaTypes.index, more);
  }

  image(platform: Platform, more: Partial<Descriptor> = {}, name = ""): Descriptor {
    const config = this.put(
      { ...platform, name, rootfs: { type: "layers", diff_ids: [] } },
      mediaTypes.config,
    );
    return this.put({ schemaVersion: 2, config, layers: [] }, mediaTypes.manifest, more);
  }

  follow(entries: readonly Descriptor[], ...platforms: readonly Platform[]) {
    const reader = {
      read: async ({ digest }: Descriptor): Promise<Buffer> => {
        this.reads.push(digest);
        const bytes = this.#bytes.get(digest);
        if (bytes === undefined) throw new SpacktainersError("NOT_FOUND", "no such document");
        return bytes;
      },
      placeOf: ({ digest }: Descriptor) => ({ url: digest }),
    };
    return followIndex(entries, platforms, reader, { url: "top" });
  }
}

describe("followIndex", () => {
  it("takes the best of an index, of equals the first", async () => {
    const documents = new Documents();
    const first = documents.image(amd64, { platform: amd64 }, "first");
    const second = documents.image(amd64, { platform: amd64 }, "second");
    const other = documents.image(arm64, { platform: arm64 });
    const index = documents.index([other, first, second]);
    expect(await documents.follow([index], amd64)).toEqual([first]);
    expect(await documents.follow([index], arm64, amd64)).toEqual([other]);
    // What is said beside an image is no reason to read it.
    expect(documents.reads).toEqual([index.digest, index.digest]);
  });

  it("says of several entries that they fit equally well, of one image twice that it is one", async () => {
    const documents = new Documents();
    const first = documents.image(amd64, { platform: amd64 }, "first");
    const second = documents.image(amd64, { platform: amd64 }, "second");
    const nested = documents.index([second, first]);
    expect(await documents.follow([first, nested], amd64)).toEqual([first, second]);
    expect(await documents.follow([first, documents.index([first])], amd64)).toEqual([first]);
  });

  it("takes the only one as it is, and reads the configurations of several without a platform", async () => {
    const documents = new Documents();
    const plain = documents.image(amd64);
    expect(await documents.follow([documents.index([documents.index([plain])])], arm64)).toEqual([plain]);
    const other = documents.image(arm64);
    expect(await documents.follow([plain, other], arm64)).toEqual([other]);
    const artifact = documents.put({}, mediaTypes.manifest, { artifactType: "application/x-signature" });
    const empty = documents.put({}, "application/vnd.oci.empty.v1+json");
    const odd = documents.put({ schemaVersion: 2, config: empty, layers: [] }, mediaTypes.manifest);
    expect(await documents.follow([artifact, odd, plain], amd64)).toEqual([plain]);
  });

  it("says what is there instead, and what is no image", async () => {
    const documents = new Documents();
    const index = documents.index([
      documents.image(amd64, { platform: amd64 }),
      documents.image(arm64, { platform: { os: "unknown", architecture: "unknown" } }, "attestation"),
    ]);
    await expect(documents.follow([index], arm64)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: "there is no image for linux/arm64",
      hint: "it is there for linux/amd64",
    });
    await expect(documents.follow([documents.index([])], amd64)).rejects.toMatchObject({
      code: "NOT_FOUND",
      hint: "its index names no images",
    });
    const chart = documents.put({}, "application/x-\u001b[31mchart");
    await expect(documents.follow([chart], amd64)).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      message: expect.not.stringContaining("\u001b"),
    });
  });

  it("follows indexes in indexes, but not for ever", async () => {
    const documents = new Documents();
    let inner = documents.image(amd64, { platform: amd64 });
    for (let depth = 0; depth < 4; depth++) inner = documents.index([inner], { platform: amd64 });
    expect((await documents.follow([inner], amd64))[0].mediaType).toBe(mediaTypes.manifest);
    await expect(documents.follow([documents.index([inner])], amd64)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringContaining("nested too deeply"),
    });
  });

  it("reads each index once, however often indexes name one another", async () => {
    const documents = new Documents();
    let inner: Descriptor[] = [];
    for (let depth = 0; depth < 3; depth++) {
      const index = documents.index(inner);
      inner = Array.from({ length: 10_000 }, () => index);
    }
    await expect(documents.follow(inner, amd64)).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(documents.reads).toHaveLength(3);
  });

  it("reads so many documents and no more", async () => {
    const documents = new Documents();
    const many = Array.from({ length: 300 }, (_, number) => documents.image(arm64, {}, String(number)));
    await expect(documents.follow(many, amd64)).rejects.toMatchObject({
      code: "ARCHIVE_INVALID",
      message: expect.stringContaining("more than 200 documents"),
    });
    expect(documents.reads.length).toBeLessThanOrEqual(200);
  });

  it("finds an image for the platform wherever it is, or says that there is none", async () => {
    const platforms = fc.constantFrom<(Platform | undefined)[]>(amd64, arm64, undefined);
    type Tree =
      | { readonly image: Platform | undefined; readonly name: number }
      | { readonly index: readonly Tree[] };
    const tree = fc.letrec<{ tree: Tree; image: Tree; index: Tree }>((tie) => ({
      tree: fc.oneof({ maxDepth: 3 }, tie("image"), tie("index")),
      image: fc.record({ image: platforms, name: fc.nat(5) }),
      index: fc.record({ index: fc.array(tie("tree"), { maxLength: 4 }) }),
    })).tree;
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 4 }), async (trees) => {
        const documents = new Documents();
        const actual = new Map<Digest, Platform>();
        const put = (one: Tree): Descriptor => {
          if ("index" in one) return documents.index(one.index.map(put));
          const platform = one.image ?? amd64;
          const said = one.image === undefined ? {} : { platform: one.image };
          const descriptor = documents.image(platform, said, String(one.name));
          actual.set(descriptor.digest, platform);
          return descriptor;
        };
        const entries = trees.map(put);
        const found = await documents.follow(entries, amd64).catch((error: unknown) => {
          expect(error).toMatchObject({ code: "NOT_FOUND" });
          return [];
        });
        for (const { digest } of found) expect(actual.get(digest)).toEqual(amd64);
        expect(found.length > 0).toBe([...actual.values()].includes(amd64));
      }),
    );
  });

  it("says one clear thing of every malformed index", async () => {
    const documents = new Documents();
    const damage = fc.constantFrom<unknown[]>(
      {},
      [],
      null,
      { schemaVersion: 1, manifests: [] },
      { schemaVersion: 2, manifests: {} },
      { schemaVersion: 2, manifests: [{}] },
      { schemaVersion: 2, manifests: [{ mediaType: mediaTypes.manifest, digest: "sha256:x", size: 1 }] },
      { schemaVersion: 2, manifests: [{ mediaType: mediaTypes.manifest, digest: digestOf("x"), size: -1 }] },
      { schemaVersion: 2, manifests: [{ mediaType: mediaTypes.index, digest: digestOf("x"), size: 1 }] },
    );
    await fc.assert(
      fc.asyncProperty(damage, async (document) => {
        const bad = documents.put(document, mediaTypes.index);
        const error = await documents.follow([bad], amd64).catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(SpacktainersError);
      }),
    );
  });
});
