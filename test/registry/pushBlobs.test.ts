import { randomBytes } from "node:crypto";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type BlobSource, bytesBlob, fileBlob } from "../../src/registry/blobSource.ts";
import { mountBlob, pushBlob, pushBlobs } from "../../src/registry/pushBlob.ts";
import { expectUploads } from "../../src/registry/upload.ts";
import { startFakeRegistry } from "../support/fakeRegistry.ts";
import { resetUploadAfter, status } from "../support/registryFaults.ts";
import { openRepository } from "./open.ts";
import { bytes, collect, large, opened, progress, registry, stored } from "./pushedBlobs.ts";

describe("files", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "spacktainers-push-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it("are pushed, also from the middle on", async () => {
    const path = join(directory, "layer");
    await writeFile(path, bytes);
    registry.fault(/^PATCH/, resetUploadAfter(4_000_000));
    const source = fileBlob(path, { digest: large.digest, size: large.size, label: "layer" });
    expect(await pushBlob(opened.repository, source)).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
  });

  it("that became shorter are one clear error", async () => {
    const path = join(directory, "layer");
    await writeFile(path, bytes);
    await truncate(path, 8_500_000);
    const source = fileBlob(path, { digest: large.digest, size: large.size, label: "layer" });
    await expect(pushBlob(opened.repository, source)).rejects.toMatchObject({
      code: "IO",
      message: "layer ended after 8500000 of 9000000 bytes",
    });
    await rm(path);
    await expect(pushBlob(opened.repository, source)).rejects.toMatchObject({
      code: "NOT_FOUND",
      place: { file: path },
    });
  });
});

describe("expectUploads", () => {
  it("begins an upload and gives it up", async () => {
    await expectUploads(opened.repository);
    expect(registry.log()).toEqual([
      expect.stringMatching(/^POST .* 202$/),
      expect.stringMatching(/^DELETE .* 204$/),
    ]);
  });

  it("says what the registry refuses", async () => {
    registry.fault(/^POST/, status(403), Number.POSITIVE_INFINITY);
    await expect(expectUploads(opened.repository)).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  });
});

describe("mounting", () => {
  beforeEach(() => {
    registry.put("other/base", bytes);
  });
  const base = () => opened.other("other/base");

  it("moves no bytes", async () => {
    expect(await pushBlob(opened.repository, large, { mountFrom: base() })).toBe("mounted");
    expect(registry.log()).toEqual([
      expect.stringMatching(/^HEAD .* 404$/),
      expect.stringMatching(/^POST .*\?mount=sha256:[0-9a-f]{4}&from=other\/base 201$/),
    ]);
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    expect(progress()).toBe(0);
  });

  it.each(["refused", "denied"] as const)("is replaced by an upload where it is %s", async (mount) => {
    registry.behaviour.mount = mount;
    expect(await pushBlob(opened.repository, large, { mountFrom: base() })).toBe("uploaded");
    expect(stored(large.digest)?.equals(bytes)).toBe(true);
    // The upload that was begun instead is used where there is one.
    const posts = registry.requests.filter(({ method }) => method === "POST");
    expect(posts).toHaveLength(mount === "refused" ? 1 : 2);
  });

  it("from another registry is not tried", async () => {
    const foreign = openRepository("127.0.0.1:1/other/base");
    expect(await pushBlob(opened.repository, large, { mountFrom: foreign.repository })).toBe("uploaded");
    expect(registry.log().some((line) => line.includes("mount="))).toBe(false);
    await foreign.close();
  });

  it("by itself says whether it worked, and leaves nothing begun behind", async () => {
    expect(await mountBlob(opened.repository, large.digest, base())).toBe(true);
    registry.behaviour.mount = "refused";
    expect(await mountBlob(opened.other("c/d"), large.digest, base())).toBe(false);
    expect(registry.uploads.size).toBe(0);
    expect(registry.requests.at(-1)).toMatchObject({ method: "DELETE", status: 204 });
  });
});

describe("pushBlobs", () => {
  it("pushes a hundred, each once, a few at a time, skipping what is there", async () => {
    const blobs = Array.from({ length: 100 }, (_, index) => bytesBlob(randomBytes(1000 + index)));
    registry.put("a/b", Buffer.concat(await collect(blobs[0])));
    registry.put("other/base", Buffer.concat(await collect(blobs[1])));
    let most = 0;
    let running = 0;
    let answerAll: (() => void) | undefined;
    const enough = new Promise<void>((resolve) => {
      answerAll = resolve;
    });
    // The first request goes alone; of those after it none is answered before six have come.
    registry.fault(/^HEAD/, () => false);
    registry.fault(
      /^HEAD/,
      async ({ response }) => {
        most = Math.max(most, ++running);
        response.on("close", () => running--);
        if (running === 6) answerAll?.();
        await enough;
        return false;
      },
      9999,
    );
    const outcomes = await pushBlobs(opened.repository, [...blobs, ...blobs], {
      concurrency: 6,
      mountFrom: () => opened.other("other/base"),
    });
    expect(outcomes.size).toBe(100);
    expect([...outcomes.values()].filter((outcome) => outcome === "uploaded")).toHaveLength(98);
    expect([
      outcomes.get(blobs[0]?.digest ?? large.digest),
      outcomes.get(blobs[1]?.digest ?? large.digest),
    ]).toEqual(["present", "mounted"]);
    expect(registry.blobs.get("a/b")?.size).toBe(100);
    expect(most).toBe(6);
  });

  it("goes on, called again, from what has arrived", async () => {
    const blobs = Array.from({ length: 20 }, () => bytesBlob(randomBytes(5000)));
    registry.fault(/^PUT/, () => false, 10);
    registry.fault(/^PUT/, status(403), 99);
    await expect(pushBlobs(opened.repository, blobs, { concurrency: 2 })).rejects.toMatchObject({
      code: "ACCESS_DENIED",
    });
    const arrived = registry.blobs.get("a/b")?.size ?? 0;
    expect(arrived).toBe(10);
    const next = await startAgain(blobs);
    expect([...next.values()].filter((outcome) => outcome === "present")).toHaveLength(arrived);
  });

  async function startAgain(blobs: readonly BlobSource[]) {
    const second = await startFakeRegistry();
    for (const [name, all] of registry.blobs) second.blobs.set(name, all);
    const again = openRepository(`${second.host}/a/b`);
    const outcomes = await pushBlobs(again.repository, blobs);
    await again.close();
    await second.close();
    return outcomes;
  }

  it("two at once do not disturb one another", async () => {
    const second = openRepository(`${registry.host}/a/b`);
    const blobs = Array.from({ length: 10 }, () => bytesBlob(randomBytes(50_000)));
    await Promise.all([
      pushBlobs(opened.repository, blobs),
      pushBlobs(second.repository, blobs.toReversed()),
    ]);
    expect(registry.blobs.get("a/b")?.size).toBe(10);
    await second.close();
  });
});
