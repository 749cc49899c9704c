import { describe, expect, it } from "vitest";
import { readManifest } from "../../src/environment/manifest.ts";

const problemsOf = (section: string) =>
  readManifest(`spack:\n${section}`, "spack.yaml").errors.map(
    ({ message, place, hint }) =>
      `${place.line}:${place.column} ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );

describe("sections that no image needs are held against Spack's schemas", () => {
  it.each([
    ["config", "  config: {build_jobs: 4, build_stage: [/a, /b], url_fetch_method: curl, ccache: true}\n"],
    ["modules", "  modules: {default: {enable: [tcl], tcl: {hash_length: 7, ^mpi: {suffixes: {a: b}}}}}\n"],
    ["compilers", "  compilers: []\n"],
    ["repos of 0.x", "  repos: [/a]\n"],
    ["repos of 1.x", "  repos: {builtin: {git: https://x.org/a.git, branch: main}}\n"],
    ["mirrors", "  mirrors: {a: {url: s3://b, access_pair: {id_variable: A, secret_variable: B}}}\n"],
    ["develop", "  develop: {zlib: {spec: zlib@1.2, path: ./zlib}}\n"],
    ["ci", "  ci: {target: gitlab, pipeline-gen: [{build-job: {tags: [a]}}]}\n"],
    ["container", "  container: {format: docker, images: {os: 'ubuntu:24.04', spack: develop}}\n"],
    ["numbers to unset", "  env_vars: {unset: [A]}\n"],
    ["overrides", "  config:: {build_jobs:: 4}\n"],
  ])("accepts %s", (_, section) => {
    expect(problemsOf(section)).toEqual([]);
  });

  it.each([
    ["  config: {build_jobs: many}\n", ["2:24 `build_jobs` must be a whole number, 1 or more, not `many`"]],
    [
      "  config: {build_jobs: 0}\n",
      ["2:24 `build_jobs` must be a whole number, 1 or more, not the number `0`"],
    ],
    [
      "  cdash: {build-group: a, ur: b}\n",
      [expect.stringMatching(/^2:27 unknown key `ur` in `cdash` \| .*url/)],
    ],
    [
      "  config: {environments_root: /a}\n",
      [expect.stringMatching(/^2:12 `environments_root` cannot be set/)],
    ],
    ["  modules: 5\n", ["2:12 `modules` must be a mapping, not the number `5`"]],
    [
      "  modules:\n",
      [expect.stringMatching(/^2:1\d `modules` must be a mapping, not nothing \| leave the key out/)],
    ],
    ["  bootstrap: {enable: maybe}\n", ["2:23 `enable` must be true or false, not `maybe`"]],
    ["  cdash: {url: https://x.org}\n", ["2:10 the key `build-group` is missing in `cdash`"]],
    [
      "  compilers: [{compiler: {spec: gcc@12, operating_system: debian12, modules: []}}]\n",
      ["2:26 the key `paths` is missing in `compiler`"],
    ],
    [
      "  upstreams: {a: {install_tree: 1}}\n",
      ['2:33 `install_tree` must be text, not the number `1` | write "1"'],
    ],
    [
      "  mirrors: {a: {url: s3://b, access_pair: {id_variable: A}}}\n",
      [expect.stringMatching(/^2:43 the key `secret_variable` is missing in `access_pair`/)],
    ],
    [
      "  packages: {all: {permissions: {read: everybody}}}\n",
      [expect.stringMatching(/^2:40 `read` must be user, group or world/)],
    ],
    [
      "  modules: {default: {tcl: {zlib@@: {autoload: direct}}}}\n",
      [expect.stringMatching(/^2:29 expected a version/)],
    ],
    ["  specs:\n", [expect.stringMatching(/^2:\d+ `specs` must be a list, not nothing \| write \[\]/)]],
    ["  definitions: [a: ]\n", [expect.stringMatching(/`a` must be a list, not nothing/)]],
  ])("refuses %j", (section, problems) => {
    expect(problemsOf(section)).toEqual(problems);
  });
});
