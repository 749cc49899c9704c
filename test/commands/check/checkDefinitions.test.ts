import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkDefinitions } from "../../../src/commands/check/checkDefinitions.ts";
import { generateSigningKey } from "../../../src/supply/signingKey.ts";
import { makeKey } from "../../support/signingKey.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "check-"));
  write("container_definitions/amd64/hello/spack.yaml", "spack:\n  specs: [zlib]\n");
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** `LINE:COLUMN CODE message` of each error and warning; the file's name before it where it is not the configuration. */
async function check(...names: string[]): Promise<{ errors: string[]; warnings: string[] }> {
  const { errors, warnings } = await checkDefinitions({ directory: folder, names, arch: undefined });
  const lines = (found: typeof errors): string[] =>
    found.map(({ place, code, message }) => {
      const file = place.file?.replace(`${folder}/`, "").replace(/^spacktainers\.yaml$/, "");
      const at = [file, place.line, place.column].filter((part) => part !== undefined && part !== "");
      return `${at.join(":")} ${code} ${message.replaceAll(folder, "")}`;
    });
  return { errors: lines(errors), warnings: lines(warnings) };
}

describe("check finds what other verbs would refuse", () => {
  it("nothing where all is well", async () => {
    write("cache.pub", (await makeKey()).armored);
    write("cosign.pub", (await generateSigningKey("")).publicKey);
    write("root.tar", "");
    write(
      "spacktainers.yaml",
      "caches: [{url: cache, trust: [cache.pub]}]\nsigning: {public: [cosign.pub, env://KEY]}\nbase: {rootfs: root.tar}\nregistries: [{url: ghcr.io/org}]\n",
    );
    expect(await check()).toEqual({ errors: [], warnings: [] });
  });

  it("in files of keys", async () => {
    write("garbage.pub", "no key at all\n");
    write(
      "spacktainers.yaml",
      "caches:\n- {url: cache, trust: [garbage.pub]}\n- {url: other, trust: [missing.pub]}\nsigning:\n  public: [garbage.pub, gone.pub]\n",
    );
    const { errors } = await check();
    expect(errors).toEqual([
      expect.stringMatching(/^2:\d+ KEY_INVALID .*garbage\.pub/),
      "3:24 CONFIG_INVALID the key file `missing.pub` does not exist",
      expect.stringMatching(/^5:\d+ KEY_INVALID .*garbage\.pub/),
      expect.stringMatching(/^5:\d+ KEY_INVALID .*gone\.pub/),
    ]);
  });

  it("in the key ring of a base", async () => {
    write("garbage.gpg", "\0\0\0");
    write("spacktainers.yaml", "base:\n  debian: bookworm\n  keyring: [garbage.gpg]\n");
    expect((await check()).errors).toEqual([expect.stringMatching(/^3:\d+ KEY_INVALID .*garbage\.gpg/)]);
    // What lies underneath may be made between `check` and `build`.
    write("spacktainers.yaml", "base:\n  rootfs: nothing.tar\n");
    expect((await check()).errors).toEqual([]);
  });

  it("in names of repositories and tags", async () => {
    write(
      "spacktainers.yaml",
      'registries:\n- {url: registry.example.org/org, repository: "Spack-{name}"}\n- {url: registry.example.org/Org}\n- {url: ghcr.io/org, tags: ["{version}!"]}\n- {url: ghcr.io/org}\n',
    );
    write("container_definitions/amd64/other/spack.yaml", "spack:\n  specs: [zlib]\n");
    expect((await check()).errors).toEqual([
      expect.stringMatching(/^2:\d+ REFERENCE_INVALID .*Spack-/),
      expect.stringMatching(/^3:\d+ REFERENCE_INVALID .*Org/),
      expect.stringMatching(/^4:\d+ CONFIG_INVALID .*cannot be a tag/),
    ]);
  });

  it("in an epilogue", async () => {
    const path = "container_definitions/amd64/hello/Dockerfile.epilogue";
    write(path, "RUN true\nCOPY nothing /there\nEXPSE 80\n");
    expect((await check()).errors).toEqual([expect.stringContaining(`${path}:3`)]);
    write(path, "COPY nothing /there\n");
    expect((await check("hello")).errors).toEqual([expect.stringMatching(/Dockerfile\.epilogue:1.*nothing/)]);
    write(path, "RUN --network=default true\n");
    expect((await check()).errors).toEqual([expect.stringMatching(/Dockerfile\.epilogue:1.*NOT_SUPPORTED/)]);
  });

  it("in a section that takes Apptainer, as a warning", async () => {
    vi.stubEnv("PATH", "/nonexistent");
    write("container_definitions/amd64/post.def", "Bootstrap: docker\nFrom: debian:12\n%post\n true\n");
    expect(await check("post")).toEqual({
      errors: [],
      warnings: [expect.stringMatching(/post\.def:3:1 RUNTIME_MISSING %post needs Apptainer/)],
    });
  });
});
