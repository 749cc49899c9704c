import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RecipeEnvironment } from "../../src/recipes/recipeEnvironment.ts";
import type { RecipeWorld } from "../../src/recipes/world.ts";
import type { DagHash } from "../../src/spec/concrete.ts";
import { shellWord } from "../../src/util/shellQuote.ts";
import {
  type EnvironmentModification,
  environmentValues,
  manifestModifications,
  standardPath,
  variableEffects,
} from "../../src/view/environmentModification.ts";
import { environmentScript } from "../../src/view/environmentScript.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { recipeTexts } from "../../src/view/recipeChanges.ts";
import { viewEnvironment } from "../../src/view/viewEnvironment.ts";
import { corpus, readInstalled } from "./installedCorpus.ts";
import { makeSpec } from "./makeSpec.ts";

const shells = [
  ["dash"],
  ["bash", "--norc", "--posix"],
  ["bash", "--norc"],
  ["busybox", "sh"],
  ["zsh"],
].filter(([shell]) => ["/bin", "/usr/bin"].some((folder) => existsSync(join(folder, shell ?? ""))));

/** Recipes as the pipeline gives them. */
function read(texts: Readonly<Record<string, string>>) {
  return {
    texts: new Map([...recipeTexts([]), ...Object.entries(texts)]),
    open: (world: RecipeWorld) => new RecipeEnvironment(world),
  };
}

/** The variables after reading the script `times` times. */
function readScript(
  shell: readonly string[],
  script: string,
  before: Readonly<Record<string, string>>,
  names: readonly string[],
  times = 1,
): Record<string, string> {
  const program = `set -eu\n${script.repeat(times)}\nfor n in ${names.join(" ")}; do eval "printf '%s=%s\\n' $n \\"\\\${$n-UNSET}\\""; done`;
  const [command = "sh", ...options] = shell;
  const output = execFileSync(command, [...options, "-c", program], { env: before, encoding: "utf8" });
  return Object.fromEntries(
    output
      .trim()
      .split("\n")
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

describe.skipIf(!corpus)("what real `spack env activate` sets (needs ../shared/corpus)", () => {
  test("the same values, the system's folders left out", () => {
    const installed = readInstalled("installed");
    const activate = JSON.parse(
      readFileSync(join(corpus ?? "", "installed/activate.json"), "utf8"),
    ) as Record<string, string | string[]>;
    const { modifications, notices } = viewEnvironment({
      graph: installed.graph,
      roots: installed.roots,
      prefixes: new Map(installed.packages.map((one) => [one.spec.hash, one.prefix])),
      tree: new FileTree(installed.packages.map((one) => one.inventory)),
      viewPath: "/opt/oracle/view",
      recipes: read({}),
    });
    const expected = Object.entries(activate).map(([name, value]) => {
      const entries = (Array.isArray(value) ? value : [value]).filter((entry) => !entry.startsWith("/usr/"));
      if (name === "PATH") entries.push(...standardPath.split(":"));
      if (name === "MANPATH") entries.push("");
      return [name, entries.join(":")];
    });
    expect([...environmentValues(modifications)]).toEqual(expected.sort());
    expect(notices).toEqual([]);
  });
});

describe("environment of a view", () => {
  const library = makeSpec("libx");
  const tool = makeSpec("tool", { dependencies: [["libx", library.hash, "link"]] });
  const system = makeSpec("curl", { external: "/usr" });
  const site = makeSpec("openmpi", { external: "/opt/site/openmpi", version: "4.1" });
  const app = makeSpec("app", {
    dependencies: [
      ["curl", system.hash],
      ["openmpi", site.hash, "link", "run"],
      ["tool", tool.hash, "run"],
    ],
  });
  const graph = new Map([library, tool, system, site, app].map((spec) => [spec.hash, spec]));
  const prefixes = new Map<DagHash, string>(
    [library, tool, app].map((spec) => [spec.hash, `/sw/${spec.name}`]),
  );
  const directory = (path: string) => ({ path, type: "directory", mode: 0o755, size: 0 }) as const;
  const tree = new FileTree([
    {
      entries: [
        "usr/bin",
        "usr/share/man",
        "opt/site/openmpi/bin",
        "sw/libx/bin",
        "sw/tool/bin",
        "sw/app/bin64",
      ].map(directory),
    },
  ]);
  const recipes = read({
    openmpi: `
class Openmpi(AutotoolsPackage):
    def setup_run_environment(self, env):
        env.set("MPICC", join_path(self.prefix.bin, "mpicc"))
        env.append_flags("MPI_OPTIONS", "--a//b")
`,
  });
  const options = { graph, roots: [app.hash], prefixes, tree, recipes };

  test("with a view: its folders, then externals that are not the system's", () => {
    const values = environmentValues(viewEnvironment({ ...options, viewPath: "/opt/view" }).modifications);
    expect(values.get("PATH")).toBe(`/opt/view/bin64:/opt/view/bin:/opt/site/openmpi/bin:${standardPath}`);
    expect(values.get("MANPATH")).toBe("/opt/view/share/man:/opt/view/man:");
    expect(values.has("LD_LIBRARY_PATH")).toBe(false);
    expect(values.get("MPICC")).toBe("/opt/site/openmpi/bin/mpicc");
    expect(values.get("MPI_OPTIONS")).toBe("--a//b");
    expect([...values.values()].join(":")).not.toContain("/usr/share/man");
  });

  test("without a view: dependents before dependencies", () => {
    const values = environmentValues(
      viewEnvironment({ ...options, viewPath: undefined }).modifications,
      new Map(),
    );
    expect(values.get("PATH")).toBe("/sw/app/bin64:/sw/tool/bin:/opt/site/openmpi/bin:/sw/libx/bin");
  });

  test("projections are followed in values", () => {
    const { modifications } = viewEnvironment({
      ...options,
      viewPath: "/opt/view",
      projectionOf: (spec) => (spec.name === "tool" ? "tools" : ""),
    });
    expect(environmentValues(modifications, new Map()).get("PATH")).toBe(
      "/opt/view/bin64:/opt/view/tools/bin:/opt/site/openmpi/bin:/opt/view/bin",
    );
  });

  test("what a recipe does that is not understood is reported with its line", () => {
    const oneapi = makeSpec("intel-oneapi-mkl", { variants: [["envmods", true]] });
    const found = viewEnvironment({
      graph: new Map([[oneapi.hash, oneapi]]),
      roots: [oneapi.hash],
      prefixes: new Map([[oneapi.hash, "/sw/mkl"]]),
      tree: new FileTree([]),
      viewPath: "/opt/view",
      recipes: read({
        "intel-oneapi-mkl": `
class IntelOneapiMkl(IntelOneApiLibraryPackage):
    def setup_run_environment(self, env):
        env.set("MKL_ROOT", self.prefix)
        env.set("MKL_HOST", which("mkl"))
        super().setup_run_environment(env)
        env.set("1MKL", "1")
`,
      }),
    });
    expect(environmentValues(found.modifications).get("MKL_ROOT")).toBe("/opt/view");
    expect(found.notices).toHaveLength(3);
    expect(found.notices[0]).toMatch(
      /^the recipe of intel-oneapi-mkl@1\.0\/\w{7}, line 5, .*`which`.*env_vars:/,
    );
    expect(found.notices[1]).toMatch(/line 6, .*scripts are not run/);
    expect(found.notices[2]).toContain('"1MKL", which no shell can set');
  });
});

describe("changes of variables", () => {
  const manifest = manifestModifications([
    { action: "set", variable: "A", value: "x y'z$HOME" },
    { action: "prepend_path", variable: "PATH", value: "/first//bin/" },
    { action: "append_path", variable: "PATH", value: "/last" },
    { action: "remove_path", variable: "PATH", value: "/usr/local/bin" },
    { action: "unset", variable: "GONE", value: "" },
    { action: "set", variable: "L", value: "a" },
    { action: "prepend_path", variable: "L", value: "b" },
    { action: "remove_path", variable: "L", value: "a" },
  ]);

  test("come to values", () => {
    const values = environmentValues(
      manifest,
      new Map([
        ["PATH", "/usr/local/bin:/bin"],
        ["GONE", "1"],
      ]),
    );
    expect([...values]).toEqual([
      ["A", "x y'z$HOME"],
      ["L", "b"],
      ["PATH", "/first/bin:/bin:/last"],
    ]);
  });

  test("names that no shell can set are refused", () => {
    expect(() => manifestModifications([{ action: "set", variable: "A;rm", value: "" }])).toThrow(/A;rm/);
  });

  test("a value set later forgets what came before", () => {
    const effects = variableEffects([
      { kind: "prepend", name: "X", value: "/a" },
      { kind: "set", name: "X", value: "/b" },
    ]);
    expect(effects).toEqual([
      { name: "X", separator: ":", value: "/b", prepended: [], appended: [], removed: [] },
    ]);
  });

  describe.each(shells.map((shell) => [shell.join(" "), shell] as const))("in %s", (_, shell) => {
    const before = { PATH: "/usr/local/bin:/usr/bin:/bin", GONE: "1" };

    test("the script comes to the same values, however often it is read", () => {
      const script = environmentScript(manifest);
      for (const times of [1, 2])
        expect(readScript(shell, script, before, ["A", "PATH", "GONE", "L"], times)).toEqual({
          A: "x y'z$HOME",
          PATH: "/first/bin:/usr/bin:/bin:/last",
          GONE: "UNSET",
          L: "b",
        });
    });

    test("odd texts survive", () => {
      const value = "a'b\"c$d`e\\f *?[x] \t;&|<>(){}#!~é";
      const script = environmentScript([
        { kind: "set", name: "S", value },
        { kind: "prepend", name: "T", value, separator: "," },
        { kind: "append", name: "T", value: "*", separator: "," },
        { kind: "append", name: "T", value: "z", separator: "," },
      ]);
      expect(readScript(shell, script, { PATH: before.PATH, T: "q" }, ["S", "T"], 2)).toEqual({
        S: value,
        T: `${value},q,*,z`,
      });
    });

    test("the manual path keeps the system's pages", () => {
      const script = environmentScript([{ kind: "prepend", name: "MANPATH", value: "/v/man" }]);
      expect(readScript(shell, script, before, ["MANPATH"], 2)).toEqual({ MANPATH: "/v/man:" });
      expect(readScript(shell, script, { ...before, MANPATH: "/m" }, ["MANPATH"])).toEqual({
        MANPATH: "/v/man:/m:",
      });
    });

    test("libraries of the container runtime stay on LD_LIBRARY_PATH, which is otherwise not set", () => {
      const names = ["LD_LIBRARY_PATH"];
      expect(readScript(shell, environmentScript([]), before, names)).toEqual({ LD_LIBRARY_PATH: "UNSET" });
      const script = environmentScript([{ kind: "append", name: "LD_LIBRARY_PATH", value: "/v/lib" }]);
      const singularity = "/.singularity.d/libs";
      expect(readScript(shell, script, before, names, 2)).toEqual({
        LD_LIBRARY_PATH: `/v/lib:${singularity}`,
      });
      const used = { ...before, LD_LIBRARY_PATH: `/x:${singularity}` };
      expect(readScript(shell, script, used, names)).toEqual({ LD_LIBRARY_PATH: `/x:${singularity}:/v/lib` });
      expect(readScript(shell, environmentScript([]), { ...before, LD_LIBRARY_PATH: "/x" }, names)).toEqual({
        LD_LIBRARY_PATH: `/x:${singularity}`,
      });
    });

    test("nothing of ours is left behind", () => {
      const script = environmentScript([{ kind: "remove", name: "PATH", value: "/nowhere" }]);
      const program = `${script}\nset | grep -c '^spacktainers_' || true; type spacktainers_add 2>&1 || true`;
      const [command = "sh", ...rest] = shell;
      const output = execFileSync(command, [...rest], { env: before, encoding: "utf8", input: program });
      expect(output.split("\n")[0]).toBe("0");
      expect(output).toMatch(/not found/);
    });
  });

  test("shell words", () => {
    expect(shellWord("/opt/view-1.0/bin")).toBe("/opt/view-1.0/bin");
    expect(shellWord("")).toBe("''");
    expect(shellWord("~")).toBe("'~'");
    expect(shellWord("a'b")).toBe("'a'\\''b'");
  });

  test("changes after others keep their order in a list", () => {
    const changes: EnvironmentModification[] = ["a", "b", "a"].map((value) => ({
      kind: "prepend",
      name: "P",
      value,
    }));
    expect(environmentValues(changes, new Map([["P", "b:c"]])).get("P")).toBe("a:b:c");
  });
});
