/** Bases from the real archives of Debian and Ubuntu, through this machine's mirror. */

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decompressStream } from "../../src/archive/decompress.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { buildBase } from "../../src/base/buildBase.ts";
import { defaultBasePackages } from "../../src/base/debian/defaultPackages.ts";
import { chooseMirrors } from "../../src/base/debian/mirrors.ts";
import type { Base, DebianBaseSpec } from "../../src/base/types.ts";
import { openHttp } from "../../src/net/http.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { plainData } from "../support/plainData.ts";

const http = openHttp({ retries: 1, connectTimeoutMs: 5_000 });

function spec(
  distribution: "debian" | "ubuntu",
  suite: string,
  changes: Partial<DebianBaseSpec> = {},
): DebianBaseSpec {
  return { kind: "debian", distribution, suite, packages: defaultBasePackages, ...changes };
}

async function isReachable(one: DebianBaseSpec): Promise<boolean> {
  const { main } = await chooseMirrors(one, "amd64");
  for (const mirror of main) {
    const found = await http.head(`${mirror.url}/dists/${one.suite}/InRelease`).catch(() => undefined);
    if (found !== undefined) return true;
  }
  return false;
}

const hasDebian = await isReachable(spec("debian", "bookworm"));
const hasUbuntu = await isReachable(spec("ubuntu", "noble"));
const isRoot = process.getuid?.() === 0;
const canRun = process.arch === "x64" && (isRoot || spawnSync("unshare", ["-r", "true"]).status === 0);
const hasMmdebstrap = spawnSync("mmdebstrap", ["--version"]).status === 0;
const hasDpkg = spawnSync("dpkg", ["--version"]).status === 0;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "base-real-"));
});
afterAll(async () => {
  await http.close();
  await rm(folder, { recursive: true });
});

function build(
  one: DebianBaseSpec,
  architecture: "amd64" | "arm64" = "amd64",
  cache = "cache",
): Promise<Base> {
  return buildBase(one, { architecture, cacheDir: join(folder, cache), emit: ignoreEvents, http });
}

/** Unpacks a base with the system's tar. */
async function unpack(base: Base, name: string): Promise<string> {
  const root = join(folder, name);
  await mkdir(root, { recursive: true });
  for (const { extent } of base.layers) execFileSync("tar", ["-xzf", extent?.path ?? "", "-C", root]);
  return root;
}

function inside(root: string, script: string): string {
  const shell = ["chroot", root, "/bin/bash", "-lc", script];
  const [command = "", ...args] = isRoot ? shell : ["unshare", "-r", ...shell];
  return execFileSync(command, args, { encoding: "utf8", env: { PATH: process.env.PATH ?? "" } });
}

describe.skipIf(!hasDebian)("Debian (skipped: its archive cannot be reached)", () => {
  let base: Base;
  beforeAll(async () => {
    base = await build(spec("debian", "bookworm"));
  });

  test("the default base is small, and made again at once and the same", async () => {
    expect(base.libcVersion).toBe("2.36");
    expect(base.layers[0]?.size).toBeLessThan(14_000_000);
    const again = await build(spec("debian", "bookworm"));
    expect(plainData(again)).toEqual(plainData(base));
    const elsewhere = await build(spec("debian", "bookworm"), "amd64", "other");
    expect(elsewhere.layers[0]?.digest).toBe(base.layers[0]?.digest);
  });

  test.skipIf(!canRun)("its shell runs as a login shell, with the usual commands", async () => {
    const root = await unpack(base, "bookworm");
    const script =
      "echo ok; id -un; sh -c 'echo $0'; awk 'BEGIN { print 6 * 7 }'; echo abc | sed s/b/x/ | grep -c axc; locale charmap";
    expect(inside(root, script).trim().split("\n")).toEqual([
      "ok",
      "root",
      "sh",
      "42",
      "1",
      "ANSI_X3.4-1968",
    ]);
    expect(inside(root, "ldd /bin/bash /usr/bin/* 2>&1 | grep -c 'not found' || true").trim()).toBe("0");
  });

  test("libraries and programs that maintainer scripts link by update-alternatives are there", async () => {
    const packages = ["base-files", "bash", "libblas3", "liblapack3", "mawk"];
    const { layers } = await build(spec("debian", "bookworm", { packages }));
    const targets = new Map(
      layers.flatMap(({ inventory }) => inventory.entries).map(({ path, target }) => [path, target]),
    );
    const folder = "usr/lib/x86_64-linux-gnu";
    for (const name of ["blas", "lapack"]) {
      const choice = `/etc/alternatives/lib${name}.so.3-x86_64-linux-gnu`;
      expect(targets.get(`${folder}/lib${name}.so.3`)).toBe(choice);
      expect(targets.get(choice.slice(1))).toBe(`/${folder}/${name}/lib${name}.so.3`);
    }
    expect(targets.get("usr/bin/nawk")).toBe("/etc/alternatives/nawk");
    expect(targets.get("etc/alternatives/nawk")).toBe("/usr/bin/mawk");
  });

  test.skipIf(!hasDpkg)("dpkg lists its packages and finds their files intact", async () => {
    const root = await unpack(base, "dpkg");
    const list = execFileSync(
      "dpkg-query",
      ["--admindir", join(root, "var/lib/dpkg"), "-W", "-f", `\${db:Status-Abbrev}\${Package} \${Version}\n`],
      { encoding: "utf8" },
    );
    expect(list.trim().split("\n")).toEqual(
      base.packages.map(({ name, version }) => `ii ${name} ${version}`),
    );
    expect(execFileSync("dpkg", [`--root=${root}`, "--verify"], { encoding: "utf8" })).toBe("");
    expect(execFileSync("dpkg", [`--root=${root}`, "--audit"], { encoding: "utf8" })).toBe("");
  });

  test.each([
    ["bookworm", "arm64", "2.36"],
    ["trixie", "amd64", "2.41"],
    ["trixie", "arm64", "2.41"],
  ] as const)("%s for %s", async (suite, architecture, libc) => {
    const other = await build(spec("debian", suite), architecture);
    expect(other.libcVersion).toBe(libc);
    const machine = architecture === "arm64" ? 183 : 62;
    const programs = other.inventory.entries.filter(({ elf }) => elf?.interpreter !== undefined);
    expect(programs.length).toBeGreaterThan(50);
    const paths = new Set(other.inventory.entries.map(({ path }) => path));
    for (const { elf } of programs) {
      expect(elf?.machine).toBe(machine);
      const interpreter = elf?.interpreter?.slice(1) ?? "";
      expect(paths.has(`usr/${interpreter}`), interpreter).toBe(true);
    }
    if (canRun && architecture === "amd64")
      expect(inside(await unpack(other, `${suite}-${architecture}`), "echo ok").trim()).toBe("ok");
  });

  test.skipIf(!hasMmdebstrap || !isRoot)("is what mmdebstrap unpacks for the same packages", async () => {
    // With what apt adds by itself: what maintainer scripts would need.
    const ours = await build(
      spec("debian", "bookworm", { packages: [...defaultBasePackages, "dpkg"], excludes: [] }),
    );
    const tar = join(folder, "mmdebstrap.tar");
    const sources = "/etc/apt/sources.list.d/debian.sources";
    execFileSync(
      "mmdebstrap",
      [
        "--quiet",
        "--variant=extract",
        "--skip=output/dev",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        `--include=${defaultBasePackages.join(",")}`,
        "bookworm",
        tar,
        ...(existsSync(sources) ? [sources] : []),
      ],
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    const theirs = await listing(tar);
    const mine = await listing(ours.layers[0]?.extent?.path ?? "");
    // What mmdebstrap itself and apt leave behind, and what only a maintainer script would make.
    const noise =
      /^(?:etc\/(?:apt|fstab|hostname|resolv\.conf)|var\/(?:lib\/(?:apt|dpkg)|cache\/apt|log\/apt|lock|run)|lib(?:32|x32)|usr\/lib(?:32|x32)|dev)(?:\/|$)/;
    const differing = [...theirs].filter(([path, facts]) => !noise.test(path) && mine.get(path) !== facts);
    expect(differing.map(([path, facts]) => `${path}: ${facts} / ${mine.get(path)}`)).toEqual([]);
    const owned = ours.inventory.entries.length - theirs.size;
    expect(owned).toBeLessThan(300);
  });
});

describe.skipIf(!hasUbuntu)("Ubuntu (skipped: its archive cannot be reached)", () => {
  test.each([
    ["22.04", "2.35"],
    ["noble", "2.39"],
  ])("%s", async (suite, libc) => {
    const base = await build(spec("ubuntu", suite));
    expect(base.libcVersion).toBe(libc);
    const root = await unpack(base, `ubuntu-${suite}`);
    expect(await readFile(join(root, "usr/lib/os-release"), "utf8")).toContain("ID=ubuntu");
    if (canRun) expect(inside(root, "echo ok").trim()).toBe("ok");
  });
});

/** Type, mode, owner, link and content of everything in a tar file. */
async function listing(path: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const chunks = decompressStream(createReadStream(path));
  for await (const entry of readTar(chunks, { where: { file: path }, special: "skip" })) {
    const facts = `${entry.type} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid}`;
    if (entry.type === "directory") found.set(entry.path, facts);
    else if (entry.type === "symlink") found.set(entry.path, `symlink ${entry.target}`);
    else if (entry.type === "hardlink") found.set(entry.path, `same content as ${entry.target}`);
    else {
      const hash = createHash("sha256");
      for await (const chunk of entry.content) hash.update(chunk);
      found.set(entry.path, `${facts} ${hash.digest("hex").slice(0, 16)}`);
    }
  }
  return found;
}
