/** The commands under "Try it" of docs/migrate.md, as they stand there, in a clean folder, for an ordinary user. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";
import { runTutorial, shellBlocks, tutorialPatience } from "../support/tutorial.ts";

const trouble = debianTrouble();
const work = makeWorkplace();
afterAll(() => work.remove());

const [, section = ""] = readFileSync(join(demoRepository, "docs/migrate.md"), "utf8").split("## Try it\n");
const blocks = shellBlocks(section.split(/^## /m)[0] ?? "");

describe("the tutorial on what one has already", () => {
  it("has a part for each kind of source, and one that builds", () => {
    expect(blocks).toHaveLength(4);
  });

  it.skipIf(trouble !== undefined)(
    `comes out by the page alone (${trouble ?? "Debian archive"})`,
    () => {
      const script = blocks
        .join("\n")
        .replaceAll("s3://my-cache", join(demoRepository, "demo/cache"))
        .replaceAll("my-cache.pub", join(demoRepository, "demo/cache.pub"))
        .replaceAll(" run solver ", " run --with namespace solver ");
      const { home, status, stdout, stderr } = runTutorial(work, script);
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toContain("OS packages of the image: vim-tiny");
      expect(stdout).toContain("the spec mpich");
      expect(stdout).toMatch(/: 0 errors, 0 warnings/);
      expect(stdout).toMatch(/2 ranks .*right/);
      expect(stdout).toMatch(/^hello .*3 packages/m);
      const configuration = readFileSync(join(home, "my-containers/spacktainers.yaml"), "utf8");
      expect(configuration).toContain("org.example.team: solvers");
    },
    tutorialPatience,
  );
});
