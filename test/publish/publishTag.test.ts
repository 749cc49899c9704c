import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mediaTypes } from "../../src/archive/oci/types.ts";
import { encode } from "../../src/image/encodedDocument.ts";
import { platformOf } from "../../src/image/platform.ts";
import { publishTag, type TaggedImage } from "../../src/publish/publishTag.ts";
import { parseRegistryHost, parseRepositoryPath, parseTag } from "../../src/registry/reference.ts";
import { type ImageRepository, openRegistry, type Registry } from "../../src/registry/registry.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";

const tag = parseTag("latest");
const both = ["amd64", "arm64"];

describe("publishTag", () => {
  let server: FakeRegistry;
  let registry: Registry;
  let repository: ImageRepository;

  beforeEach(async () => {
    server = await startFakeRegistry();
    const host = parseRegistryHost(server.host);
    registry = openRegistry({ host, retryDelayMs: 1 });
    repository = registry.repository(parseRepositoryPath("group/tool", host));
  });
  afterEach(async () => {
    await registry.close();
    await server.close();
  });

  /** An image whose manifest the repository has. */
  function image(architecture: "amd64" | "arm64", note: string): TaggedImage {
    const { bytes, descriptor } = encode({ schemaVersion: 2, note, architecture }, mediaTypes.manifest);
    server.putManifest("group/tool", descriptor.digest, bytes);
    return { bytes, descriptor: { ...descriptor, platform: platformOf(architecture) } };
  }
  const move = (images: readonly TaggedImage[], architectures: readonly string[]) =>
    publishTag(repository, { tag, images, architectures, annotations: { b: "2", a: "1" } });
  const stored = () => server.manifests.get("group/tool")?.get("latest");
  const index = (): { manifests: { digest: string }[]; annotations: object } =>
    JSON.parse(stored()?.bytes.toString() ?? "{}");
  const digests = (): readonly string[] => index().manifests.map(({ digest }) => digest);

  it("lets the tag stand for the image itself while there is one architecture", async () => {
    const amd64 = image("amd64", "1");
    expect(await move([amd64], ["amd64"])).toEqual({ digest: amd64.descriptor.digest, moved: true });
    expect(stored()?.bytes).toEqual(amd64.bytes);
    const writes = server.log().filter((request) => request.startsWith("PUT")).length;
    expect(await move([amd64], ["amd64"])).toEqual({ digest: amd64.descriptor.digest, moved: false });
    expect(server.log().filter((request) => request.startsWith("PUT"))).toHaveLength(writes);
  });

  it("joins architectures, whichever comes first, in the same bytes", async () => {
    const [amd64, arm64] = [image("amd64", "1"), image("arm64", "1")];
    await move([arm64], both);
    expect(digests()).toEqual([arm64.descriptor.digest]);
    await move([amd64], both);
    expect(digests()).toEqual([amd64.descriptor.digest, arm64.descriptor.digest]);
    expect(index().annotations).toEqual({ a: "1", b: "2" });
    const bytes = stored()?.bytes;
    server.manifests.get("group/tool")?.delete("latest");
    await move([arm64, amd64], both);
    expect(stored()?.bytes).toEqual(bytes);
  });

  it("puts a new image in the place of the old one of its architecture", async () => {
    const [amd64, arm64, newer] = [image("amd64", "1"), image("arm64", "1"), image("amd64", "2")];
    await move([amd64, arm64], both);
    await move([newer], both);
    expect(digests()).toEqual([newer.descriptor.digest, arm64.descriptor.digest]);
  });

  it("drops an architecture that has no definition any more", async () => {
    const [amd64, arm64, newer] = [image("amd64", "1"), image("arm64", "1"), image("amd64", "2")];
    await move([amd64, arm64], both);
    await move([newer], ["amd64"]);
    expect(stored()?.bytes).toEqual(newer.bytes);
  });

  it("keeps both when two publish at once", async () => {
    const [amd64, arm64] = [image("amd64", "1"), image("arm64", "1")];
    await Promise.all([move([amd64], both), move([arm64], both)]);
    expect(digests()).toEqual([amd64.descriptor.digest, arm64.descriptor.digest]);
  });

  it("gives up when others keep overwriting", async () => {
    const [amd64, other] = [image("amd64", "1"), image("amd64", "2")];
    server.fault(
      /^PUT .*manifests\/latest/,
      ({ request, response }) => {
        request.resume();
        server.putManifest("group/tool", "latest", other.bytes);
        response.writeHead(201).end();
        return true;
      },
      100,
    );
    await expect(move([amd64], both)).rejects.toMatchObject({ code: "NETWORK" });
  });
});
