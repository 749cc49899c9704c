import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { getManifest } from "../../src/registry/manifests.ts";
import { listReferrers, putReferrer, referrersTag } from "../../src/registry/referrers.ts";
import { digestOf } from "../../src/util/digest.ts";
import { type FakeRegistry, ociIndex, startFakeRegistry } from "../support/fakeRegistry.ts";
import { body, endless, refusal, status } from "../support/registryFaults.ts";
import { type OpenedRepository, openRepository } from "./open.ts";

const subject = digestOf("the image");

function referrer(name: string, artifactType = "application/spdx+json"): Buffer {
  const empty = { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf("{}"), size: 2 };
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      artifactType,
      config: empty,
      layers: [empty],
      subject: { mediaType: mediaTypes.manifest, digest: subject, size: 9 },
      annotations: { name },
    }),
  );
}

let registry: FakeRegistry;
let opened: OpenedRepository;
beforeEach(async () => {
  registry = await startFakeRegistry();
  opened = openRepository(`${registry.host}/a/b`);
});
afterEach(async () => {
  await opened.close();
  await registry.close();
});

const names = async (artifactType?: string): Promise<readonly (string | undefined)[]> =>
  (await listReferrers(opened.repository, subject, artifactType))
    .map(({ annotations }) => annotations?.name)
    .sort();

describe.each([true, false])("referrers, known to the registry: %s", (known) => {
  beforeEach(() => {
    registry.behaviour.referrers = known;
  });

  it("are written and found again, by type too", async () => {
    expect(await names()).toEqual([]);
    const digest = await putReferrer(opened.repository, referrer("one"));
    await putReferrer(opened.repository, referrer("two", "application/vnd.in-toto+json"));
    expect(await names()).toEqual(["one", "two"]);
    expect(await names("application/spdx+json")).toEqual(["one"]);
    const [found] = await listReferrers(opened.repository, subject, "application/spdx+json");
    expect(found).toEqual({
      mediaType: mediaTypes.manifest,
      digest,
      size: referrer("one").length,
      artifactType: "application/spdx+json",
      annotations: { name: "one" },
    });
    expect(registry.manifests.get("a/b")?.has(referrersTag(subject))).toBe(!known);
  });

  it("written twice are there once", async () => {
    await putReferrer(opened.repository, referrer("one"));
    await putReferrer(opened.repository, referrer("one"));
    expect(await names()).toEqual(["one"]);
  });

  it("written at the same time all stay, with few requests", async () => {
    const all = ["a", "b", "c", "d", "e", "f"];
    await Promise.all(all.map((name) => putReferrer(opened.repository, referrer(name))));
    expect(await names()).toEqual(all);
    const writes = registry.requests.filter(
      ({ method, path }) => method === "PUT" && path.includes("/sha256-"),
    );
    expect(writes.length).toBeLessThanOrEqual(known ? 0 : 2);
  });
});

describe("the tag of referrers", () => {
  beforeEach(() => {
    registry.behaviour.referrers = false;
  });

  it("is written again when another writer overwrote it meanwhile", async () => {
    const rival = {
      mediaType: mediaTypes.manifest,
      digest: digestOf("rival"),
      size: 1,
      annotations: { name: "rival" },
    };
    let overwrites = 0;
    registry.fault(
      /^PUT .*manifests\/sha256-/,
      ({ response }) => {
        // Somebody who read before us writes after us.
        response.on("finish", () => {
          if (overwrites++ > 1) return;
          const manifests = [rival];
          registry.putManifest(
            "a/b",
            referrersTag(subject),
            { schemaVersion: 2, mediaType: ociIndex, manifests },
            ociIndex,
          );
        });
        return false;
      },
      9,
    );
    await putReferrer(opened.repository, referrer("one"));
    expect(await names()).toEqual(["one", "rival"]);
    expect(overwrites).toBe(3);
  });

  it("takes up new entries while those before them are left alone", async () => {
    const writes = () =>
      registry.requests.filter(({ method, path }) => method === "PUT" && /sha256-/.test(path));
    const first = putReferrer(opened.repository, referrer("one"));
    await vi.waitFor(() => expect(writes()).toHaveLength(1));
    await Promise.all([first, putReferrer(opened.repository, referrer("two"))]);
    expect(await names()).toEqual(["one", "two"]);
    expect(writes()).toHaveLength(2);
    await putReferrer(opened.repository, referrer("three"));
    expect(await names()).toEqual(["one", "three", "two"]);
  });

  it("is written again when the registry notices a conflict", async () => {
    registry.fault(/^PUT .*manifests\/sha256-/, status(409), 1);
    registry.fault(/^PUT .*manifests\/sha256-/, status(412), 1);
    await putReferrer(opened.repository, referrer("one"));
    expect(await names()).toEqual(["one"]);
  });

  it("that is refused for another reason is an error", async () => {
    registry.fault(/^PUT .*manifests\/sha256-/, refusal(403, "DENIED", "tags are immutable"), 9);
    await expect(putReferrer(opened.repository, referrer("one"))).rejects.toMatchObject({
      code: "ACCESS_DENIED",
      message: expect.stringContaining("tags are immutable"),
    });
  });

  it("keeps what others wrote there, annotations of the index too", async () => {
    const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [], annotations: { by: "others" } };
    registry.putManifest("a/b", referrersTag(subject), index, ociIndex);
    await putReferrer(opened.repository, referrer("one"));
    const found = await getManifest(opened.repository, referrersTag(subject));
    expect(JSON.parse(found?.bytes.toString("utf8") ?? "")).toMatchObject({ annotations: { by: "others" } });
  });
});

describe("a list of referrers", () => {
  it.each([400, 404, 405, 501])("answered with %i is looked for at the tag", async (code) => {
    const manifests = [{ mediaType: "x", digest: digestOf("x"), size: 1, annotations: { name: "x" } }];
    registry.putManifest(
      "a/b",
      referrersTag(subject),
      { schemaVersion: 2, mediaType: ociIndex, manifests },
      ociIndex,
    );
    registry.fault(/referrers/, status(code));
    expect(await names()).toEqual(["x"]);
  });

  it("that is a page for people is none", async () => {
    registry.fault(/referrers/, body(Buffer.from("<html>"), { "content-type": "text/html" }));
    expect(await names()).toEqual([]);
  });

  it("goes over many pages", async () => {
    const page = (name: string) =>
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          manifests: [{ mediaType: "x", digest: digestOf(name), size: 1, annotations: { name } }],
        }),
      );
    const link = `</v2/a/b/referrers/${subject}?page=2>; rel="next"`;
    registry.fault(/referrers/, body(page("1"), { "content-type": ociIndex, link }));
    registry.fault(/referrers.*page=2/, body(page("2"), { "content-type": ociIndex }));
    expect(await names()).toEqual(["1", "2"]);
  });

  it.each([
    ["without end", endless({ "content-type": ociIndex })],
    [
      "with nonsense",
      body(Buffer.from('{"schemaVersion":2,"manifests":[{}]}'), { "content-type": ociIndex }),
    ],
  ])("%s is refused", async (_, fault) => {
    registry.fault(/referrers/, fault);
    await expect(names()).rejects.toMatchObject({ code: expect.stringMatching(/NETWORK|ARCHIVE_INVALID/) });
  });

  it("needs a subject to be written", async () => {
    const manifest = JSON.parse(referrer("x").toString()) as object;
    const bytes = Buffer.from(JSON.stringify({ ...manifest, subject: undefined }));
    await expect(putReferrer(opened.repository, bytes)).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});
