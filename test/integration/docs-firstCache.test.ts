/** The commands of docs/first-cache.md, as they stand there, in a clean folder, for an ordinary user. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { runTutorial, shellBlocks, tutorialPatience } from "../support/tutorial.ts";

const trouble = commandExists("gpg") ? debianTrouble() : "gpg is not installed";
const work = makeWorkplace();
afterAll(() => work.remove());
let attempts = 0;

const blocks = shellBlocks(readFileSync(join(demoRepository, "docs/first-cache.md"), "utf8"));

describe("a first build cache", () => {
  it.skipIf(trouble !== undefined)(
    `comes out by the page alone (${trouble ?? "Debian archive"})`,
    () => {
      // Sockets of gpg's agent have short names.
      const keys = `/tmp/spacktainers-gpg-${process.pid}-${++attempts}`;
      const script = [
        `mkdir -m 700 ${keys}; trap 'gpgconf --kill all; rm -rf ${keys}' EXIT`,
        ...blocks.map((block) => block.replaceAll("spacktainers run ", "spacktainers run --with namespace ")),
        "spacktainers explain hello-mpi",
      ].join("\n");
      const { home, status, stdout, stderr } = runTutorial(work, script, { GNUPGHOME: keys });
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toMatch(/6 packages, .* copied from .*, signed by [0-9A-F]{40}/);
      expect(stdout).toMatch(/[0-9A-F]{40} {2}trusted {2}My Group/);
      expect(stdout).toMatch(/2 ranks .*right/);
      expect(readFileSync(join(home, "my-containers/spacktainers.yaml"), "utf8")).toContain(
        "url: ../my-cache",
      );
    },
    tutorialPatience,
  );
});
