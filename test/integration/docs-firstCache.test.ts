/** The commands of docs/first-cache.md, as they stand there, in a clean folder, for an ordinary user. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { binary, debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";

const trouble = commandExists("gpg") ? debianTrouble() : "gpg is not installed";
const work = makeWorkplace();
afterAll(() => work.remove());
/** Nobody in particular. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
const patience = 300_000;
let attempts = 0;

const blocks = [
  ...readFileSync(join(demoRepository, "docs/first-cache.md"), "utf8").matchAll(/^```sh\n([\s\S]*?)^```$/gm),
].map(([, text = ""]) => text);

describe("a first build cache", () => {
  it.skipIf(trouble !== undefined)(
    `comes out by the page alone (${trouble ?? "Debian archive"})`,
    () => {
      const home = work.path(`home-${++attempts}`);
      mkdirSync(join(home, "bin"), { recursive: true });
      chmodSync(work.directory, 0o755);
      chmodSync(home, 0o777);
      writeFileSync(
        join(home, "bin/spacktainers"),
        `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`,
      );
      chmodSync(join(home, "bin/spacktainers"), 0o755);
      // Sockets of gpg's agent have short names.
      const keys = `/tmp/spacktainers-gpg-${process.pid}-${attempts}`;
      const script = [
        "set -e",
        `mkdir -m 700 ${keys}; trap 'gpgconf --kill all; rm -rf ${keys}' EXIT`,
        ...blocks.map((block) => block.replaceAll("spacktainers run ", "spacktainers run --with namespace ")),
        "spacktainers explain hello-mpi",
      ].join("\n");
      const { status, stdout, stderr } = spawnSync("bash", ["-c", script], {
        cwd: home,
        encoding: "utf8",
        timeout: patience - 5_000,
        ...user,
        env: {
          PATH: `${home}/bin:${process.env.PATH}`,
          HOME: home,
          GNUPGHOME: keys,
          XDG_CACHE_HOME: join(home, "cache"),
          NO_COLOR: "1",
        },
      });
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toMatch(/6 packages, .* copied from .*, signed by [0-9A-F]{40}/);
      expect(stdout).toMatch(/[0-9A-F]{40} {2}trusted {2}My Group/);
      expect(stdout).toMatch(/2 ranks .*right/);
      expect(readFileSync(join(home, "my-containers/spacktainers.yaml"), "utf8")).toContain(
        "url: ../my-cache",
      );
    },
    patience,
  );
});
