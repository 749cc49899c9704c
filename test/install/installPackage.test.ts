import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { imageMtime } from "../../src/archive/entry.ts";
import { elfConstants as elf } from "../../src/elf/parseElf.ts";
import { installPackage } from "../../src/install/installPackage.ts";
import type { DagHash } from "../../src/spec/concrete.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { buildElf } from "../support/elfBuilder.ts";
import {
  at,
  dep,
  depHash,
  hash,
  install,
  installText,
  oldDep,
  oldPrefix,
  oldRoot,
  owner,
  prefix,
  requestFor,
  sbangLine,
} from "./installedPackages.ts";

describe("installPackage", () => {
  it("gives entries below the new prefix, in the archive's order, as Spack installs them", async () => {
    const { entries } = await install({
      members: [
        { name: "bin", type: "5", mode: 0o700 },
        { name: "bin/run", body: "x", mode: 0o4711 },
        { name: "bin/again", type: "1", link: "bin/run" },
        { name: "bin/more", type: "1", link: "bin/again" },
        { name: "data", body: "xyz", mode: 0o600 },
        { name: "link", type: "2", link: "bin/run" },
      ],
    });
    expect(entries).toEqual([
      { path: prefix.slice(1), type: "directory", mode: 0o2755, ...owner },
      { path: at("bin"), type: "directory", mode: 0o2755, ...owner },
      { path: at("bin/run"), type: "file", mode: 0o755, size: 1, ...owner },
      { path: at("bin/again"), type: "hardlink", mode: 0o755, target: at("bin/run"), ...owner },
      { path: at("bin/more"), type: "hardlink", mode: 0o755, target: at("bin/run"), ...owner },
      { path: at("data"), type: "file", mode: 0o644, size: 3, ...owner },
      { path: at("link"), type: "symlink", mode: 0o777, target: "bin/run", ...owner },
    ]);
  });

  it("fails when the archive is not the one that was verified", async () => {
    const request = requestFor({ members: [{ name: "a", body: "x" }] });
    const digest = digestOf(readFileSync(request.archivePath));
    const read = async (archiveDigest: Digest) => {
      let count = 0;
      for await (const _ of installPackage({ ...request, archiveDigest }).entries) count++;
      return count;
    };
    expect(await read(digest)).toBe(2);
    await expect(read(digestOf("another"))).rejects.toMatchObject({ code: "CHECKSUM_MISMATCH" });
  });

  it("relocates listed files only, whatever name of a file is listed", async () => {
    const { files } = await install({
      members: [
        { name: "a", body: `p=${oldPrefix}/x:${oldDep}:${oldRoot}/y` },
        { name: "b", type: "1", link: "a" },
        { name: "c", body: `p=${oldPrefix}` },
      ],
      text: ["b"],
    });
    expect(files.get(at("a"))?.toString()).toBe(`p=${prefix}/x:${dep}:/sw/y`);
    expect(files.get(at("c"))?.toString()).toBe(`p=${oldPrefix}`);
  });

  it("relocates listed absolute links only", async () => {
    const { entries } = await install({
      members: [
        { name: "a", type: "2", link: `${oldDep}/lib` },
        { name: "b", type: "2", link: `${oldDep}/lib` },
        { name: "c", type: "2", link: "/usr/lib" },
        { name: "d", type: "2", link: "../x" },
      ],
      links: ["a", "c", "d"],
    });
    const targets = entries.flatMap((entry) => (entry.type === "symlink" ? [entry.target] : []));
    expect(targets).toEqual([`${dep}/lib`, `${oldDep}/lib`, "/usr/lib", "../x"]);
  });

  it("leaves editors' backups alone where Spack 0.23 does", async () => {
    const backup = { name: "a~", body: oldPrefix };
    expect(await installText(backup, { text: ["a~"], generation: "0.x" })).toBe(oldPrefix);
    expect(await installText(backup, { text: ["a~"], generation: "1.x" })).toBe(prefix);
  });

  it("replaces the sbang path in binaries where Spack 1.x does", async () => {
    const binary = { name: "a", body: "\0/build/bin/sbang and more\0" };
    expect(await installText(binary, { binaries: ["a"], generation: "1.x" })).toBe(
      `\0${"/sw/bin/sbang".padStart("/build/bin/sbang".length, "/")} and more\0`,
    );
    expect(await installText(binary, { binaries: ["a"], generation: "0.x" })).toBe(binary.body);
  });

  it("relocates an ELF file, drops search paths that lead nowhere, and strips it", async () => {
    const file = buildElf({
      rpath: `${oldPrefix}/lib:${oldPrefix}/lib64:${oldDep}/lib:${oldRoot}/compiler/lib:/usr/lib`,
      rodata: Buffer.from(`${oldPrefix}/share/data\0`),
      extra: [
        { name: ".symtab", type: elf.SHT_SYMTAB, bytes: Buffer.alloc(4800), link: ".strtab" },
        { name: ".strtab", type: elf.SHT_STRTAB, bytes: Buffer.alloc(1000) },
      ],
    });
    const members = [
      { name: "lib", type: "5" },
      { name: "lib/libx.so", body: file, mode: 0o755 },
    ];
    const kept = await install({ members, binaries: ["lib/libx.so"] });
    const stripped = await install({ members, binaries: ["lib/libx.so"], options: { strip: true } });
    expect(kept.files.get(at("lib/libx.so"))?.length).toBe(file.length);
    expect(stripped.files.get(at("lib/libx.so"))?.length).toBeLessThan(file.length - 5000);
    const facts = stripped.inventory.find((entry) => entry.path === at("lib/libx.so"))?.elf;
    expect(facts?.rpath).toEqual([`${prefix}/lib`, `${dep}/lib`, "/usr/lib"]);
    expect(kept.inventory.find((entry) => entry.path === at("lib/libx.so"))?.elf).toEqual(facts);
    expect(stripped.files.get(at("lib/libx.so"))?.includes(`${prefix}/share/data\0`)).toBe(true);
  });

  it("undoes sbang, or keeps it, as asked", async () => {
    const script = {
      name: "bin/s",
      body: `${sbangLine("/build")}#!${oldDep}/bin/python\nprint()\n`,
      mode: 0o755,
    };
    const text = ["bin/s"];
    expect(await installText(script, { text })).toBe(`#!${dep}/bin/python\nprint()\n`);
    expect(await installText(script, { text, options: { sbang: "keep" } })).toBe(
      `${sbangLine("/sw")}#!${dep}/bin/python\nprint()\n`,
    );
    // Not executable: never was a script of Spack's hook.
    expect(await installText({ ...script, mode: 0o644 }, { text })).toContain(sbangLine("/sw"));
  });

  it("gives a first line that became too long the sbang line", async () => {
    const long = `/sw/${"long/".repeat(30)}tool-1.0-${hash}`;
    const script = { name: "bin/s", body: `#!${oldPrefix}/bin/python\n`, mode: 0o755 };
    const request = { prefixes: { [hash]: long, [depHash]: dep } };
    const { files } = await install({ members: [script], text: ["bin/s"], request });
    expect(files.get(`${long.slice(1)}/bin/s`)?.toString()).toBe(`${sbangLine("/sw")}#!${long}/bin/python\n`);
  });

  it("refuses a root so long that sbang itself would not be found", async () => {
    const script = { name: "bin/s", body: `${sbangLine("/build")}#!${oldDep}/bin/python\n`, mode: 0o755 };
    const request = { root: `/${"x".repeat(110)}` };
    const options = { sbang: "keep" } as const;
    await expect(install({ members: [script], text: ["bin/s"], request, options })).rejects.toMatchObject({
      code: "PREFIX_TOO_LONG",
      message: "bin/s: its first line would have 132 bytes, and kernels read 127",
    });
  });

  it("leaves .spack out, but not a file that has another name", async () => {
    const members = [
      { name: ".spack", type: "5" },
      { name: ".spack/log", body: `see ${oldPrefix}` },
      { name: ".spack/spec.json", body: "{}" },
      { name: "share/log", type: "1", link: ".spack/log" },
      { name: "share/log2", type: "1", link: "share/log" },
      { name: "share/.spack/x", body: "stays" },
    ];
    const { entries, files } = await install({ members, text: [".spack/log"] });
    expect(entries.map(({ path }) => path)).toEqual(
      ["share", "share/log", "share/log2", "share/.spack", "share/.spack/x"]
        .map(at)
        .toSpliced(0, 0, prefix.slice(1)),
    );
    expect(files.get(at("share/log"))?.toString()).toBe(`see ${prefix}`);
    expect(entries.find(({ path }) => path === at("share/log2"))).toMatchObject({ target: at("share/log") });
    const all = await install({ members, options: { metadata: true } });
    expect(all.entries.map(({ path }) => path)).toContain(at(".spack/binary_distribution"));
    expect(all.entries.find(({ path }) => path === at("share/log2"))).toMatchObject({
      target: at(".spack/log"),
    });
  });

  it("keeps the package's recipe beside the inventory, whether .spack is left out or not", async () => {
    const recipes = ".spack/repos/spack_repo/builtin/packages";
    const members = [
      ...[
        ".spack",
        ".spack/repos",
        ".spack/repos/spack_repo",
        ".spack/repos/spack_repo/builtin",
        recipes,
      ].map((name) => ({ name, type: "5" })),
      ...["tool", "zlib", "curl"].flatMap((name) => [
        { name: `${recipes}/${name}`, type: "5" },
        { name: `${recipes}/${name}/package.py`, body: `# ${name}, é` },
      ]),
    ];
    for (const metadata of [false, true]) {
      const installed = installPackage(
        requestFor({ members, options: { metadata }, request: { externals: ["curl", "absent"] } }),
      );
      for await (const _ of installed.entries);
      expect(installed.inventory().recipes).toEqual([
        { name: "tool", own: true, text: "# tool, é" },
        { name: "curl", own: false, text: "# curl, é" },
      ]);
    }
  });

  it("keeps the text of scripts that the recipe sources, as it is in the image", async () => {
    const folder = ".spack/repos/spack_repo/own/packages/tool";
    const { inventory } = await install({
      members: [
        { name: "etc/vars.sh", body: `export HOME_OF=${oldDep}\n` },
        { name: "etc/other.sh", body: "export OTHER=1\n" },
        { name: "etc/large/vars.sh", body: "x".repeat(70_000) },
        { name: folder, type: "5" },
        {
          name: `${folder}/package.py`,
          body: 'env.extend(EnvironmentModifications.from_sourcing_file(self.prefix.etc.join("vars.sh")))',
        },
      ],
      text: ["etc/vars.sh"],
    });
    const note = (name: string) => inventory.find(({ path }) => path === at(name));
    expect(note("etc/vars.sh")).toMatchObject({ text: `export HOME_OF=${dep}\n` });
    expect(note("etc/other.sh")).not.toHaveProperty("text");
    expect(note("etc/large/vars.sh")).not.toHaveProperty("text");
  });

  it("notes what later stages need", async () => {
    const { inventory } = await install({
      members: [
        { name: "bin/z", body: "#!/bin/sh -e\nexit\n", mode: 0o755 },
        { name: "bin/a", body: `#!/bin/sh\n${"x".repeat(70_000)}`, mode: 0o755 },
        { name: "bin/plain", body: "#!/bin/sh\n" },
        { name: "libexec/s", body: "#! /usr/bin/env python3\n", mode: 0o755 },
        { name: "pyvenv.cfg", body: `home = ${oldDep}/bin\n` },
        { name: "lib/x.o", body: buildElf({ type: elf.ET_REL }) },
        { name: "link", type: "2", link: "bin" },
      ],
      text: ["pyvenv.cfg"],
    });
    const paths = inventory.map(({ path }) => path);
    expect(paths).toEqual(paths.toSorted((a, b) => (a < b ? -1 : 1)));
    const note = (name: string) => inventory.find(({ path }) => path === at(name));
    expect(note("bin/z")).toMatchObject({ shebang: "/bin/sh -e", text: "#!/bin/sh -e\nexit\n", size: 18 });
    expect(note("bin/a")).toMatchObject({ shebang: "/bin/sh" });
    expect(note("bin/a")).not.toHaveProperty("text");
    expect(note("bin/plain")).not.toHaveProperty("shebang");
    expect(note("libexec/s")).toMatchObject({ shebang: " /usr/bin/env python3" });
    expect(note("libexec/s")).not.toHaveProperty("text");
    expect(note("pyvenv.cfg")).toMatchObject({ text: `home = ${dep}/bin\n` });
    expect(note("lib/x.o")?.elf).toMatchObject({ type: "relocatable" });
    expect(note("link")).toMatchObject({ type: "symlink", target: "bin", size: 0 });
  });

  it("gives Python's sources the time that their compiled files expect", async () => {
    const pyc = (size: number, flags = 0): Buffer => {
      const header = Buffer.from("a70d0d0a000000000000000000000000", "hex");
      header.writeUInt32LE(flags, 4);
      header.writeUInt32LE(1_700_000_000, 8);
      header.writeUInt32LE(size, 12);
      return Buffer.concat([header, Buffer.from("code")]);
    };
    const { entries } = await install({
      members: [
        ...["same.py", "hashed.py", "plain.py"].map((name) => ({ name: `lib/${name}`, body: "x = 1" })),
        { name: "lib/moved.py", body: `x = "${oldPrefix}"` },
        { name: "lib/__pycache__/same.cpython-311.opt-1.pyc", body: pyc(5) },
        { name: "lib/__pycache__/hashed.cpython-311.pyc", body: pyc(5, 1) },
        { name: "lib/__pycache__/moved.cpython-311.pyc", body: pyc(6 + oldPrefix.length) },
        { name: "lib/__pycache__/gone.cpython-311.pyc", body: pyc(5) },
      ],
      text: ["lib/moved.py"],
    });
    const times = new Map(entries.map(({ path, mtime }) => [path.slice(prefix.length), mtime]));
    expect(times.get("lib/same.py")).toBe(1_700_000_000);
    for (const [name, mtime] of times) if (name !== "lib/same.py") expect(mtime, name).toBe(imageMtime);
  });

  it("passes large files on in pieces", async () => {
    const big = Buffer.alloc(20_000_000, "x");
    const request = requestFor({ members: [{ name: "big", body: big }] });
    let pieces = 0;
    for await (const entry of installPackage(request).entries) {
      if (entry.type !== "file") continue;
      for await (const _ of entry.content) pieces++;
    }
    expect(pieces).toBeGreaterThan(3);
  });

  it("may be left early", async () => {
    const request = requestFor({
      members: [
        { name: "a", body: Buffer.alloc(3_000_000) },
        { name: "b", body: "y" },
      ],
    });
    const installed = installPackage(request);
    for await (const entry of installed.entries) if (entry.type === "file") break;
    expect(() => installed.inventory()).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  });

  const place = { spec: "tool@1.0/abcdefg" };

  it("names file and package when a string cannot be replaced", async () => {
    const binary = { name: "lib/x", body: `x${oldPrefix}\0` };
    const request = { prefixes: { [hash]: `${oldPrefix}-longer`, [depHash]: dep } };
    await expect(install({ members: [binary], binaries: ["lib/x"], request })).rejects.toMatchObject({
      code: "PREFIX_TOO_LONG",
      message: expect.stringMatching(/^lib\/x: /),
      place,
    });
  });

  it("refuses the archive of another package", async () => {
    const request = { hash: "x".repeat(32) as DagHash, prefixes: { ["x".repeat(32)]: prefix } };
    await expect(install({ members: [], request })).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
  });

  it("refuses a link that leads out of the image from its new place", async () => {
    const members = [{ name: "x", type: "2", link: `${"../".repeat(6)}etc/passwd` }];
    await expect(install({ members })).rejects.toMatchObject({ code: "ARCHIVE_UNSAFE", place });
  });

  it("stops when asked to", async () => {
    const stop = new AbortController();
    const request = requestFor({
      members: [
        { name: "a", body: Buffer.alloc(100) },
        { name: "b", body: "y" },
      ],
    });
    const run = async (): Promise<void> => {
      for await (const _ of installPackage(request, { signal: stop.signal }).entries) stop.abort();
    };
    await expect(run()).rejects.toMatchObject({ code: "INTERRUPTED", place });
  });
});
