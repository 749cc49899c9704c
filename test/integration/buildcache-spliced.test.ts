/**
 * What real Spack installs from packages that we published, beside what it installs from its own push of the same builds: install trees
 * padded to 128 and to 256 characters, with a package that was spliced. Where SPACKTAINERS_TEST_SPACK names a Spack (docs/building.md);
 * the recipes are our own, and need no sources.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { snapshot } from "../support/fileSnapshot.ts";
import { realSpack } from "../support/realSpack.ts";
import { makeKey } from "../support/signingKey.ts";
import { openSpackUser, type SpackMirror, spackUserTrouble } from "../support/spackUser.ts";

const { checkout, packages, wheels } = realSpack ?? {};
const trouble =
  spackUserTrouble ?? (packages === undefined ? "SPACKTAINERS_TEST_SPACK has no spack-packages" : undefined);
/** Longest that a test may take, in milliseconds. */
const patience = 40 * 60_000;

const recipe = (name: string, body: string): string => `import os

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class ${name}(Package):
    """A package for tests."""

    homepage = "https://example.org/"
    has_code = False
    version("1.1")
    version("1.0")
    depends_on("c", type="build")
${body}`;

/** A library, and a program that has its prefix in its code, its text, its first line, a link and its RPATH. */
const recipes: Readonly<Record<string, string>> = {
  greeting: recipe(
    "Greeting",
    `
    def install(self, spec, prefix):
        mkdirp(prefix.lib)
        with open("greeting.c", "w") as f:
            f.write('const char *greeting(void) { return "hello %s of %s"; }' % (spec.version, prefix))
        library = join_path(prefix.lib, "libgreeting.so")
        Executable(spack_cc)("-shared", "-fPIC", "-Wl,-soname,libgreeting.so", "greeting.c", "-o", library)
`,
  ),
  greet: recipe(
    "Greet",
    `    depends_on("greeting")

    def install(self, spec, prefix):
        mkdirp(prefix.bin, prefix.etc)
        other = spec["greeting"].prefix
        with open("greet.c", "w") as f:
            f.write('#include <stdio.h>\\n')
            f.write('const char *greeting(void);\\n')
            f.write('int main(void) { printf("%%s, %%s\\\\n", greeting(), "%s beside %s"); }\\n' % (prefix, other))
        program = join_path(prefix.bin, "greet")
        Executable(spack_cc)("greet.c", "-o", program, "-L" + other.lib, "-lgreeting")
        with open(join_path(prefix.etc, "greet.conf"), "w") as f:
            f.write("own = %s\\ngreeting = %s\\n" % (prefix, other))
        script = join_path(prefix.bin, "greeter")
        with open(script, "w") as f:
            f.write("#!%s\\nnothing\\n" % program)
        set_executable(script)
        os.symlink(join_path(other.lib, "libgreeting.so"), join_path(prefix.etc, "library"))
`,
  ),
};

/** Packages of a lock: name, version, hash, and the hash of the package that a spliced one is made of. */
function locked(work: Workplace, name: string) {
  const { concrete_specs: specs } = JSON.parse(
    readFileSync(work.path("container_definitions/amd64", name, "spack.lock"), "utf8"),
  ) as {
    concrete_specs: Record<
      string,
      { name: string; version: string; external?: object; build_spec?: { hash: string } }
    >;
  };
  return Object.entries(specs)
    .filter(([, { external }]) => external === undefined)
    .map(([hash, { name: own, version, build_spec }]) => ({
      name: own,
      version,
      hash,
      madeOf: build_spec?.hash,
    }));
}

describe.skipIf(trouble !== undefined)(
  `packages that we published${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    // Of the same length on every machine: its install trees are padded.
    const root = mkdtempSync(join(tmpdir(), "spacktainers-spliced-"));
    const repository = join(root, "recipes/spack_repo/trial");
    const cacheHome = join(root, "cache-home");
    const places: Workplace[] = [];
    beforeAll(async () => {
      for (const [name, text] of Object.entries(recipes)) {
        mkdirSync(join(repository, "packages", name), { recursive: true });
        writeFileSync(join(repository, "packages", name, "package.py"), text);
      }
      writeFileSync(join(repository, "repo.yaml"), "repo: {namespace: trial, api: v2.2}\n");
      const key = await makeKey();
      writeFileSync(join(root, "key.pub"), key.armored);
      writeFileSync(join(root, "key.asc"), key.privateKey.armor(), { mode: 0o600 });
    });
    afterAll(() => {
      for (const place of places) place.remove();
      rmSync(root, { recursive: true, force: true });
    });

    it.each([128, 256])(
      "are installed by real Spack as from its own push, also a spliced one: padded to %d characters",
      async (padding) => {
        const work = makeWorkplace(
          `spack:
  url: ${checkout}
  repos: [{ url: ${packages}, path: repos/spack_repo/builtin }, ${repository}]
  wheels: ${wheels}
  padded_length: ${padding}
caches: [{ url: ./cache, trust: [${root}/key.pub], push: true, sign: ${root}/key.asc }]
base: { scratch: true }
linkage: { allow-unresolved: ["*"] }
`,
          cacheHome,
        );
        places.push(work);
        const define = (name: string, text: string): void => {
          mkdirSync(work.path("container_definitions/amd64", name), { recursive: true });
          writeFileSync(work.path("container_definitions/amd64", name, "spack.yaml"), `spack:\n${text}`);
        };
        const run = async (...args: readonly string[]): Promise<string> => {
          const { status, stdout, stderr } = await work.run(args);
          expect(status, `${args.join(" ")}\n${stdout}${stderr}`).toBe(0);
          return stdout;
        };

        define("libraries", "  specs: [greeting@1.0, greeting@1.1]\n  concretizer: {unify: false}\n");
        await run("-q", "lock", "libraries", "--solve");
        await run("-q", "build", "libraries");
        const replacement = locked(work, "libraries").find(({ version }) => version === "1.1");
        define(
          "program",
          `  specs: ["greet@1.1 ^greeting@1.0"]
  concretizer: {splice: {explicit: [{target: greeting, replacement: greeting/${replacement?.hash}, transitive: false}]}}
`,
        );
        await run("-q", "lock", "program", "--solve");
        const spliced = locked(work, "program").find(({ name, madeOf }) => name === "greet" && madeOf);
        expect(spliced?.madeOf).toMatch(/^\w{32}$/);
        await run("-q", "build", "program");
        const program = `/${spliced?.hash ?? ""}`;

        // All of it is published, signed; Spack pushes the same builds itself.
        const published = readdirSync(work.path("cache/v3/manifests/spec/greet")).join("\n");
        for (const hash of [spliced?.hash, spliced?.madeOf]) expect(published).toContain(hash);
        const own = work.path("own");
        const spack = ["-q", "spack", "--container", "program", "--", "buildcache"];
        await run(...spack, "push", "--unsigned", "--without-build-dependencies", own, program);
        await run(...spack, "push", "--unsigned", "--only=package", own, `/${spliced?.madeOf}`);
        await run(...spack, "update-index", own);

        const installed = (name: string, mirror: SpackMirror): readonly string[] => {
          const tree = join(root, "tree");
          const user = openSpackUser({
            home: join(root, `${name}-${padding}`),
            mirror,
            tree,
            padding,
            repositories: { trial: repository },
          });
          if (mirror.signed) {
            expect(user.run("gpg", "init").status).toBe(0);
            const keys = user.run("buildcache", "keys", "--install", "--trust");
            expect(keys.status, keys.said).toBe(0);
          }
          const result = user.run("install", "--cache-only", "--no-add", program);
          expect(result.status, result.said).toBe(0);
          const { said } = user.run("location", "-i", program);
          const prefix = said.trim().split("\n").at(-1) ?? "";
          expect(prefix.length).toBeGreaterThan(padding);
          expect(existsSync(join(prefix, "bin/greet")), said).toBe(true);
          const files = snapshot(tree);
          rmSync(tree, { recursive: true });
          // What Spack notes of an installation, with its time.
          return files.filter((line) => !/^\/\.spack-db\//.test(line));
        };
        const ours = installed("ours", { url: `file://${work.path("cache")}`, signed: true });
        const theirs = installed("theirs", { url: `file://${own}`, signed: false });
        expect(ours.length).toBeGreaterThan(10);
        expect(ours).toEqual(theirs);
      },
      patience,
    );
  },
);
