import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary } from "../support/cli.ts";
import { emulatorTrouble, withEmulator } from "../support/emulation.ts";
import { runnerTrouble } from "../support/runner.ts";

const root = resolve(import.meta.dirname, "../..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly version: string;
};

/** Debian 11's C library: the oldest that the archive still has. */
const glibc = {
  amd64: "pool/main/g/glibc/libc6_2.31-13+deb11u11_amd64.deb",
  arm64: "pool/main/g/glibc/libc6_2.31-13+deb11u11_arm64.deb",
};
const debian = "http://deb.debian.org/debian";

/** Self-contained folders, as `npm run release` makes them: what they are made of comes from npm's registry and Debian's archive. */
describe("a release", () => {
  const place = mkdtempSync(join(tmpdir(), "spacktainers-release-"));
  chmodSync(place, 0o755);
  afterAll(() => rmSync(place, { recursive: true, force: true }));
  const release = (output: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, [join(root, "scripts/release.mjs"), "--output", output, ...args], {
      encoding: "utf8",
      env: { ...process.env, ...env },
    });
  const made = release(join(place, "one"), ["--image"]);
  const offline = /fetch failed|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|npm error/.test(made.stderr);
  const trouble = offline ? "the npm registry or Debian's archive cannot be reached" : undefined;
  it.skipIf(trouble === undefined)(`(skipped: ${trouble})`, () => {});

  describe.skipIf(trouble !== undefined)("when it is made", () => {
    const archive = (arch: string): string =>
      join(place, "one", `spacktainers-${version}-linux-${arch}.tar.gz`);
    const folder = (arch: string): string =>
      join(place, `folder-${arch}`, `spacktainers-${version}-linux-${arch}`);
    beforeAll(() => {
      expect(made.status, made.stderr).toBe(0);
      for (const arch of ["x64", "arm64"]) {
        mkdirSync(join(place, `folder-${arch}`));
        const { status } = spawnSync("tar", ["-xzf", archive(arch), "-C", join(place, `folder-${arch}`)]);
        expect(status).toBe(0);
      }
    });

    it("names its archives and their digests", () => {
      const lines = readFileSync(join(place, "one/SHA256SUMS"), "utf8").trim().split("\n");
      expect(lines).toHaveLength(3);
      for (const line of lines) {
        const [digest, file = ""] = line.split("  ");
        const bytes = readFileSync(join(place, "one", file));
        expect(createHash("sha256").update(bytes).digest("hex")).toBe(digest);
      }
    });

    it("is the same bytes in another time zone, with another mask and another number of threads", () => {
      const script = `umask 077; exec "$@"`;
      const again = join(place, "two");
      const { status, stderr } = spawnSync(
        "sh",
        [
          "-c",
          script,
          "sh",
          process.execPath,
          join(root, "scripts/release.mjs"),
          "--arch",
          "x64",
          "--output",
          again,
        ],
        { encoding: "utf8", env: { ...process.env, TZ: "Asia/Tokyo", LC_ALL: "C", UV_THREADPOOL_SIZE: "1" } },
      );
      expect(status, stderr).toBe(0);
      for (const file of readdirSync(again).filter((name) => name.endsWith("gz")))
        expect(readFileSync(join(again, file)).equals(readFileSync(join(place, "one", file)))).toBe(true);
    });

    it("runs from anywhere, through links, with its own Node.js and libraries", () => {
      const { node } = JSON.parse(readFileSync(join(root, "packaging/release.json"), "utf8")) as {
        node: string;
      };
      const link = join(place, "linked");
      symlinkSync(join(folder("x64"), "bin/spacktainers"), link);
      for (const program of [join(folder("x64"), "bin/spacktainers"), link]) {
        const { stdout, stderr } = spawnSync(program, ["version", "--json"], {
          encoding: "utf8",
          cwd: "/",
          env: { PATH: "/nowhere", HOME: place },
        });
        expect(JSON.parse(stdout), stderr).toMatchObject({ version, node, arch: "x64" });
      }
      // The children of the program get nothing of this.
      const loaded = spawnSync("ldd", [join(folder("x64"), "libexec/node")], { encoding: "utf8" }).stdout;
      expect(loaded).toContain(`${folder("x64")}/libexec/libstdc++.so.6`);
      expect(loaded).toContain(`${folder("x64")}/libexec/libgcc_s.so.1`);
    });

    it("says so when a part of it is missing", () => {
      const bin = join(place, "alone/bin");
      mkdirSync(bin, { recursive: true });
      spawnSync("cp", [join(folder("x64"), "bin/spacktainers"), bin]);
      const { status, stderr } = spawnSync(join(bin, "spacktainers"), [], { encoding: "utf8" });
      expect(stderr).toBe("spacktainers: the folder that this program is in is not complete\n");
      expect(status).toBe(127);
    });

    it("calls the C library, and has no file that others may write", () => {
      const native = join(
        folder("x64"),
        "lib/spacktainers/node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node",
      );
      const loads = ["-p", "require(process.argv[1]).version", resolve(native, "../..")];
      const loaded = spawnSync(join(folder("x64"), "libexec/node"), loads, { encoding: "utf8" });
      expect(loaded.stdout, loaded.stderr).toMatch(/^\d+\.\d+\.\d+\n$/);
      const listed = spawnSync("find", [join(place, "folder-x64"), "-perm", "/022", "!", "-type", "l"], {
        encoding: "utf8",
      });
      expect(listed.stdout).toBe("");
    });

    it("has the manual and completions where they are looked for, and licences", () => {
      const shared = readdirSync(join(folder("x64"), "share"), { recursive: true, encoding: "utf8" });
      expect(shared).toEqual(
        expect.arrayContaining([
          "man/man1/spacktainers-build.1",
          "bash-completion/completions/spacktainers",
          "zsh/site-functions/_spacktainers",
          "fish/vendor_completions.d/spacktainers.fish",
          "licenses/node/LICENSE",
          "licenses/gcc/copyright",
        ]),
      );
    });

    const runners = [
      {
        arch: "x64",
        machine: "amd64",
        before: ["unshare", "-r"],
        lacking: process.arch === "x64" ? undefined : "not amd64",
      },
      { arch: "arm64", machine: "arm64", before: withEmulator("F"), lacking: emulatorTrouble() },
    ] as const;
    describe.each(runners)("in a root directory that has glibc and nothing else: $arch", (runner) => {
      it.skipIf(runner.lacking === undefined)(`(skipped: ${runner.lacking})`, () => {});

      it.skipIf(runner.lacking !== undefined)("starts", ({ skip }) => {
        const bare = join(place, `bare-${runner.arch}`);
        mkdirSync(join(bare, "opt"), { recursive: true });
        const deb = join(place, `${runner.arch}.deb`);
        const fetched = spawnSync("curl", [
          "-fsS",
          "-m",
          "60",
          "-o",
          deb,
          `${debian}/${glibc[runner.machine]}`,
        ]);
        expect(fetched.status).toBe(0);
        expect(spawnSync("dpkg-deb", ["-x", deb, bare]).status).toBe(0);
        spawnSync("cp", ["-a", folder(runner.arch), join(bare, "opt/it")]);
        expect(existsSync(join(bare, "bin"))).toBe(false);
        const start = (args: readonly string[]) => {
          const [program = "", ...before] = runner.before;
          const command = ["chroot", bare, "/opt/it/bin/spacktainers", ...args];
          const once = () =>
            spawnSync(program, [...before, ...command], {
              encoding: "utf8",
              env: { PATH: process.env.PATH },
              timeout: 60_000,
              killSignal: "SIGKILL",
            });
          // Threads of an emulated program may wait for one another for ever: that is the emulator's fault, and happens seldom.
          const first = once();
          if (runner.arch !== "arm64" || first.signal !== "SIGKILL") return first;
          const second = once();
          skip(second.signal === "SIGKILL", "in the emulator, Node.js waits for ever");
          return second;
        };
        const told = start(["version", "--json"]);
        expect(JSON.parse(told.stdout), told.stderr).toMatchObject({
          version,
          arch: runner.arch,
          libc: "glibc 2.31",
        });
        expect(start(["list"]).stdout).toContain("no containers here");
        expect(start(["build", "x"]).status).toBe(2);
      });
    });

    const unable = runnerTrouble();
    it.skipIf(unable !== undefined)(
      `is an image, too${unable === undefined ? "" : ` (skipped: ${unable})`}`,
      () => {
        const image = `oci-archive:${join(place, "one", `spacktainers-${version}-linux-x64.oci.tar`)}`;
        const { stdout, stderr } = spawnSync(
          process.execPath,
          [binary, "run", "--with", "namespace", image, "--", "version", "--json"],
          { encoding: "utf8", env: { ...process.env, XDG_CACHE_HOME: join(place, "cache") } },
        );
        expect(JSON.parse(stdout), stderr).toMatchObject({ version, libc: "glibc 2.36" });
      },
    );
  });

  it("takes no package whose bytes are others", async () => {
    const sources = (await import(pathToFileURL(join(root, "scripts/release/sources.mjs")).href)) as {
      debianPackage(source: { readonly file: string; readonly sha256: string }): Promise<unknown>;
      inputs: { architectures: { x64: { debian: Record<string, { file: string }> } } };
    };
    if (trouble !== undefined) return;
    const file = sources.inputs.architectures.x64.debian["libgcc-s1"]?.file ?? "";
    await expect(sources.debianPackage({ file, sha256: "00".repeat(32) })).rejects.toThrow(
      /is not what was asked for/,
    );
  });
});
