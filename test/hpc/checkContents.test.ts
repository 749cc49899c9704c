import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Entry } from "../../src/archive/entry.ts";
import { checkContents } from "../../src/hpc/checkContents.ts";
import { readImageProfile } from "../../src/hpc/readImageProfile.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { writeLdSoCache } from "../../src/view/ldSoCache.ts";
import { buildElf } from "../support/elfBuilder.ts";
import { directory, file, symlink, writeTestLayout } from "../support/hostImage.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-contents-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

const loader = "/lib64/ld-linux-x86-64.so.2";
const library = (soname: string, needed: readonly string[] = []): Buffer => buildElf({ soname, needed });
const program = (...needed: readonly string[]): Buffer => buildElf({ type: 2, interpreter: loader, needed });

/** What an image with a C library and a shell has. */
const base = (): readonly Entry[] => [
  ...["opt", "opt/software", "usr", "usr/bin", "lib64", "lib", "bin"].map((path) => directory(path)),
  file(
    "var/lib/dpkg/status",
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\n",
  ),
  file(loader.slice(1), library("ld-linux-x86-64.so.2"), 0o755),
  file("lib/libc.so.6", library("libc.so.6"), 0o755),
  file("lib/libmpi.so.12", library("libmpi.so.12"), 0o755),
  file("bin/sh", program("libc.so.6"), 0o755),
  file("usr/bin/prog", program("libmpi.so.12", "libc.so.6"), 0o755),
  file(
    "etc/ld.so.cache",
    writeLdSoCache(
      ["libc.so.6", "libmpi.so.12"].map((name) => ({ name, path: `/lib/${name}`, flags: 0x0303 })),
    ),
  ),
];

interface Change {
  readonly entries?: readonly Entry[];
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly runtime?: "apptainer" | "native";
  readonly allow?: readonly string[];
  readonly skipsEntrypoint?: boolean;
}

async function findings(change: Change): Promise<readonly string[]> {
  const layout = await writeTestLayout(join(folder, `image${count++}`), {
    layers: [base(), change.entries ?? []],
    config: {
      Env: ["PATH=/usr/bin:/bin", ...(change.env ?? [])],
      Entrypoint: change.entrypoint ?? ["/bin/sh"],
    },
    architecture: "amd64",
  });
  const platform = { os: "linux", architecture: "amd64" };
  const image = await openLayout(layout, { platforms: [platform], reference: undefined });
  const facts = await readImageProfile(image, { cache: join(folder, "cache"), emit: ignoreEvents });
  const { allow, skipsEntrypoint } = change;
  return checkContents(facts, { runtime: change.runtime ?? "apptainer" }, { allow, skipsEntrypoint }).map(
    ({ severity, check, message, evidence, remedy }) =>
      `${severity} ${check}: ${message} [${evidence.join("; ")}] ${remedy}`,
  );
}

describe("what is in an image", () => {
  it("is nothing to speak of when it is right", async () => {
    expect(await findings({})).toEqual([]);
  });

  it("lacks a library that programs need", async () => {
    const removed = { entries: [file("lib/.wh.libmpi.so.12", "")] };
    expect(await findings(removed)).toEqual([
      "error linkage: /usr/bin/prog needs libmpi.so.12, which is not in the image [/usr/bin/prog; of base] the Spack package mpich has it",
    ]);
    expect(await findings({ ...removed, allow: ["libmpi.*"] })).toEqual([]);
  });

  it("lacks the interpreter of a script, which in a distribution's files is not much", async () => {
    const entries = [file("usr/bin/tool", "#!/usr/bin/perl\n", 0o755)];
    expect(await findings({ entries })).toEqual([
      expect.stringMatching(/^warning linkage: \/usr\/bin\/tool starts with \/usr\/bin\/perl/),
    ]);
  });

  it("cannot be read by those who run it", async () => {
    const closed = { entries: [directory("opt/software", 0o700)] };
    expect(await findings(closed)).toEqual([
      expect.stringMatching(
        /^error permissions: .*\[\/opt\/software has mode 0700\] chmod -R a\+rX \/opt\/software/,
      ),
    ]);
    // Our own runner unpacks for whoever runs it.
    expect(await findings({ ...closed, runtime: "native" })).toEqual([]);
    const entries = [file("usr/bin/secret", program("libc.so.6"), 0o711), directory("root", 0o700)];
    expect(await findings({ entries })).toEqual([expect.stringContaining("/usr/bin/secret has mode 0711")]);
  });

  it("lacks what it is started with", async () => {
    const [found, ...more] = await findings({ entrypoint: ["/bin/bash", "-l"] });
    expect(found).toMatch(
      /^error entrypoint: the image is started with \/bin\/bash, .*\["\/bin\/bash","-l"\]/,
    );
    expect(more).toEqual([]);
    const skipped = await findings({ entrypoint: ["/bin/bash"], skipsEntrypoint: true });
    expect(skipped).toEqual([expect.stringMatching(/^warning entrypoint/)]);
    expect(await findings({ entrypoint: ["prog", "x"] })).toEqual([]);
    const plain = [file("usr/bin/data", "", 0o644)];
    expect(await findings({ entries: plain, entrypoint: ["data"] })).toHaveLength(1);
  });

  it("has no shell", async () => {
    const entries = [file("bin/.wh.sh", "")];
    expect(await findings({ entries, entrypoint: ["prog"] })).toEqual([
      expect.stringMatching(/^warning shell: there is no \/bin\/sh/),
    ]);
    const link = [file("bin/.wh.sh", ""), symlink("bin/sh", "dash"), file("bin/dash", program(), 0o755)];
    expect(await findings({ entries: link })).toEqual([]);
  });

  it("loads into every program what is not there", async () => {
    const env = ["LD_PRELOAD=/opt/none.so libmpi.so.12:$ORIGIN/x.so", "LD_LIBRARY_PATH=/lib"];
    expect(await findings({ env })).toEqual([
      expect.stringMatching(/^warning preload: \/opt\/none\.so is to be loaded .*\[variable LD_PRELOAD\]/),
    ]);
    const entries = [file("etc/ld.so.preload", "# all\n/lib/libmpi.so.12 libgone.so\n")];
    expect(await findings({ entries })).toEqual([
      expect.stringMatching(/^warning preload: libgone\.so is .*\[\/etc\/ld\.so\.preload\]/),
    ]);
  });

  it("has drivers that are the machine's matter", async () => {
    const entries = [
      file("usr/lib/libcuda.so.535.1", library("libcuda.so.1"), 0o755),
      file("opt/cuda/lib64/stubs/libcuda.so", library("libcuda.so.1"), 0o755),
      file("usr/lib/libmlx5.so.1.24", library("libmlx5.so.1"), 0o755),
      file("usr/share/libcuda.so.txt", "no library"),
    ];
    expect(await findings({ entries })).toEqual([
      expect.stringMatching(/^warning host-drivers: .*graphics.*\[\/usr\/lib\/libcuda\.so\.535\.1\]/),
      expect.stringMatching(/^warning host-drivers: .*network.*\[\/usr\/lib\/libmlx5\.so\.1\.24\]/),
    ]);
  });
});
