import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { siteJsonSchema, testsJsonSchema } from "../../src/definitions/jsonSchema.ts";
import { loadRepository } from "../../src/definitions/repository.ts";
import { readSite } from "../../src/definitions/sites.ts";
import { readTestsFile } from "../../src/definitions/testsFile.ts";
import { completeSite } from "../../src/hpc/site.ts";
import { checkConfiguration } from "../../src/pipeline/workspace/checkConfiguration.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "spacktainers-sites-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const told = (text: string, read: typeof readSite | typeof readTestsFile): readonly string[] =>
  read(text, "f.yaml").problems.errors.map(
    ({ message, place, hint }) =>
      `${place.line}:${place.column} ${message}${hint === undefined ? "" : ` (${hint})`}`,
  );

describe("readSite", () => {
  it("tells every mistake with its place", () => {
    expect(
      told(
        'runtime: sarrus\nmpy: pmi2\nreplace-mpi: {sonam: libmpi.so.12, versions: "x"}\nnodes: 0\ntime: "1 h"\nbinds: ["a\\nb"]\ntargets: [{constraint: mc}]\n',
        readSite,
      ),
    ).toEqual([
      "1:10 `runtime` must be one of apptainer, singularity, sarus, podman, docker, native, pyxis, container-engine, podman-hpc, shifter, charliecloud, slurm (did you mean `sarus`?)",
      "2:1 unknown key `mpy` (did you mean `mpi`?)",
      "3:15 unknown key `sonam` in `replace-mpi` (did you mean `soname`?)",
      expect.stringMatching(/^3:\d+ `replace-mpi.versions` must be a version or a range/),
      "4:8 `nodes` must be at least 1",
      expect.stringMatching(/^5:7 `time` must be a time limit/),
      "6:9 `binds.0` must be on one line",
      "7:11 the key `target` is missing here",
    ]);
  });

  it("lets nothing into a batch script's head that would be another line or option", () => {
    for (const value of ["a b", "a\\nb", "$(id)", "a;b"])
      expect(told(`account: "${value}"\n`, readSite)).toHaveLength(1);
    expect(readSite('constraint: "[a|b*2]&c"\n', "f").site).toEqual({ constraint: "[a|b*2]&c" });
  });

  it("takes one item for a list of one, and a text for lines of shell", () => {
    const text = "modules: apptainer\nbinds: $SCRATCH\nprologue: |\n  export A=1\n  export B=2\n";
    const { site } = readSite(text, "f");
    expect(completeSite("here", site ?? {})).toMatchObject({
      modules: ["apptainer"],
      binds: ["$SCRATCH"],
      prologue: ["export A=1", "export B=2"],
    });
    const lists = readSite("modules: [a, b]\nprologue: [export A=1]\n", "f").site ?? {};
    expect(completeSite("here", lists)).toMatchObject({ modules: ["a", "b"], prologue: ["export A=1"] });
    expect(told("modules: a b\n", readSite)).toEqual(["1:10 `modules` must be one word as Slurm takes it"]);
    expect(told("prologue: {}\n", readSite)).toHaveLength(1);
  });

  it("takes an empty file for a site with nothing special", () => {
    expect(readSite("", "f").site).toEqual({});
  });
});

describe("sites of a repository", () => {
  it("are those of the configuration and of the folder; a name twice is a mistake", async () => {
    mkdirSync(join(folder, "sites"), { recursive: true });
    writeFileSync(
      join(folder, "spacktainers.yaml"),
      "sites:\n  one: {runtime: podman}\n  two: {target: zen9}\n",
    );
    writeFileSync(join(folder, "sites/one.yaml"), "runtime: sarus\n");
    writeFileSync(join(folder, "sites/three.yaml"), "runtime: sarus\ntargets:\n- {target: haswel}\n");
    writeFileSync(join(folder, "sites/README"), "not a site");
    const repository = await loadRepository(folder);
    expect([...repository.configuration.sites.keys()]).toEqual(["one", "two", "three"]);
    expect(repository.configuration.sites.get("one")).toEqual({ runtime: "podman" });
    expect(repository.errors.map(({ message }) => message)).toEqual(["the site `one` is described twice"]);
    const found = checkConfiguration(repository.configuration).map(
      ({ message, place, hint }) =>
        `${place.file?.slice(folder.length)}:${place.line}:${place.column} ${message} ${hint}`,
    );
    expect(found).toEqual([
      expect.stringMatching(/^\/spacktainers.yaml:3:17 `zen9` is not a microarchitecture did you mean `zen/),
      "/sites/three.yaml:3:12 `haswel` is not a microarchitecture did you mean `haswell`?",
    ]);
  });

  const examples = readdirSync(join(root, "sites")).filter((name) => name.endsWith(".yaml"));
  it("has examples, one at least for each runtime that clusters have", () => {
    const runtimes = examples.map(
      (name) => readSite(readFileSync(join(root, "sites", name), "utf8"), name).site?.runtime,
    );
    expect([...new Set(runtimes)].sort()).toEqual([
      ...["apptainer", "container-engine", "podman-hpc", "pyxis", "sarus", "shifter"],
    ]);
  });

  it.each(examples)("has nothing wrong in %s", async (name) => {
    const place = mkdtempSync(join(tmpdir(), "spacktainers-site-"));
    try {
      mkdirSync(join(place, "sites"));
      cpSync(join(root, "sites", name), join(place, "sites", name));
      const repository = await loadRepository(place);
      expect(repository.errors).toEqual([]);
      expect(checkConfiguration(repository.configuration)).toEqual([]);
      const site = repository.configuration.sites.get(name.replace(".yaml", ""));
      expect(site?.description).toMatch(/[Cc]luster|Cray/);
      expect(completeSite(name, site ?? {}).mpi.length).toBeGreaterThan(0);
    } finally {
      rmSync(place, { recursive: true });
    }
  });

  it("tells of options of sbatch that cannot be, and of keys that other runtimes have", async () => {
    const place = mkdtempSync(join(tmpdir(), "spacktainers-site-"));
    try {
      writeFileSync(
        join(place, "spacktainers.yaml"),
        'sites:\n  one:\n    sbatch:\n    - hint=nomultithread\n    - --wrap=id\n    - Array=1\n    - nodes=2\n    annotations: {a.b: "c"}\n',
      );
      const { configuration } = await loadRepository(place);
      expect(
        checkConfiguration(configuration).map(({ message, place: { line } }) => `${line} ${message}`),
      ).toEqual([
        "5 with --wrap, sbatch submits no script",
        '6 "Array=1" is not an option of sbatch',
        "7 sbatch's --nodes has its own option here",
        "8 only `runtime: container-engine` has annotations",
      ]);
    } finally {
      rmSync(place, { recursive: true });
    }
  });
});

describe("readTestsFile", () => {
  it("tells every mistake with its place", () => {
    expect(told('test: []\ntests:\n- command: []\n  stdout: "("\n- comand: [x]\n', readTestsFile)).toEqual([
      "1:1 unknown key `test` (did you mean `tests`?)",
      "3:12 `tests.0.command` must have at least 1 items",
      "4:11 `tests.0.stdout` must be a regular expression",
      "5:3 the key `command` is missing here",
      "5:3 unknown key `comand` in `tests.1` (did you mean `command`?)",
    ]);
  });

  it("belongs to the definition beside it", async () => {
    const at = (path: string) => join(folder, "container_definitions/amd64", path);
    mkdirSync(at("a"), { recursive: true });
    for (const path of ["a/spack.yaml", "b.yaml"]) writeFileSync(at(path), "spack: {specs: [zlib]}\n");
    for (const path of ["a/test.yaml", "b.test.yaml"]) writeFileSync(at(path), "tests: []\n");
    const { containers } = await loadRepository(folder);
    expect(containers.map(({ name, tests }) => [name, tests])).toEqual([
      ["a", at("a/test.yaml")],
      ["b", at("b.test.yaml")],
    ]);
  });
});

describe("the schemas for editors", () => {
  it.each([
    ["site.json", siteJsonSchema],
    ["test.json", testsJsonSchema],
  ])("%s is up to date", (name, make) => {
    expect(readFileSync(join(root, "schema", name), "utf8")).toBe(make());
  });
});
