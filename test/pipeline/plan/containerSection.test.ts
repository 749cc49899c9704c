import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { defaultBasePackages } from "../../../src/base/debian/defaultPackages.ts";
import { readConfiguration } from "../../../src/definitions/configuration.ts";
import { withContainerSection } from "../../../src/pipeline/plan/containerSection.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-section-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The container's configuration, and the warnings as `line: message | hint`. */
async function read(section: string, configuration = "") {
  const path = join(folder, "spack.yaml");
  const indented = section.replace(/^(?=.)/gm, "    ");
  writeFileSync(path, `spack:\n  specs: [zlib]\n  container:\n${indented}`);
  const { sound } = readConfiguration(configuration, join(folder, "spacktainers.yaml"));
  const found = await withContainerSection(sound, { path, kind: "spack" });
  return {
    ...found.configuration,
    said: found.warnings.map(
      ({ place, message, hint }) => `${place.line}: ${message}${hint === undefined ? "" : ` | ${hint}`}`,
    ),
  };
}

describe("`container:` of a manifest", () => {
  it("gives what spacktainers.yaml leaves open: base, OS packages, labels, strip", async () => {
    const { base, image, strip, said } = await read(
      `format: docker
images: { build: "spack/ubuntu-noble:1.1", final: "ubuntu:24.04" }
os_packages: { command: apt, final: [libgomp1, vim-tiny, vim-tiny] }
labels: { org.example.app: x, App: 1.10, org.opencontainers.image.vendor: me }
strip: false
`,
    );
    expect(base).toMatchObject({ kind: "debian", distribution: "ubuntu", suite: "noble", complete: true });
    expect(base.kind === "debian" && base.packages).toEqual([...defaultBasePackages, "vim-tiny"]);
    expect([...image.labels]).toEqual([
      ["org.example.app", "x"],
      ["App", "1.10"],
    ]);
    expect(image.vendor).toBe("me");
    expect(strip).toBe(false);
    expect(said).toEqual([
      expect.stringMatching(/^5: `images: build` has no effect: .*spacktainers base builder/),
    ]);
  });

  it("gives way to spacktainers.yaml, and says so with the line", async () => {
    const { base, image, strip, said } = await read(
      `images: { os: "ubuntu:24.04", spack: v1.1.0 }
os_packages: { final: [vim-tiny], build: [cmake] }
labels:
  mine: theirs
  other: kept
  org.opencontainers.image.version: "1"
  "a b": no
strip: true
`,
      "base: { debian: bookworm, packages: [bash] }\nimage: { labels: { mine: ours } }\nstrip: false\n",
    );
    expect(base).toMatchObject({ distribution: "debian", suite: "bookworm", packages: ["bash", "vim-tiny"] });
    expect([...image.labels]).toEqual([
      ["mine", "ours"],
      ["other", "kept"],
    ]);
    expect(strip).toBe(false);
    expect(said).toEqual([
      expect.stringMatching(/^4: `images: spack` has no effect.*`spack: ref:`/),
      expect.stringMatching(/^4: `images: os: ubuntu:24.04` has no effect.*`ubuntu: noble`/),
      expect.stringMatching(/^7: the label `mine` has no effect: spacktainers.yaml sets it/),
      expect.stringMatching(/^9: the label `org.opencontainers.image.version` .* Spacktainers sets it/),
      expect.stringMatching(/^10: the label `a b` has no effect: it cannot be one/),
      expect.stringMatching(/^11: `strip: true` has no effect: spacktainers.yaml says `strip: false`/),
      expect.stringMatching(/^5: `os_packages: build` has no effect/),
    ]);
  });

  it("says nothing where both name the same base", async () => {
    for (const [os, base] of [
      ["ubuntu:24.04", "ubuntu: noble"],
      ["debian:12-slim", "debian: bookworm"],
      ["debian:bookworm", 'debian: "12"'],
      ["rockylinux:9", "image: rockylinux:9"],
    ])
      expect(
        (await read(`images: { build: "a:1", final: "${os}" }\n`, `base: { ${base} }\n`)).said,
      ).toHaveLength(1);
  });

  it("starts from an image, and says how OS packages come into it", async () => {
    const { base, said } = await read(
      `images: { os: "rockylinux:9", spack: develop }\nos_packages: { final: [libgomp] }\n`,
    );
    expect(base).toEqual({ kind: "image", reference: "docker.io/library/rockylinux:9" });
    expect(said[1]).toMatch(
      /^5: `os_packages: final` .*Dockerfile.epilogue: RUN dnf install --assumeyes libgomp/,
    );
    const foreign = await read("os_packages: { command: yum, final: [libgomp] }\n");
    expect(foreign.base.kind === "debian" && foreign.base.packages).toBe(undefined);
    expect(foreign.said).toEqual([expect.stringMatching(/^4: .*not of `yum` \| .*base: packages:/)]);
  });

  it("names what belongs elsewhere", async () => {
    const { said } = await read(
      `format: singularity
singularity: { runscript: exec app, help: text }
template: mine.dockerfile
depfile: true
docker: {}
`,
    );
    expect(said).toEqual([
      expect.stringMatching(/^4: `format: singularity` .*--output sif:FILE/),
      expect.stringMatching(/^5: `singularity: runscript` .*NAME\.def/),
      expect.stringMatching(/^5: `singularity: help` .*NAME\.def/),
      expect.stringMatching(/^6: `template` .*Dockerfile\.epilogue/),
    ]);
  });

  it("leaves manifests without one, and broken ones, alone", async () => {
    const path = join(folder, "other.yaml");
    const { sound } = readConfiguration("", join(folder, "spacktainers.yaml"));
    for (const text of [
      "spack: { specs: [zlib] }\n",
      "spack:\n  container: [\n",
      "spack: { container: 3 }\n",
    ]) {
      writeFileSync(path, text);
      expect(await withContainerSection(sound, { path, kind: "spack" })).toEqual({
        configuration: sound,
        warnings: [],
      });
    }
  });
});
