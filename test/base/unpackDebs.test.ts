import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readContent } from "../../src/archive/content.ts";
import type { Entry } from "../../src/archive/entry.ts";
import { type DebPackage, openDeb } from "../../src/base/debian/debPackage.ts";
import { compileExcludes } from "../../src/base/debian/excludes.ts";
import { installationOrder, unpackDebs } from "../../src/base/debian/unpackDebs.ts";
import { ar, type DebParts, directory, file, hardlink, makeDeb, symlink, tar } from "./makeDeb.ts";

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "debs-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function openBytes(bytes: Uint8Array): Promise<DebPackage> {
  const path = join(folder, `${count++}.deb`);
  await writeFile(path, bytes);
  return openDeb(path);
}

const open = async (parts: DebParts): Promise<DebPackage> => openBytes(await makeDeb(parts));

interface Unpacked {
  readonly entries: readonly Entry[];
  get(path: string): Entry | undefined;
  text(path: string): string | undefined;
}

async function unpack(
  packages: readonly DebPackage[],
  excludes: readonly string[] = [],
  onUndone?: (notice: string) => void,
): Promise<Unpacked> {
  const entries: Entry[] = [];
  const texts = new Map<string, string>();
  const options = { architecture: "amd64", isExcluded: compileExcludes(excludes), onUndone } as const;
  for await (const entry of unpackDebs(packages, options)) {
    entries.push(entry);
    if (entry.type === "file") texts.set(entry.path, (await readContent(entry)).toString("utf8"));
  }
  return {
    entries,
    get: (path) => entries.find((entry) => entry.path === path),
    text: (path) => texts.get(path),
  };
}

describe("openDeb", () => {
  test("reads the control part", async () => {
    const deb = await open({
      name: "a",
      fields: { "Multi-Arch": "same" },
      conffiles: ["/etc/a"],
      md5sums: "x  y\n",
    });
    expect(deb).toMatchObject({ name: "a", version: "1.0-1", architecture: "amd64", multiArch: "same" });
    expect(deb.conffiles).toEqual(["/etc/a"]);
    expect(deb.md5sums).toBe("x  y\n");
  });

  const control = async () =>
    gzipSync(await tar([file("control", "Package: a\nVersion: 1\nArchitecture: all\n")]));
  const data = async () => gzipSync(await tar([]));

  test("refuses what is no package", async () => {
    const binary = ["debian-binary", Buffer.from("2.0\n")] as const;
    const bad: readonly Uint8Array[] = [
      Buffer.from("junk"),
      ar([]),
      ar([binary]),
      ar([["control.tar.gz", await control()], binary, ["data.tar.gz", await data()]]),
      ar([
        ["debian-binary", Buffer.from("3.0\n")],
        ["control.tar.gz", await control()],
        ["data.tar.gz", await data()],
      ]),
      ar([binary, ["control.tar.gz", await control()]]),
      ar([binary, ["control.tar.gz", Buffer.from([0x1f, 0x8b, 1])], ["data.tar.gz", await data()]]),
      ar([binary, ["control.tar.gz", gzipSync(await tar([]))], ["data.tar.gz", await data()]]),
    ];
    for (const [at, bytes] of bad.entries())
      await expect(openBytes(bytes), `${at}`).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });

  test("refuses a name that would lead elsewhere", async () => {
    await expect(open({ name: "../../etc/x" })).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
    // The architecture is part of file names too, where a package is of several.
    const hostile = open({ name: "a", architecture: "../../../etc/x", fields: { "Multi-Arch": "same" } });
    await expect(hostile).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});

describe("unpackDebs", () => {
  test("merges /usr: paths lead through the links, the database keeps the package's names", async () => {
    const deb = await open({
      name: "a",
      entries: [
        directory("lib"),
        directory("lib/x86_64-linux-gnu"),
        file("lib/x86_64-linux-gnu/a.so", "so"),
        hardlink("lib/x86_64-linux-gnu/b.so", "lib/x86_64-linux-gnu/a.so"),
        file("usr/bin/a", "bin", 0o4755),
      ],
      md5sums: `${"0".repeat(32)}  lib/x86_64-linux-gnu/a.so\n${"0".repeat(32)}  usr/share/doc/a/gone\n`,
      fields: { "Multi-Arch": "same" },
    });
    const root = await unpack([deb]);
    expect(root.get("lib")).toMatchObject({ type: "symlink", target: "usr/lib" });
    expect(root.text("usr/lib/x86_64-linux-gnu/a.so")).toBe("so");
    expect(root.get("usr/lib/x86_64-linux-gnu/b.so")).toMatchObject({
      type: "hardlink",
      target: "usr/lib/x86_64-linux-gnu/a.so",
    });
    expect(root.get("usr/bin/a")).toMatchObject({ mode: 0o4755 });
    expect(root.text("var/lib/dpkg/info/a:amd64.list")?.split("\n")).toEqual([
      "/.",
      "/lib",
      "/lib/x86_64-linux-gnu",
      "/lib/x86_64-linux-gnu/a.so",
      "/lib/x86_64-linux-gnu/b.so",
      "/usr/bin/a",
      "",
    ]);
    expect(root.text("var/lib/dpkg/info/a:amd64.md5sums")).toBe(
      `${"0".repeat(32)}  lib/x86_64-linux-gnu/a.so\n`,
    );
    expect(root.text("var/lib/dpkg/status")).toContain("Package: a\nStatus: install ok installed\n");
  });

  test("records configuration files with their MD5", async () => {
    const deb = await open({
      name: "a",
      entries: [file("etc/a", "hello\n")],
      conffiles: ["/etc/a", "/etc/none"],
    });
    const root = await unpack([deb]);
    expect(root.text("var/lib/dpkg/status")).toContain(
      "Conffiles:\n /etc/a b1946ac92492d2347c6235b4d2611184\n",
    );
    expect(root.text("var/lib/dpkg/info/a.conffiles")).toBe("/etc/a\n");
  });

  test("of a file in two packages that of the replacing one stays", async () => {
    const old = await open({ name: "a", version: "1", entries: [file("usr/f", "old"), file("usr/g", "g")] });
    const next = await open({
      name: "b",
      entries: [file("usr/f", "new")],
      fields: { Replaces: "a (<< 2)" },
    });
    for (const packages of [
      [old, next],
      [next, old],
    ]) {
      const root = await unpack(packages);
      expect(root.text("usr/f")).toBe("new");
      expect(root.text("usr/g")).toBe("g");
      expect(root.entries.filter(({ path }) => path === "usr/f")).toHaveLength(1);
    }
  });

  test("a file in two packages without that is refused", async () => {
    const a = await open({ name: "a", version: "2", entries: [file("bin/f", "1")] });
    const b = await open({ name: "b", entries: [file("usr/bin/f", "2")], fields: { Replaces: "a (<< 2)" } });
    await expect(unpack([a, b])).rejects.toMatchObject({
      code: "BASE_UNSATISFIABLE",
      message: 'the packages a and b both have the file "/usr/bin/f"',
    });
  });

  test("directories and equal links may be in many packages", async () => {
    const entries = [directory("usr/share"), symlink("usr/share/x", "y")];
    const root = await unpack([await open({ name: "a", entries }), await open({ name: "b", entries })]);
    expect(root.entries.filter(({ path }) => path === "usr/share/x")).toHaveLength(1);
    expect(root.text("var/lib/dpkg/info/b.list")).toContain("/usr/share/x\n");
  });

  test("does not depend on the order of packages", async () => {
    const packages = [
      await open({ name: "b", entries: [file("usr/b", "b")] }),
      await open({ name: "base-files", entries: [directory("tmp", 0o1777), directory("usr", 0o755)] }),
      await open({ name: "a", entries: [directory("tmp"), file("tmp/a", "a")] }),
    ];
    expect(installationOrder(packages).map(({ name }) => name)).toEqual(["base-files", "a", "b"]);
    const paths = (root: Unpacked) => root.entries.map(({ path, mode }) => `${path} ${mode}`);
    const root = await unpack(packages);
    expect(paths(await unpack([...packages].reverse()))).toEqual(paths(root));
    expect(root.get("tmp")).toMatchObject({ mode: 0o1777 });
  });

  test("makes the alternatives that maintainer scripts set up, and names what else they do", async () => {
    const script = (priority: number, path: string, more = "") =>
      `#!/bin/sh\nset -e\nif [ "$1" = configure ]; then\n  update-alternatives \\\n    --install /lib/libb.so.3 libb.so.3 ${path} ${priority} \\\n    --slave /usr/bin/b b ${path}.bin --slave /usr/bin/kept kept ${path}.bin\nfi\n${more}`;
    const offer = (name: string, priority: number, more?: string): DebParts => ({
      name,
      entries: [
        ...["usr", "usr/lib", `usr/lib/${name}`].map((path) => directory(path)),
        file(`usr/lib/${name}/libb.so.3`, name),
        file(`usr/lib/${name}/libb.so.3.bin`, name),
      ],
      postinst: script(priority, `/usr/lib/${name}/libb.so.3`, more),
    });
    const packages = await Promise.all([
      open(offer("slow", 10, "adduser --system slow\n")),
      open(offer("fast", 100)),
      open({ name: "other", entries: [file("usr/bin/kept", "a file")], preinst: "#!/bin/sh\nln -s a b\n" }),
    ]);
    const said: string[] = [];
    const root = await unpack(packages, [], (notice) => said.push(notice));
    expect(root.get("usr/lib/libb.so.3")).toMatchObject({ target: "/etc/alternatives/libb.so.3" });
    expect(root.get("etc/alternatives/libb.so.3")).toMatchObject({ target: "/usr/lib/fast/libb.so.3" });
    expect(root.get("etc/alternatives/b")).toMatchObject({ target: "/usr/lib/fast/libb.so.3.bin" });
    expect(root.get("usr/bin/kept")).toMatchObject({ type: "file" });
    expect(said).toEqual([expect.stringMatching(/scripts do not run.*: slow \(adduser\)$/)]);
    expect((await unpack([...packages].reverse())).entries.map(({ path }) => path)).toEqual(
      root.entries.map(({ path }) => path),
    );
  });

  test("packages that replace each other are put into some order", async () => {
    const a = await open({ name: "a", fields: { Replaces: "b" } });
    const b = await open({ name: "b", fields: { Replaces: "a" } });
    expect(installationOrder([b, a])).toHaveLength(2);
  });

  test("leaves out what is excluded, and says so nowhere", async () => {
    const deb = await open({
      name: "a",
      entries: [
        directory("usr/share/man"),
        file("usr/share/man/a", "x"),
        file("usr/share/doc/a/copyright", "c"),
      ],
    });
    const root = await unpack([deb], ["usr/share/man/*"]);
    expect(root.get("usr/share/man/a")).toBeUndefined();
    expect(root.text("var/lib/dpkg/info/a.list")).not.toContain("man/a");
  });

  test("does as data what maintainer scripts would do", async () => {
    const root = await unpack([
      await open({
        name: "base-files",
        entries: [
          file("usr/share/base-files/profile", "# profile\n"),
          file("usr/share/base-files/dot.bashrc", "# rc\n"),
        ],
      }),
      await open({ name: "bash", entries: [file("bin/bash", "bash", 0o755)] }),
      await open({ name: "mawk", entries: [file("usr/bin/mawk", "mawk", 0o755)] }),
      await open({ name: "ca-certificates", entries: [file("usr/share/ca-certificates/m/A.crt", "CERT")] }),
    ]);
    expect(root.get("usr/bin/sh")).toMatchObject({ type: "symlink", target: "bash" });
    expect(root.get("usr/bin/awk")).toMatchObject({ target: "/etc/alternatives/awk" });
    expect(root.get("etc/alternatives/awk")).toMatchObject({ target: "/usr/bin/mawk" });
    expect(root.text("etc/profile")).toBe("# profile\n");
    expect(root.text("root/.bashrc")).toBe("# rc\n");
    expect(root.text("etc/passwd")).toContain("root:*:0:0:root:/root:/bin/bash\n");
    expect(root.text("etc/group")).toContain("nogroup:*:65534:\n");
    expect(root.text("etc/ssl/certs/ca-certificates.crt")).toBe("CERT\n");
    expect(root.get("etc/ssl/certs/A.pem")).toMatchObject({ target: "/usr/share/ca-certificates/m/A.crt" });
    expect(root.get("tmp")).toMatchObject({ mode: 0o1777 });
  });

  test("what packages bring is not overwritten", async () => {
    const root = await unpack([
      await open({ name: "dash", entries: [file("bin/dash", "d", 0o755), symlink("bin/sh", "dash")] }),
      await open({ name: "bash", entries: [file("bin/bash", "b", 0o755), file("etc/profile", "own")] }),
    ]);
    expect(root.get("usr/bin/sh")).toMatchObject({ target: "dash" });
    expect(root.text("etc/profile")).toBe("own");
    expect(root.entries.filter(({ path }) => path === "usr/bin/sh")).toHaveLength(1);
  });

  test.each([
    ["a path that leads out", [file("../etc/passwd", "x")], "ARCHIVE_UNSAFE"],
    ["an absolute path", [file("/etc/passwd", "x")], "ARCHIVE_UNSAFE"],
    ["a hard link to nothing", [hardlink("usr/x", "etc/shadow")], "ARCHIVE_INVALID"],
    ["a hard link that leads out", [hardlink("usr/x", "../../etc/shadow")], "ARCHIVE_UNSAFE"],
    ["the same file twice", [file("usr/x", "1"), file("usr/x", "2")], "BASE_UNSATISFIABLE"],
    ["a file in place of a directory", [file("usr/bin", "1")], "BASE_UNSATISFIABLE"],
  ])("refuses %s", async (_, entries, code) => {
    const deb = await open({ name: "evil", entries });
    await expect(unpack([deb])).rejects.toMatchObject({ code });
  });

  test("a link that leads out does not take files with it", async () => {
    const deb = await open({
      name: "evil",
      entries: [symlink("usr/up", "../../../.."), file("usr/up/etc/x", "x")],
    });
    const root = await unpack([deb]);
    expect(root.text("etc/x")).toBe("x");
    expect(root.get("usr/up/etc/x")).toBeUndefined();
  });

  test("a damaged data part is an error, wherever it breaks", async () => {
    const whole = await makeDeb({
      name: "a",
      entries: [file("usr/x", "y".repeat(3000)), file("usr/z", "z")],
    });
    const deb = await openBytes(Buffer.concat([whole.subarray(0, -12), Buffer.alloc(12)]));
    await expect(unpack([deb])).rejects.toMatchObject({ code: "ARCHIVE_INVALID" });
  });
});
