// The container image of the program, made by its own modules: Debian's packages, and above them the self-contained folder.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { folderEntries } from "./folder.mjs";
import { inputs } from "./sources.mjs";

const root = resolve(import.meta.dirname, "../..");
const built = (file) => import(join(root, "build", file));
const architectures = { x64: "amd64", arm64: "arm64" };
const place = "opt/spacktainers";

/**
 * Writes the image as an OCI archive, `docker load` and `podman load` read it.
 * @param {{ name: string, files: ReadonlyMap<string, { mode: number, bytes: Buffer }> }} folder
 * @param {"x64" | "arm64"} arch
 * @param {string} output the folder that it is written to
 * @returns {Promise<string>} its path
 */
export async function releaseImage(folder, arch, output) {
  const { buildBase } = await built("base/buildBase.js");
  const { baseCacheDirectory } = await built("base/baseStore.js");
  const { writeFragment } = await built("archive/writeFragment.js");
  const { layerMediaType } = await built("archive/oci/types.js");
  const { imageMtime } = await built("archive/entry.js");
  const { fileLayer } = await built("image/fileLayer.js");
  const { assembleImage } = await built("image/assembleImage.js");
  const { createdTime } = await built("image/created.js");
  const { writeOciArchive } = await built("image/writeArchives.js");
  const { toolVersion } = await built("util/toolVersion.js");
  const architecture = architectures[arch];
  const base = await buildBase(
    { kind: "debian", distribution: "debian", ...inputs.image },
    { architecture, cacheDir: baseCacheDirectory(), emit: () => {} },
  );
  mkdirSync(output, { recursive: true });
  const work = mkdtempSync(join(output, "image-"));
  try {
    const path = join(work, "layer");
    const { digest, size, diffId } = await writeFragment(path, folderEntries(folder, place));
    const facts = {
      digest,
      size,
      diffId,
      mediaType: layerMediaType("gzip"),
      createdBy: `spacktainers: ${folder.name}`,
      annotations: undefined,
    };
    const own = fileLayer(facts, { path, offset: 0, size }, { isOurs: true });
    const image = assembleImage({
      architecture,
      layers: [...base.layers, own],
      created: createdTime([imageMtime]),
      env: new Map([["PATH", `/${place}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`]]),
      entrypoint: [`/${place}/bin/spacktainers`],
      command: ["--help"],
      workingDirectory: "/work",
      labels: {
        "org.opencontainers.image.title": "spacktainers",
        "org.opencontainers.image.version": toolVersion(),
        "org.opencontainers.image.licenses": "Apache-2.0",
      },
    });
    const target = join(output, `${folder.name}.oci.tar`);
    await writeOciArchive(target, [image], { reference: `spacktainers:${toolVersion()}`, force: true });
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
