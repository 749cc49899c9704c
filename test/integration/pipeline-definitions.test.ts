import { cpSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { demoRepository, makeWorkplace, type Workplace } from "../support/cli.ts";
import { expectRefusal, jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";

const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

/** A repository of these files. */
function repository(files: Readonly<Record<string, string>>): Workplace {
  const work = makeWorkplace();
  places.push(work);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(work.path(path)), { recursive: true });
    writeFileSync(work.path(path), text);
  }
  return work;
}

const amd64 = "container_definitions/amd64";

/** A repository with one mistake of each kind. */
const mistaken = {
  "spacktainers.yaml": `cache: []
caches:
- {url: ftp://x/y, trust: [gone.pub]}
base: {debain: bookworm}
layers: {budget: 500}
`,
  [`${amd64}/one/spack.yaml`]: `spack:
  specs:
  - ring@1.0.0 +mpi
  - zlib@@1.2
  - "hdf5 +"
  concretizer:
    unfy: true
`,
  [`${amd64}/two/spack.yaml`]: `spack:
  specs:
  - zlib@1.3
  packages:
    zlib:
      require: "@1.2.13"
`,
  [`${amd64}/two.yaml`]: "spack:\n  specs: [ring]\n",
  [`${amd64}/three/spack.yaml`]: "spack:\n  specs:\n   - ring\n  - mpich\n",
  [`${amd64}/four.def`]: "Bootstrap: docker\n",
  [`${amd64}/five/spack.yaml`]: "spack:\n  specs: [ring]\n",
  [`${amd64}/five/spack.lock`]: "{",
  [`${amd64}/sound/spack.yaml`]: "spack:\n  specs: [ring]\n",
  [`${amd64}/_parked/old/spack.yaml`]: "spack:\n  spec: [ring]\n",
  "container_definitions/x86/six/spack.yaml": "spack:\n  specs: [ring]\n",
};

/** What `check` must say of it, in its order; a line that begins with two spaces is a hint. */
const problems = [
  `${amd64}/five/spack.lock:1:2  error  LOCK_INVALID  the lock is not JSON`,
  `${amd64}/four.def:1:1  error  DEFINITION_INVALID  the definition has no \`From:\``,
  `${amd64}/one/spack.yaml:4:10  error  SPEC_SYNTAX  expected a version after @ but found "@" in "zlib@@1.2"`,
  `${amd64}/one/spack.yaml:5:12  error  SPEC_SYNTAX  expected the name of a variant after +`,
  `${amd64}/one/spack.yaml:7:5  error  MANIFEST_INVALID  unknown key \`unfy\` in \`concretizer\``,
  "    hint: did you mean `unify`?",
  `${amd64}/three/spack.yaml:4:1  error  MANIFEST_INVALID  `,
  `${amd64}/two/spack.yaml:1:1  error  DEFINITION_INVALID  there are two containers \`two\` for amd64`,
  `    hint: the other one is ${amd64}/two.yaml`,
  `${amd64}/two/spack.yaml:3:5  error  SPEC_CONTRADICTION  \`zlib@1.3\` contradicts what \`packages: zlib\` requires`,
  "    hint: it is required in line 6",
  "container_definitions/x86  error  DEFINITION_INVALID  `x86` is not an architecture",
  "    hint: use amd64 or arm64",
  "spacktainers.yaml:1:1  error  CONFIG_INVALID  unknown key `cache`",
  "    hint: did you mean `caches`?",
  "spacktainers.yaml:3:9  error  CONFIG_INVALID  `ftp:` is not a kind of cache",
  "    hint: use file:, http:, https:, s3:",
  "spacktainers.yaml:3:28  error  CONFIG_INVALID  the key file `gone.pub` does not exist",
  "    hint: the path starts from the folder of this file",
  "spacktainers.yaml:4:1  error  CONFIG_INVALID  `base` does not name a base",
  "    hint: add one of",
  "spacktainers.yaml:4:8  error  CONFIG_INVALID  unknown key `debain` in `base`",
  "    hint: did you mean `debian`?",
  "spacktainers.yaml:5:18  error  CONFIG_INVALID  `layers.budget` must be at most 127",
  "9 files checked: 15 errors, 0 warnings",
];

describe("check", () => {
  const work = repository(mistaken);

  it("tells every problem of every file in one run, with line, column and hint", async () => {
    const { status, stdout, stderr } = await work.run(["check"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line, at) => line.slice(0, problems[at]?.length))).toEqual(problems);
    expect(stderr).toBe("");
    expect(status).toBe(3);
  });

  it("tells the same as JSON", async () => {
    const result = await work.run(["check", "--json"]);
    const lines = jsonLines(result);
    expect(lines).toHaveLength(1);
    const errors = lines[0]?.errors as Record<string, unknown>[];
    expect(errors).toHaveLength(15);
    expect(errors).toContainEqual({
      code: "SPEC_SYNTAX",
      message: expect.stringContaining("zlib@@1.2"),
      file: work.path(`${amd64}/one/spack.yaml`),
      line: 4,
      column: 10,
    });
    expect(lines[0]).toMatchObject({ type: "result", checked: 9, warnings: [] });
    expect(result.status).toBe(3);
  });

  it("is content with what the project itself comes with", async () => {
    const { status, stdout } = await work.run(["check", "-C", demoRepository]);
    expect(stdout).toMatch(/^\d+ files checked: 0 errors, 0 warnings\n$/);
    expect(status).toBe(0);
  });

  it("lets nothing be built from it: build says the same", async () => {
    const { status, stderr } = await work.run(["build", "sound", "--quiet"]);
    expect(stderr).toContain("spacktainers.yaml:4:8  error  CONFIG_INVALID  unknown key `debain`");
    expect(stderr).toContain("spacktainers.yaml:5:18  error  CONFIG_INVALID");
    expect(status).toBe(3);
    expect(readdirSync(work.directory).sort()).toEqual(["container_definitions", "spacktainers.yaml"]);
  });
});

describe("list", () => {
  it("shows the containers, parked ones and faulty ones too", async () => {
    const work = repository({
      [`${amd64}/first/spack.yaml`]: "spack:\n  specs: [ring@1.0.0, mpich]\n",
      [`${amd64}/second.yaml`]: "spack:\n  spec: [ring]\n",
      [`${amd64}/third.def`]: "Bootstrap: docker\nFrom: example/third:1.2\n",
      "container_definitions/arm64/_parked/fourth/spack.yaml": "spack:\n  specs: [zlib]\n",
    });
    const { status, stdout } = await work.run(["list"]);
    expect(stdout.split("\n").map((line) => line.trimEnd().replace(/ {2,}/g, "  "))).toEqual([
      "NAME  ARCH  VERSION  LOCK  IMAGE  SPECS",
      "first  amd64  -  -  -  ring@1.0.0, mpich",
      expect.stringMatching(/^second {2}amd64 {2}- {2}- {2}- .*has errors: run check/),
      "third  amd64  1.2  -  -  from example/third:1.2",
      "fourth  arm64  -  -  -  zlib  (parked)",
      "",
    ]);
    expect(status).toBe(0);
    const [json] = jsonLines(await work.run(["list", "--json", "--arch", "arm64"]));
    expect(json).toMatchObject({ type: "result", containers: [{ name: "fourth", parked: true }] });
  });

  it("says what is locked, which image is not what the lock says, and what has warnings", async () => {
    const work = makeWorkplace();
    places.push(work);
    makeDemoRepository(work);
    const definition = work.path("container_definitions/amd64/hello-mpi/spack.yaml");
    const listed = async (): Promise<readonly string[]> => {
      const { stdout } = await work.run(["list", "hello-mpi"]);
      return (stdout.split("\n")[1] ?? "").trimEnd().split(/ {2,}/);
    };
    expect(await listed()).toEqual(["hello-mpi", "amd64", "-", "-", "-", "ring, mpich"]);
    expect((await work.run(["build", "hello-mpi"])).status).toBe(0);
    expect((await work.run(["lock", "hello-mpi"])).status).toBe(0);
    const [, , version, lock, image] = await listed();
    expect([version, lock, image]).toEqual(["1.0.0", "yes", expect.stringMatching(/^\d+\.\d MB$/)]);
    writeFileSync(definition, "spack:\n  specs: [mpich]\n  config: {build_jobs: 4}\n");
    expect((await work.run(["lock", "hello-mpi"])).status).toBe(0);
    expect((await listed())[4]).toBe(`${image}, out of date`);
    expect(jsonLines(await work.run(["list", "hello-mpi", "--json"]))).toMatchObject([
      { containers: [{ locked: true, outOfDate: true }] },
    ]);
    expect((await work.run(["build", "hello-mpi"])).status).toBe(0);
    expect((await listed())[4]).toMatch(/^\d+\.\d MB$/);
    writeFileSync(definition, "spack:\n  specs: [mpich]\n  nosuchkey: 1\n  packages: {'lwgrp,': {}}\n");
    const [{ containers }] = jsonLines(await work.run(["list", "hello-mpi", "--json"])) as unknown as [
      { readonly containers: readonly { readonly problems: number; readonly warnings: number }[] },
    ];
    expect(containers[0]).toMatchObject({ problems: 1, warnings: 1 });
  });

  it("says so where there are none", async () => {
    const { status, stdout } = await repository({}).run(["list"]);
    expect(stdout).toContain("no containers here");
    expect(status).toBe(0);
  });
});

describe("a repository without a configuration", () => {
  const work = makeWorkplace();
  places.push(work);
  cpSync(join(demoRepository, "container_definitions"), work.path("container_definitions"), {
    recursive: true,
  });

  it.each([["build"], ["plan"], ["lock"], ["explain"]])(
    "has no build cache, and the lines to write are shown: %s",
    async (verb) => {
      const { status, stdout, stderr } = await work.run([verb, "amd64/hello-mpi", "--quiet"]);
      expect(stdout).toBe("");
      const [error, hint, ...lines] = stderr.split("\n");
      expect(error).toMatch(/^error {2}CONFIG_INVALID {2}no build cache is configured/);
      expect(hint).toMatch(/^ {2}hint: .*--cache URL --trust KEYFILE/);
      expect(lines).toEqual([
        "    caches:",
        "    - { url: s3://my-build-cache, trust: [keys/my-build-cache.pub] }",
        "",
      ]);
      expect(status).toBe(3);
      expect(readdirSync(work.directory)).not.toContain("dist");
    },
  );
  it("is refused clearly: an epilogue that is none", async () => {
    const epilogue = work.path("container_definitions/amd64/neurodamus-neocortex/Dockerfile.epilogue");
    writeFileSync(epilogue, "RUN true\nFROM debian\n");
    const says = /neurodamus-neocortex\/Dockerfile\.epilogue:2:1 {2}error .* has no FROM/;
    const refused = await work.run(["build", "neurodamus-neocortex", "--quiet"]);
    expectRefusal(refused, { code: "NOT_SUPPORTED", status: 1, says });
    expect(readdirSync(work.directory)).not.toContain("dist");
  });
});

describe("a command line that is wrong", () => {
  const work = makeWorkplace();
  places.push(work);
  cpSync(join(demoRepository, "container_definitions"), work.path("container_definitions"), {
    recursive: true,
  });

  it.each([
    [["build", "hello-mp"], "UNKNOWN_CONTAINER", "did you mean `hello-mpi`?"],
    [["build", "hello-mpi", "--output", "tar:x"], "USAGE", "oci-archive:PATH"],
    [["build", "--output", "oci:x"], "USAGE", "{name}"],
    [["unpack", "hello-mpi", "--into", "x", "--root", "opt"], "USAGE", "/opt/software"],
  ])("is refused, and nothing is written: %j", async (args, code, hint) => {
    const { status, stderr } = await work.run([...args, "--quiet"]);
    expect(stderr).toMatch(new RegExp(`^error  ${code}  \\S.*\\n  hint: .*\\n$`));
    expect(stderr).toContain(hint);
    expect(status).toBe(2);
    expect(readdirSync(work.directory)).toEqual(["container_definitions"]);
  });

  it.each([[["bild"]], [["build", "--jobs", "0"]], [["unpack", "hello-mpi"]], [["build", "--nonsense"]]])(
    "is refused in one line and a hint: %j",
    async (args) => {
      const { status, stdout, stderr } = await work.run(args);
      expect(stderr).toMatch(/^error {2}USAGE {2}\S.*\n {2}hint: \S.*\n$/);
      expect(stdout).toBe("");
      expect(stderr).not.toMatch(/^\s+at /m);
      expect(status).toBe(2);
    },
  );
});
