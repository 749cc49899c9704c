import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { builderContext } from "../../../src/commands/base/builderContext.ts";
import { ignoreEvents } from "../../../src/util/events.ts";
import { commandExists } from "../../support/commandExists.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-context-"));
  write("builder/Dockerfile");
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(path: string, text = "x"): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}
const options = { emit: ignoreEvents, signal: new AbortController().signal };
const filesBelow = (root: string): readonly string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
const handed = (name: string, path: string) => ({
  name,
  source: { url: join(folder, path), ref: undefined, commit: undefined, place: {} },
  what: "recipes",
});

const noGit = !commandExists("git");
const because = noGit ? " (skipped: git is not installed)" : "";

describe("builderContext", () => {
  it("is the builder's own folder where nothing of the machine is needed", async () => {
    const context = await builderContext(join(folder, "builder"), { handed: [], wheels: undefined }, options);
    expect(context.folder).toBe(join(folder, "builder"));
    await context.close();
    expect(existsSync(context.folder)).toBe(true);
  });

  it("follows links to folders", async () => {
    write("real/repo.yaml");
    write("real-wheels/clingo.whl");
    symlinkSync("real", join(folder, "recipes"));
    symlinkSync("real-wheels", join(folder, "wheels"));
    symlinkSync("builder", join(folder, "linked"));
    const context = await builderContext(
      join(folder, "linked"),
      { handed: [handed("repos/1", "recipes")], wheels: join(folder, "wheels") },
      options,
    );
    expect(filesBelow(context.folder)).toEqual(["Dockerfile", "repos/1/repo.yaml", "wheels/clingo.whl"]);
    await context.close();
  });

  it.skipIf(noGit)(`has what git keeps of a folder, and goes when it is closed${because}`, async () => {
    execFileSync("git", ["init", "--quiet", join(folder, "recipes")]);
    write("recipes/.gitignore", "/opt\n");
    write("recipes/repo.yaml");
    write("recipes/packages/a/package.py");
    write("recipes/packages/a/__pycache__/package.pyc");
    write("recipes/opt/spack/huge");
    write("wheels/clingo.whl");
    const context = await builderContext(
      join(folder, "builder"),
      { handed: [handed("repos/1/here/recipes", "recipes")], wheels: join(folder, "wheels") },
      options,
    );
    expect(filesBelow(context.folder)).toEqual([
      "Dockerfile",
      "repos/1/here/recipes/.gitignore",
      "repos/1/here/recipes/packages/a/package.py",
      "repos/1/here/recipes/repo.yaml",
      "wheels/clingo.whl",
    ]);
    await context.close();
    expect(existsSync(context.folder)).toBe(false);
  });

  it.skipIf(noGit)(
    `copies all of more files than fit into the output of a small tool${because}`,
    async () => {
      execFileSync("git", ["init", "--quiet", join(folder, "recipes")]);
      // Long names rather than many: more than a megabyte of them.
      const deep = `${"n".repeat(200)}/`.repeat(15);
      for (let index = 0; index < 400; index++) write(`recipes/${deep}${index}`, "");
      const sources = { handed: [handed("repos/1", "recipes")], wheels: undefined };
      const context = await builderContext(join(folder, "builder"), sources, options);
      expect(readdirSync(join(context.folder, "repos/1", deep)).length).toBe(400);
      await context.close();
    },
  );

  it.skipIf(noGit)(`leaves nothing behind when a source is not there${because}`, async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("spacktainers-builder-"));
    const sources = { handed: [handed("repos/1", "nowhere")], wheels: undefined };
    await expect(builderContext(join(folder, "builder"), sources, options)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    const after = readdirSync(tmpdir()).filter((name) => name.startsWith("spacktainers-builder-"));
    expect(after.filter((name) => !before.includes(name))).toEqual([]);
  });
});
