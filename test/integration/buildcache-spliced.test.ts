/**
 * What real Spack installs from packages that we published, beside what it installs from its own push of the same builds: install trees
 * padded to 128 and to 256 characters, with a package that was spliced. Where SPACKTAINERS_TEST_SPACK names a Spack (docs/building.md);
 * the recipes are our own, and need no sources.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { copyFewRecipes } from "../support/fewRecipes.ts";
import { snapshot } from "../support/fileSnapshot.ts";
import { realSpack } from "../support/realSpack.ts";
import { makeKey } from "../support/signingKey.ts";
import { openSpackUser, type SpackMirror, spackUserTrouble } from "../support/spackUser.ts";

const { checkout, packages, wheels } = realSpack ?? {};
const trouble =
  spackUserTrouble ?? (packages === undefined ? "SPACKTAINERS_TEST_SPACK has no spack-packages" : undefined);
/** Longest that a test may take, in milliseconds: ten times as long as it takes. */
const patience = 10 * 60_000;

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
    const builtin = join(root, "builtin/spack_repo/builtin");
    const places: Workplace[] = [];
    beforeAll(async () => {
      copyFewRecipes(join(packages ?? "", "repos/spack_repo/builtin"), builtin);
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
  repos: [${builtin}, ${repository}]
  wheels: ${wheels}
  padded_length: ${padding}
caches: [{ url: ./cache, trust: [${root}/key.pub], push: true, sign: ${root}/key.asc }]
base: { scratch: true }
linkage: { allow-unresolved: ["*"] }
`,
          // One machine's packages have one padding.
          join(root, `cache-home-${padding}`),
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

        define("library", "  specs: [greeting@1.1]\n");
        await run("-q", "lock", "library", "--solve");
        await run("-q", "build", "library");
        const replacement = locked(work, "library").find(({ name }) => name === "greeting");
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

        // All of it is published. The spliced one is made from its build spec, wherever it is installed, and is no package of its own;
        // its compiler is one, which the machine has.
        const published = readdirSync(work.path("cache/v3/manifests/spec"), { recursive: true }).join("\n");
        const installed = [...locked(work, "library"), ...locked(work, "program")].filter(
          ({ madeOf }) => madeOf === undefined,
        );
        expect(installed.map(({ hash }) => hash)).toContain(spliced?.madeOf);
        for (const { hash } of installed) expect(published).toContain(hash);
        expect(published).not.toContain(spliced?.hash);
        expect(published).not.toMatch(/gcc-\d|glibc/);
        const own = work.path("own");
        const spack = ["-q", "spack", "--", "buildcache"];
        const hashes = installed.map(({ hash }) => `/${hash}`);
        await run(...spack, "push", "--unsigned", "--only=package", own, ...hashes);
        await run(...spack, "update-index", own);

        const environment = join(root, `environment-${padding}`);
        cpSync(work.path("container_definitions/amd64/program"), environment, { recursive: true });
        writeFileSync(
          join(environment, "spack.yaml"),
          'spack: {specs: ["greet@1.1 ^greeting@1.0"], view: false}\n',
        );
        const treeFrom = (name: string, mirror: SpackMirror, ...what: readonly string[]) => {
          const tree = join(root, "tree");
          const user = openSpackUser({
            home: join(root, `${name}-${padding}`),
            mirror,
            tree,
            repositories: { trial: repository, builtin },
          });
          if (mirror.signed) {
            expect(user.run("gpg", "init").status).toBe(0);
            const keys = user.run("buildcache", "keys", "--install", "--trust");
            expect(keys.status, keys.said).toBe(0);
          }
          const result = user.run(...what);
          expect(result.status, result.said).toBe(0);
          const files = readdirSync(tree, { recursive: true, encoding: "utf8" });
          const program = files.find((path) => path.endsWith(`${spliced?.hash}/bin/greet`)) ?? "";
          expect(program, result.said).not.toBe("");
          // It runs, with the library that it was given, and knows where both are.
          const prefix = join(tree, program, "../..");
          const library = join(prefix, "..", `greeting-1.1-${replacement?.hash}`);
          const said = execFileSync(join(tree, program), { encoding: "utf8", timeout: 60_000 });
          // (Where a shorter prefix took the place of a padded one, slashes fill it up.)
          expect(said.replace(/\/+/g, "/")).toBe(`hello 1.1 of ${library}, ${prefix} beside ${library}\n`);
          // Nothing but what Spack notes of an installation, with its times, may differ.
          const found = snapshot(tree).filter(
            (line) => !/^\/\.spack-db\/|\/\.spack\/install_times\.json /.test(line),
          );
          rmSync(tree, { recursive: true });
          return found;
        };
        const cache = { url: `file://${work.path("cache")}`, signed: true };
        const byLock = ["-e", environment, "install", "--only-concrete", "--cache-only"];
        const ours = treeFrom("ours", cache, ...byLock);
        const theirs = treeFrom("theirs", { url: `file://${own}`, signed: false }, ...byLock);
        expect(ours.length).toBeGreaterThan(10);
        expect(ours).toEqual(theirs);
      },
      patience,
    );
  },
);
