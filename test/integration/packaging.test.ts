import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { commandExists } from "../support/commandExists.ts";
import { realSpack } from "../support/realSpack.ts";

const root = resolve(import.meta.dirname, "../..");
const place = mkdtempSync(join(tmpdir(), "spacktainers-packaging-"));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string;
};
beforeAll(async () => {
  const recipes = (await import(pathToFileURL(join(root, "scripts/release/recipes.mjs")).href)) as {
    writeRecipes(output: string, facts: { readonly version: string; readonly sha256: string }): void;
  };
  recipes.writeRecipes(place, { version, sha256: "ab".repeat(32) });
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe("the launcher of self-contained folders", () => {
  const lacking = ["x86_64-linux-gnu-as", "aarch64-linux-gnu-as"].find((program) => !commandExists(program));
  it.skipIf(lacking !== undefined)(
    `is what its sources say${lacking === undefined ? "" : ` (skipped: ${lacking} is not installed)`}`,
    () => {
      const script = join(root, "scripts/refresh-launcher.mjs");
      const assembled = execFileSync(process.execPath, [script, "--print"], { encoding: "utf8" });
      const kept = readFileSync(join(root, "packaging/launcher/code.json"), "utf8");
      expect(JSON.parse(kept)).toEqual(JSON.parse(assembled));
    },
  );
});

describe("the recipe for conda", () => {
  const python = join(root, ".scratch/python/bin/python");
  const script = [
    "import sys, rattler_build as r",
    "recipe = r.Stage0Recipe.from_file(sys.argv[1])",
    "found = recipe.render(r.VariantConfig(), r.RenderConfig())",
    "print(len(found), recipe.to_dict()['package'])",
  ].join("\n");
  const check = (file: string) => spawnSync(python, ["-c", script, file], { encoding: "utf8" });
  const isThere = spawnSync(python, ["-c", "import rattler_build"]).status === 0;
  it.skipIf(!isThere)(
    `is one that rattler-build reads and renders${isThere ? "" : " (skipped: py-rattler-build is not in .scratch/python: scripts/install-components.sh)"}`,
    () => {
      const file = join(place, "conda/recipe.yaml");
      const { stdout, stderr } = check(file);
      expect(stdout, stderr).toMatch(/^1 .*spacktainers/);
      const wrong = join(place, "wrong.yaml");
      writeFileSync(wrong, readFileSync(file, "utf8").replace("noarch: generic", "noarch: other"));
      expect(check(wrong).status).not.toBe(0);
    },
  );

  it("has the version and the digest of the archive", () => {
    const recipe = readFileSync(join(place, "conda/recipe.yaml"), "utf8");
    expect(parse(recipe)).toMatchObject({ context: { version }, source: { sha256: "ab".repeat(32) } });
    expect(recipe).not.toMatch(/[^$]\{\{/);
  });
});

describe("the recipe for Spack", () => {
  it.skipIf(realSpack !== undefined)(
    "(skipped: SPACKTAINERS_TEST_SPACK names no Spack: docs/building.md)",
    () => {},
  );

  it("has no line that is too long for Spack's style", () => {
    const recipe = readFileSync(
      join(place, "spack/spack_repo/spacktainers/packages/spacktainers/package.py"),
      "utf8",
    );
    expect(recipe.split("\n").filter((line) => line.length > 99)).toEqual([]);
  });

  it.skipIf(realSpack === undefined)("passes Spack's own audit", () => {
    const configuration = join(place, "configuration");
    mkdirSync(configuration);
    const repositories = [...(realSpack?.recipes ?? []), join(place, "spack/spack_repo/spacktainers")];
    writeFileSync(
      join(configuration, "repos.yaml"),
      `repos:\n${repositories.map((path, index) => `  r${index}: ${path}\n`).join("")}`,
    );
    const spack = (...args: readonly string[]) =>
      spawnSync(join(realSpack?.checkout ?? "", "bin/spack"), ["-C", configuration, ...args], {
        encoding: "utf8",
        env: {
          ...process.env,
          SPACK_DISABLE_LOCAL_CONFIG: "1",
          SPACK_USER_CACHE_PATH: join(place, "spack-cache"),
        },
      });
    const audit = spack("audit", "packages", "spacktainers");
    expect(audit.status, `${audit.stdout}${audit.stderr}`).toBe(0);
    expect(audit.stdout).toContain("PKG-DIRECTIVES: passed");
    expect(spack("info", "spacktainers").stdout).toContain(version);
  });
});

describe("the action for GitHub", () => {
  const action = parse(readFileSync(join(root, "action.yml"), "utf8")) as {
    readonly inputs: Readonly<Record<string, { readonly default: string }>>;
    readonly runs: {
      readonly steps: readonly {
        readonly name: string;
        readonly run?: string;
        readonly env?: Readonly<Record<string, string>>;
      }[];
    };
  };
  const validator = join(root, ".scratch/action-validator/node_modules/.bin/action-validator");
  it.skipIf(!existsSync(validator))(
    `is valid${existsSync(validator) ? "" : " (skipped: action-validator is not in .scratch: scripts/install-components.sh)"}`,
    () => {
      const check = (file: string) => spawnSync(validator, [file], { encoding: "utf8" });
      expect(check(join(root, "action.yml")).status).toBe(0);
      const wrong = join(place, "action.yml");
      writeFileSync(
        wrong,
        readFileSync(join(root, "action.yml"), "utf8").replace("using: composite", "using: other"),
      );
      expect(check(wrong).status).not.toBe(0);
    },
  );

  it("installs the program and runs a command with it, as its steps say", () => {
    const archive = join(
      place,
      JSON.parse(
        execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", place], {
          cwd: root,
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        }),
      )[0].filename as string,
    );
    const workspace = join(place, "workspace");
    mkdirSync(workspace);
    const given: Readonly<Record<string, string>> = {
      package: archive,
      run: `-C "${workspace}" list --json`,
    };
    const value = (text: string): string =>
      text.replace(
        /\$\{\{ *(?:inputs\.([\w-]+)|github\.action_path) *\}\}/g,
        (_, name: string | undefined) =>
          name === undefined ? root : (given[name] ?? action.inputs[name]?.default ?? ""),
      );
    const files = { GITHUB_PATH: join(place, "path"), GITHUB_OUTPUT: join(place, "output") };
    for (const file of Object.values(files)) writeFileSync(file, "");
    const outputs = action.runs.steps.flatMap(({ run, env = {} }) => {
      if (run === undefined) return [];
      const path = readFileSync(files.GITHUB_PATH, "utf8").trim();
      const { status, stdout, stderr } = spawnSync(
        "bash",
        ["--noprofile", "--norc", "-eo", "pipefail", "-c", run],
        {
          cwd: workspace,
          encoding: "utf8",
          env: {
            ...process.env,
            ...files,
            PATH: `${path}:${process.env.PATH}`,
            RUNNER_TEMP: place,
            npm_config_offline: "true",
            npm_config_omit: "optional",
            ...Object.fromEntries(Object.entries(env).map(([name, text]) => [name, value(text)])),
          },
        },
      );
      expect(status, stderr).toBe(0);
      return [stdout];
    });
    expect(readFileSync(files.GITHUB_OUTPUT, "utf8")).toBe(`version=${version}\n`);
    expect(JSON.parse(outputs.at(-1) ?? "")).toEqual({ type: "result", containers: [] });
  });
});
