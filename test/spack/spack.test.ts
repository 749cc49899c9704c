import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readConfiguration } from "../../src/definitions/configuration.ts";
import { openHttp } from "../../src/net/http.ts";
import { findMachinePackages } from "../../src/spack/machinePackages.ts";
import { openSpack, spackRecord } from "../../src/spack/spack.ts";
import { writeScope } from "../../src/spack/workEnvironment.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { canStandIn, makeSpackStandIn, type SpackStandIn } from "../support/spackStandIn/spackStandIn.ts";

let folder: string;
let standIn: SpackStandIn;
const http = openHttp({ retries: 0 });
beforeAll(async () => {
  if (!canStandIn) return;
  folder = mkdtempSync(join(tmpdir(), "spacktainers-spack-"));
  standIn = await makeSpackStandIn(folder, { zlib: {} });
  for (const [path, namespace] of [
    ["ours/a", "ours.a"],
    ["ours/b", "ours.b"],
    ["plain", "plain"],
    ["twin", "plain"],
  ] as const) {
    mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, path, "repo.yaml"), `repo:\n  namespace: ${namespace}\n`);
  }
});
afterAll(async () => {
  await http.close();
  if (canStandIn) rmSync(folder, { recursive: true, force: true });
});

const open = (section: string) => {
  const { configuration, problems } = readConfiguration(
    `spack: ${section}`,
    join(folder, "spacktainers.yaml"),
  );
  expect(problems.errors).toEqual([]);
  if (configuration === undefined) throw new Error("no configuration");
  return openSpack(configuration.spack, {
    http,
    emit: ignoreEvents,
    trust: "",
    directory: join(folder, "home"),
  });
};
const standard = "url: spack, wheels: wheels";

describe.skipIf(!canStandIn)("openSpack (needs python3, git and what compiles)", () => {
  it("puts recipes in order, the last preferred, and says what they are", async () => {
    const spack = await open(`{${standard}, repos: [recipes, {url: ours, paths: [a, b]}, plain]}`);
    expect(spack.repositories.map(({ namespace }) => namespace)).toEqual([
      "plain",
      "ours.b",
      "ours.a",
      "builtin",
    ]);
    expect(spack).toMatchObject({ version: "1.1.0", dialect: "1.x" });
    expect(await spackRecord(spack)).toMatchObject({
      version: "1.1.0",
      url: join(folder, "spack"),
      commit: undefined,
      solver: [expect.stringMatching(/^clingo-5\.8\.0-/), expect.any(String), expect.any(String)],
      repositories: [
        { namespace: "plain", url: join(folder, "plain") },
        { namespace: "ours.b" },
        { namespace: "ours.a" },
        { namespace: "builtin", url: standIn.recipes },
      ],
    });
  });

  it("keeps what was built with other trust apart, and what Spack knows of other recipes", async () => {
    const one = await open(`{${standard}, repos: [recipes]}`);
    const { configuration } = readConfiguration(
      `spack: {${standard}, repos: [recipes, plain]}`,
      join(folder, "spacktainers.yaml"),
    );
    if (configuration === undefined) throw new Error("no configuration");
    const options = { http, emit: ignoreEvents, directory: join(folder, "home") };
    const other = await openSpack(configuration.spack, { ...options, trust: "a key" });
    expect(other.folders.store).not.toBe(one.folders.store);
    expect(other.folders.built).not.toBe(one.folders.built);
    expect(other.folders.misc).not.toBe(one.folders.misc);
    expect(other.folders.sources).toBe(one.folders.sources);
  });

  it("refuses a folder of Spack with configuration of its own, which would leak into what is built", async () => {
    const file = join(folder, "spack/etc/spack/site/packages.yaml");
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, "packages: {all: {require: '%gcc@12'}}\n");
    await expect(open(`{${standard}, repos: [recipes]}`)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("etc/spack/site/packages.yaml"),
      hint: expect.stringContaining("move that file away"),
      place: { line: 1 },
    });
    rmSync(file);
    await open(`{${standard}, repos: [recipes]}`);
  });

  it("says what is wrong, with its place in the configuration", async () => {
    const wrong = [
      [
        `{${standard}, repos: [recipes, plain, twin]}`,
        "two recipe repositories have the namespace `plain`",
        1,
      ],
      [`{${standard}, repos: [{url: ours, path: c}]}`, "has no recipes in `c`", 1],
      [`{${standard}, repos: [ours]}`, "has no repo.yaml", 1],
      [`{url: plain, ref: main, wheels: wheels, repos: [recipes]}`, "there is no git repository", 1],
    ] as const;
    for (const [section, message, line] of wrong)
      await expect(open(section)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining(message),
        place: { line },
      });
    const version = join(folder, "spack/lib/spack/spack/__init__.py");
    const before = readFileSync(version, "utf8");
    try {
      writeFileSync(version, '__version__ = "0.22.1"\n');
      await expect(open(`{${standard}, repos: [recipes]}`)).rejects.toMatchObject({
        code: "NOT_SUPPORTED",
        message: "Spack 0.22.1 is too old: 0.23 is the oldest",
      });
      writeFileSync(version, "nothing\n");
      await expect(open(`{${standard}, repos: [recipes]}`)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    } finally {
      writeFileSync(version, before);
    }
  });
});

describe.skipIf(!canStandIn)(
  "findMachinePackages and writeScope (need python3, git and what compiles)",
  () => {
    it("finds compilers and externals, asks once, and writes them with the target into a scope", async () => {
      const spack = await open(
        `{${standard}, repos: [recipes], mirrors: [sources, "https://mirror.example.org/s"], jobs: 3, externals: [cmake, {spec: opengl@4.6, prefix: /usr}]}`,
      );
      standIn.commands();
      const machine = await findMachinePackages(spack);
      expect(machine.packages).toMatchObject({
        gcc: { externals: [{ spec: "gcc@12.2.0 languages:='c,c++'" }] },
        cmake: { externals: [{ spec: "cmake@3.25.1", prefix: "/usr" }], buildable: false },
        opengl: { externals: [{ spec: "opengl@4.6", prefix: "/usr" }], buildable: false },
      });
      expect(await findMachinePackages(spack)).toEqual(machine);
      expect(standIn.commands()).toEqual([
        ["compiler", "find"],
        ["external", "find", "cmake"],
      ]);
      const scope = await writeScope(spack, { target: "x86_64_v3", machine });
      const section = (name: string) =>
        JSON.parse(readFileSync(join(scope, `${name}.yaml`), "utf8")) as unknown;
      expect(section("packages")).toMatchObject({
        packages: {
          all: { require: ["target=x86_64_v3"], target: ["x86_64_v3"] },
          cmake: { buildable: false },
        },
      });
      expect(section("repos")).toEqual({ "repos:": { builtin: standIn.recipes } });
      expect(section("mirrors")).toEqual({
        "mirrors:": {
          sources0: { url: `file://${join(folder, "sources")}`, source: true, binary: false },
          sources1: { url: "https://mirror.example.org/s", source: true, binary: false },
        },
      });
      expect(section("config")).toMatchObject({
        config: { "install_tree:": { padded_length: 128 }, build_jobs: 3 },
      });
      expect(await writeScope(spack, { target: "x86_64_v3", machine })).toBe(scope);
      expect(await writeScope(spack, { target: "x86_64_v2", machine })).not.toBe(scope);
    });

    it("refuses what the machine does not have, and a tree too deep for its padding", async () => {
      const missing = await open(`{${standard}, repos: [recipes], externals: [nosuch]}`);
      await expect(findMachinePackages(missing)).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: "Spack finds no `nosuch` on this machine",
        place: { line: 1 },
      });
      const compilers = await open(`{${standard}, repos: [recipes], compilers: [gcc@13, clang]}`);
      await expect(findMachinePackages(compilers)).rejects.toMatchObject({
        message: "this machine has none of the compilers `gcc@13`, `clang`",
      });
      const fitting = await open(`{${standard}, repos: [recipes], compilers: ["gcc@12:"]}`);
      expect((await findMachinePackages(fitting)).packages).toHaveProperty("gcc");
      const deep = await open(`{${standard}, repos: [recipes], padded_length: 30}`);
      const machine = await findMachinePackages(deep);
      await expect(writeScope(deep, { target: "x86_64", machine })).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("longer than the 30 characters"),
      });
    });
  },
);
