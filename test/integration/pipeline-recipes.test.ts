/** The environment of an image, read from the recipes that the archives hold. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { makeSpec } from "../concretize/specs.ts";
import { makeWorkplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { packedSpec, specCache } from "../support/specCache.ts";
import { writeCache } from "../support/testCache.ts";

const recipes: Readonly<Record<string, string>> = {
  meadow: `
from spack_repo.builtin.build_systems.generic import Package
from spack.package import *


class Meadow(Package):
    def setup_run_environment(self, env):
        env.set("MEADOW_ROOT", self.prefix)
        env.append_path("MEADOW_PATH", self.prefix.share.plugins)
        if os.path.isdir(self.prefix.lib64):
            env.set("MEADOW_LIB", "lib64")
        env.set("MEADOW_HOST", which("uname"))
        env.set("MEADOW_LAST", "1")

    def setup_dependent_run_environment(self, env, dependent_spec):
        env.prepend_path("MEADOW_USERS", dependent_spec.prefix.lib.meadow)
`.replace("from spack.package", "import os\nfrom spack.package"),
  barn: `
from spack.package import *


class Barn(Package):
    version("1.0")
`,
};

const work = makeWorkplace("caches: [{ url: cache, unsigned: true }]\nbase: { scratch: true }\n");
afterAll(() => work.remove());

function archiveOf(all: readonly ConcreteSpec[], spec: ConcreteSpec): Buffer {
  const folders = [".spack", ".spack/repos", ".spack/repos/spack_repo", ".spack/repos/spack_repo/own"];
  const base = ".spack/repos/spack_repo/own/packages";
  return packedSpec(all, spec, {
    members: [
      ...[...folders.slice(1), base].map((name) => ({ name, type: "5" })),
      // Spack keeps the recipes of all that a package was built with.
      ...all.flatMap(({ name }) => [
        { name: `${base}/${name}`, type: "5" },
        { name: `${base}/${name}/package.py`, body: recipes[name] ?? "" },
      ]),
      { name: "lib64", type: "5" },
    ],
  });
}

beforeAll(async () => {
  const meadow = makeSpec("meadow", { modern: true });
  const barn = makeSpec("barn", { run: [meadow], modern: true });
  const all = [meadow, barn];
  await writeCache(work.path("cache"), await specCache(all, { archive: (spec) => archiveOf(all, spec) }));
  mkdirSync(work.path("container_definitions/amd64/field"), { recursive: true });
  writeFileSync(work.path("container_definitions/amd64/field/spack.yaml"), "spack:\n  specs: [barn]\n");
});

describe("the environment that recipes make", () => {
  it("is in the image; what is not understood is said once, with its line", async () => {
    for (const output of ["first", "second"]) {
      const result = await work.run(["build", "field", "-o", `rootfs:${output}`, "--json"]);
      expect(result.stderr).toBe("");
      expect(result.status, result.stdout).toBe(0);
      const script = readFileSync(work.path(output, "etc/profile.d/z10_spack_environment.sh"), "utf8");
      expect(script).toContain("export MEADOW_ROOT=/opt/view\n");
      expect(script).toContain("spacktainers_add MEADOW_PATH /opt/view/share/plugins : last");
      expect(script).toContain("spacktainers_add MEADOW_USERS /opt/view/lib/meadow :");
      expect(script).toContain("export MEADOW_LIB=lib64\n");
      expect(script).toContain("export MEADOW_LAST=1\n");
      expect(script).not.toContain("MEADOW_HOST");
      const said = jsonLines(result).filter(({ message }) => String(message).includes("recipe"));
      expect(said).toMatchObject([
        {
          code: "NOTICE",
          message: expect.stringMatching(/^the recipe of meadow@1\.0\/\w{7}, line 13, .*`which`.*env_vars/),
        },
      ]);
    }
  });
});

describe("`modules: prefix_inspections:`", () => {
  it("decides which folders go to variables, also from an included file", async () => {
    const folder = work.path("container_definitions/amd64/hedge");
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      `${folder}/spack.yaml`,
      "spack:\n  specs: [barn]\n  include: [site.yaml]\n  modules:\n    prefix_inspections:\n      lib: [LD_LIBRARY_PATH]\n",
    );
    writeFileSync(
      `${folder}/site.yaml`,
      "modules:\n  prefix_inspections:\n    ./bin:: [FIRST]\n    include: [CPATH]\n",
    );
    const result = await work.run(["build", "hedge", "-o", "rootfs:hedge"]);
    expect(result.status, result.stderr).toBe(0);
    expect(result.stderr).not.toContain("prefix_inspections");
    const script = readFileSync(work.path("hedge/etc/profile.d/z10_spack_environment.sh"), "utf8");
    expect(script).toContain("spacktainers_add CPATH /opt/view/include :");
    expect(script).toMatch(/LD_LIBRARY_PATH .*\/opt\/view\/lib/);
    expect(script).toContain("spacktainers_add FIRST /opt/view/bin :");
    expect(script).toContain("spacktainers_add CMAKE_PREFIX_PATH /opt/view :");
    expect(script).not.toContain("spacktainers_add PATH");
  });
});
