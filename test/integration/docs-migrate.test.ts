/** The commands under "Try it" of docs/migrate.md, as they stand there, in a clean folder, for an ordinary user. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { binary, debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";

const trouble = debianTrouble();
const work = makeWorkplace();
afterAll(() => work.remove());
/** Nobody in particular. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const patience = 300_000;
let attempts = 0;

const [, section = ""] = readFileSync(join(demoRepository, "docs/migrate.md"), "utf8").split("## Try it\n");
const blocks = [...(section.split(/^## /m)[0] ?? "").matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(
  ([, text = ""]) => text,
);

describe("the tutorial on what one has already", () => {
  it("has a part for each kind of source, and one that builds", () => {
    expect(blocks).toHaveLength(4);
  });

  it.skipIf(trouble !== undefined)(
    `comes out by the page alone (${trouble ?? "Debian archive"})`,
    () => {
      const home = work.path(`home-${++attempts}`);
      mkdirSync(join(home, "bin"), { recursive: true });
      chmodSync(work.directory, 0o755);
      chmodSync(home, 0o777);
      const program = join(home, "bin/spacktainers");
      writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`);
      chmodSync(program, 0o755);
      const script = blocks
        .join("\n")
        .replaceAll("s3://my-cache", join(demoRepository, "demo/cache"))
        .replaceAll("my-cache.pub", join(demoRepository, "demo/cache.pub"))
        .replaceAll(" run solver ", " run --with namespace solver ");
      const { status, stdout, stderr } = spawnSync("bash", ["-ec", script], {
        cwd: home,
        encoding: "utf8",
        timeout: patience - 5_000,
        ...user,
        env: {
          PATH: `${home}/bin:${process.env.PATH}`,
          HOME: home,
          XDG_CACHE_HOME: join(home, "cache"),
          NO_COLOR: "1",
        },
      });
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toContain("OS packages of the image: vim-tiny");
      expect(stdout).toContain("the spec mpich");
      expect(stdout).toMatch(/: 0 errors, 0 warnings/);
      expect(stdout).toMatch(/2 ranks .*right/);
      expect(stdout).toMatch(/^hello .*3 packages/m);
      const configuration = readFileSync(join(home, "my-containers/spacktainers.yaml"), "utf8");
      expect(configuration).toContain("org.example.team: solvers");
    },
    patience,
  );
});
