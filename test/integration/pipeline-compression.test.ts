import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hexOfDigest, parseDigest } from "../../src/util/digest.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { digestOfBuild } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";

const configuration = (layers: string): string =>
  `base: {scratch: true}\nlinkage: {allow-unresolved: ["*"]}\nlayers: ${layers}\n`;

interface Manifest {
  readonly layers: readonly { readonly mediaType: string }[];
}

describe.skipIf(!hasCorpusCaches)(
  `layers of zstd${hasCorpusCaches ? "" : " (skipped: ../shared/corpus is not there)"}`,
  () => {
    const places: Workplace[] = [];
    let digest: string;
    const made = async (layers: string, ...more: string[]): Promise<readonly [Workplace, string]> => {
      const place = makeWorkplace(configuration(layers));
      places.push(place);
      const folder = place.path("container_definitions/amd64/ring");
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "spack.yaml"), "spack:\n  specs: [ring]\n  view: /opt/view\n");
      const cache = ["--cache", join(corpusPath, "v2"), "--trust", join(corpusPath, "cache.pub")];
      const result = await place.run(["build", "ring", "--json", ...cache, ...more]);
      return [place, digestOfBuild(result)];
    };
    const manifestOf = (place: Workplace, name: string): Manifest => {
      const parsed = parseDigest(name);
      if (parsed === undefined) throw new Error(`${name} is no digest`);
      const path = place.path("dist/amd64/ring/blobs/sha256", hexOfDigest(parsed));
      return JSON.parse(readFileSync(path, "utf8")) as Manifest;
    };

    beforeAll(async () => {
      [, digest] = await made("{compression: zstd, budget: 3}");
    });
    afterAll(() => {
      for (const place of places) place.remove();
    });

    it("say so in the manifest, those that were joined too", () => {
      const types = manifestOf(places[0] as Workplace, digest).layers.map(({ mediaType }) => mediaType);
      expect(new Set(types)).toEqual(new Set(["application/vnd.oci.image.layer.v1.tar+zstd"]));
      expect(types.length).toBeLessThanOrEqual(3);
    });

    it("are the same bytes with another number of threads, and others at another level", async () => {
      expect((await made("{compression: zstd, budget: 3}", "-j", "1"))[1]).toBe(digest);
      expect((await made("{compression: zstd, budget: 3, level: 1}"))[1]).not.toBe(digest);
    });

    it("are read by skopeo, blobs verified", ({ skip }) => {
      if (!commandExists("skopeo")) return skip("skopeo is not installed");
      const place = places[0] as Workplace;
      const copied = spawnSync(
        "skopeo",
        ["--insecure-policy", "copy", `oci:${place.path("dist/amd64/ring")}`, `dir:${place.path("copy")}`],
        { encoding: "utf8" },
      );
      expect(copied.stderr).toBe("");
      expect(copied.status).toBe(0);
    });
  },
);
