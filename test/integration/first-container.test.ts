/** The commands of docs/first-container.md, as they stand there: how many they are, and that they work, for an ordinary user. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";

const trouble = debianTrouble();
const work = makeWorkplace();
afterAll(() => work.remove());
/** Nobody in particular. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
/** What a new user waits at most, in milliseconds: the test ends then. */
const patience = 300_000;

interface Recipe {
  readonly heading: string;
  /** The number of commands that the heading says. */
  readonly count: number;
  readonly commands: readonly string[];
}

const numbers = ["no", "one", "two", "three", "four"];
/** Blocks of commands below a heading that counts them. */
const recipes: readonly Recipe[] = readFileSync(join(demoRepository, "docs/first-container.md"), "utf8")
  .split(/^(?=#+ )/m)
  .flatMap((section) => {
    const [, heading = "", word] = /^#+ (.*: (\w+) commands)$/m.exec(section) ?? [];
    const [, block] = /^```sh\n([\s\S]*?)^```$/m.exec(section) ?? [];
    if (word === undefined || block === undefined) return [];
    return [{ heading, count: numbers.indexOf(word), commands: block.trim().split("\n") }];
  });

/** The cache, its key and its packages are the demonstration's. */
function substituted(command: string): string {
  return command
    .replaceAll("s3://my-cache", join(demoRepository, "demo/cache"))
    .replaceAll("my-cache.pub", join(demoRepository, "demo/cache.pub"))
    .replaceAll("'hdf5+mpi' 'py-numpy@1.26:'", "'ring@1:' mpich")
    .replaceAll(" run ", " run --with namespace ");
}

describe("the first container", () => {
  const programs = work.path("programs");
  /** Debian's packages are fetched by the first of the tests. */
  const kept = work.path("kept");
  beforeAll(() => {
    chmodSync(work.directory, 0o755);
    for (const folder of [programs, kept]) mkdirSync(folder);
    chmodSync(kept, 0o777);
    writeFileSync(join(programs, "spacktainers"), `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`);
    chmodSync(join(programs, "spacktainers"), 0o755);
  });

  it("takes four commands at most, and the page counts them", () => {
    expect(recipes).toHaveLength(3);
    for (const { commands, count } of recipes) {
      expect(commands).toHaveLength(count);
      expect(count).toBeLessThanOrEqual(4);
    }
  });

  it.skipIf(trouble !== undefined).each(recipes.map((recipe) => [recipe.heading, recipe] as const))(
    `comes out, runs and passes every check: %s (${trouble ?? "Debian archive"})`,
    (heading, { commands }) => {
      const home = work.path(heading.replaceAll(/\W+/g, "-"));
      mkdirSync(home);
      chmodSync(home, 0o777);
      const isRepository = commands.some((command) => command.includes(" init "));
      const name = /build (\S+)/.exec(commands.join("\n"))?.[1] ?? "";
      const script = [
        "set -e",
        ...commands.map(substituted),
        `spacktainers run --with namespace ${name} -- mpiexec -n 2 ring`,
        "spacktainers check",
        ...(isRepository ? ["spacktainers ci check"] : []),
      ].join("\n");
      const { status, stdout, stderr } = spawnSync("bash", ["-c", script], {
        cwd: home,
        encoding: "utf8",
        timeout: patience - 5_000,
        ...user,
        env: { PATH: `${programs}:${process.env.PATH}`, HOME: home, XDG_CACHE_HOME: kept, NO_COLOR: "1" },
      });
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toMatch(/2 ranks .*right/);
      expect(stdout).toMatch(/: 0 errors, 0 warnings/);
      if (isRepository) expect(stdout).toContain("as written  .github/workflows/spacktainers.yml");
      else expect(existsSync(join(home, "spacktainers.yaml"))).toBe(false);
    },
    patience,
  );
});
