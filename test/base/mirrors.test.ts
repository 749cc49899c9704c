import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  disablesValidUntil,
  parseSourcesFile,
  parseSourcesList,
  readAptSources,
} from "../../src/base/debian/aptSources.ts";
import { chooseMirrors } from "../../src/base/debian/mirrors.ts";
import { distributionOfSuite, suiteFolders, suiteName } from "../../src/base/debian/suites.ts";
import type { DebianBaseSpec } from "../../src/base/types.ts";

const debian: DebianBaseSpec = { kind: "debian", distribution: "debian", suite: "trixie", packages: [] };
const ubuntu: DebianBaseSpec = { kind: "debian", distribution: "ubuntu", suite: "noble", packages: [] };

const sources = `
Types: deb deb-src
URIs: http://mirror.example.org/debian/ cdrom:[x]
Suites: bookworm bookworm-updates
Components: main contrib

Types: deb
URIs: http://mirror.example.org/debian-security
Suites: bookworm-security
Components: main
Check-Valid-Until: no

Types: deb-src
URIs: http://src.example.org/debian
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://off.example.org/debian
Suites: bookworm
Components: main
`;

const list = `
# deb http://commented.example.org/ubuntu noble main
deb [arch=amd64 check-valid-until=no] http://u.example.org/ubuntu noble main universe # mine
deb http://u.example.org/ubuntu noble-security main
deb-src http://u.example.org/ubuntu noble main
deb https://vendor.example.org/linux/ubuntu noble stable
deb
`;

const urls = (mirrors: readonly { url: string }[]): string[] => mirrors.map(({ url }) => url);

describe("apt's sources", () => {
  test("both notations", () => {
    expect(parseSourcesFile(sources)).toEqual([
      {
        uris: ["http://mirror.example.org/debian/", "cdrom:[x]"],
        suites: ["bookworm", "bookworm-updates"],
        components: ["main", "contrib"],
      },
      {
        uris: ["http://mirror.example.org/debian-security"],
        suites: ["bookworm-security"],
        components: ["main"],
        checkValidUntil: false,
      },
    ]);
    expect(parseSourcesList(list)).toEqual([
      {
        uris: ["http://u.example.org/ubuntu"],
        suites: ["noble"],
        components: ["main", "universe"],
        checkValidUntil: false,
      },
      { uris: ["http://u.example.org/ubuntu"], suites: ["noble-security"], components: ["main"] },
      { uris: ["https://vendor.example.org/linux/ubuntu"], suites: ["noble"], components: ["stable"] },
    ]);
  });

  test("are read from the machine, switches of apt.conf included", async () => {
    const root = await mkdtemp(join(tmpdir(), "apt-"));
    try {
      expect(await readAptSources(root)).toEqual([]);
      await mkdir(join(root, "etc/apt/sources.list.d"), { recursive: true });
      await mkdir(join(root, "etc/apt/apt.conf.d"));
      await writeFile(join(root, "etc/apt/sources.list"), "deb http://a.example.org/debian trixie main\n");
      await writeFile(join(root, "etc/apt/sources.list.d/b.sources"), sources);
      await writeFile(join(root, "etc/apt/sources.list.d/c.list.disabled"), list);
      expect((await readAptSources(root)).map(({ checkValidUntil }) => checkValidUntil)).toEqual([
        undefined,
        undefined,
        false,
      ]);
      await writeFile(join(root, "etc/apt/apt.conf.d/99x"), 'Acquire::Check-Valid-Until "false";\n');
      expect((await readAptSources(root)).every(({ checkValidUntil }) => checkValidUntil === false)).toBe(
        true,
      );
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test("only a real switch counts", () => {
    expect(disablesValidUntil("Acquire::Check-Valid-Until no;")).toBe(true);
    expect(disablesValidUntil('// Acquire::Check-Valid-Until "false";')).toBe(false);
    expect(disablesValidUntil('Acquire::Check-Valid-Until "true";')).toBe(false);
  });
});

describe("chooseMirrors", () => {
  const machine = () => Promise.resolve([...parseSourcesFile(sources), ...parseSourcesList(list)]);
  const nothing = () => Promise.resolve([]);

  test("the machine's mirror of the same distribution, then the distribution's own", async () => {
    const mirrors = await chooseMirrors(debian, "amd64", machine);
    expect(urls(mirrors.main)).toEqual(["http://mirror.example.org/debian", "http://deb.debian.org/debian"]);
    expect(mirrors.security[0]).toMatchObject({ origin: "apt", checkValidUntil: false });
    const onlyMain = await chooseMirrors(debian, "amd64", () =>
      Promise.resolve(parseSourcesFile(sources).slice(0, 1)),
    );
    expect(urls(onlyMain.security)).toEqual([
      "http://mirror.example.org/debian-security",
      "http://deb.debian.org/debian-security",
    ]);
    const other = await chooseMirrors(ubuntu, "amd64", machine);
    expect(urls(other.main)).toEqual(["http://u.example.org/ubuntu", "http://archive.ubuntu.com/ubuntu"]);
  });

  test("Ubuntu's other architectures are elsewhere", async () => {
    const mirrors = await chooseMirrors(ubuntu, "arm64", nothing);
    expect(urls(mirrors.main)).toEqual(["http://ports.ubuntu.com/ubuntu-ports"]);
  });

  test("configured mirrors are the only ones", async () => {
    const mirrors = await chooseMirrors({ ...debian, mirrors: ["http://own/debian/"] }, "amd64", machine);
    expect(urls(mirrors.main)).toEqual(["http://own/debian"]);
    expect(urls(mirrors.security)).toEqual(["http://own/debian-security"]);
    const two = { ...debian, mirrors: ["http://own/x"], securityMirrors: ["http://s/y"] };
    expect(urls((await chooseMirrors(two, "amd64", machine)).security)).toEqual(["http://s/y"]);
    for (const bad of ["ftp://x/debian", "own", "file:///x", "http://"])
      await expect(chooseMirrors({ ...debian, mirrors: [bad] }, "amd64", nothing)).rejects.toMatchObject({
        code: "BASE_INVALID",
      });
  });

  test("a snapshot", async () => {
    const mirrors = await chooseMirrors({ ...debian, snapshot: "20250520T000000Z" }, "amd64", machine);
    expect(urls(mirrors.main)).toEqual(["http://snapshot.debian.org/archive/debian/20250520T000000Z"]);
    expect(mirrors.main[0]?.checkValidUntil).toBe(false);
    await expect(chooseMirrors({ ...debian, snapshot: "../x" }, "amd64", machine)).rejects.toThrow(/moment/);
  });
});

describe("suites", () => {
  test("names and versions", () => {
    expect(suiteName("ubuntu", "24.04")).toBe("noble");
    expect(suiteName("debian", "12")).toBe("bookworm");
    expect(suiteName("debian", "someday")).toBe("someday");
    expect(() => suiteName("debian", "../x")).toThrow(/not the name of a suite/);
    expect(() => suiteName("debian", "__proto__")).toThrow(/not the name of a suite/);
    expect(distributionOfSuite("jammy")).toBe("ubuntu");
    expect(distributionOfSuite("sid")).toBe("debian");
    expect(distributionOfSuite("constructor")).toBeUndefined();
  });

  test("folders", () => {
    expect(suiteFolders("bookworm").map(({ name }) => name)).toEqual([
      "bookworm",
      "bookworm-updates",
      "bookworm-security",
    ]);
    expect(suiteFolders("sid")).toHaveLength(1);
    expect(suiteFolders("bookworm-backports")).toHaveLength(1);
  });
});
