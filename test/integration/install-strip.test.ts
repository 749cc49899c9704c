import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readContent } from "../../src/archive/content.ts";
import { isElf, readElfInfo } from "../../src/elf/readElf.ts";
import { stripElf } from "../../src/elf/stripElf.ts";
import { installPackage } from "../../src/install/installPackage.ts";
import { corpusRequests, hasCorpus, recordings } from "../support/corpusInstall.ts";

function has(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: "ignore" }).status === 0;
}

const hasBinutils = has("strip", "--version") && has("readelf", "--version");
const hasGcc = has("gcc", "--version");
const hasGo = has("go", "version");
const hasRust = has("rustc", "--version");

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "strip-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What `readelf` complains about. */
function complaints(path: string): string {
  const { stdout, stderr } = spawnSync("readelf", ["-aW", path], { encoding: "utf8", maxBuffer: 2 ** 28 });
  return `${stderr}${stdout
    .split("\n")
    .filter(
      (line) => /\b(?:warning|error|corrupt)\b/i.test(line) && !/\bGLIBC|FUNC|OBJECT|NOTYPE\b/.test(line),
    )
    .join("\n")}`;
}

/** Sections of the file, as binutils sees them. */
function sectionNames(path: string): string[] {
  const text = execFileSync("readelf", ["-SW", path], { encoding: "utf8", maxBuffer: 2 ** 28 });
  return [...text.matchAll(/^ +\[ *\d+\] (\.\S+)/gm)].map((match) => match[1] ?? "");
}

/** Strips with ours and with binutils, and compares. */
function compareWithStrip(path: string): { ours: string; saved: number } {
  const before = readFileSync(path);
  const ours = `${path}.ours`;
  const theirs = `${path}.theirs`;
  writeFileSync(ours, stripElf(Buffer.from(before)));
  chmodSync(ours, 0o755);
  execFileSync("strip", ["-s", "-o", theirs, path], { stdio: "ignore" });
  expect(readElfInfo(readFileSync(ours))).toEqual(readElfInfo(before));
  expect(complaints(ours)).toBe(complaints(theirs));
  expect(sectionNames(ours)).toEqual(sectionNames(theirs));
  const [size, other] = [statSync(ours).size, statSync(theirs).size];
  expect(size / other).toBeLessThan(1.03);
  return { ours, saved: before.length - size };
}

describe.skipIf(!hasBinutils || !hasGcc)("stripping what gcc makes (skipped without gcc, binutils)", () => {
  const source =
    '#include <stdio.h>\nint shared(void);\nint main(void) { printf("sum %d\\n", shared()); return 0; }\n';
  const variants: Record<string, string[]> = {
    "a position-independent program": ["-g"],
    "a program at a fixed address": ["-g", "-no-pie"],
    "a static program": ["-g", "-static"],
    "a program with its relocations": ["-g", "-Wl,--emit-relocs"],
    "a program with compressed debugging information": ["-g", "-gz"],
    "a program with stabs-free, split sections": ["-ffunction-sections", "-fdata-sections", "-g3"],
  };
  for (const [what, flags] of Object.entries(variants)) {
    it(`${what} still runs`, () => {
      const path = join(folder, what.replaceAll(/\W/g, "-"));
      writeFileSync(`${path}.c`, `${source}int shared(void) { return 42; }\n`);
      execFileSync("gcc", [...flags, "-o", path, `${path}.c`]);
      const { ours, saved } = compareWithStrip(path);
      expect(saved).toBeGreaterThan(1000);
      expect(execFileSync(ours, { encoding: "utf8" })).toBe("sum 42\n");
    });
  }

  it("a shared library still links and loads", () => {
    const library = join(folder, "libshared.so");
    writeFileSync(`${library}.c`, "int shared(void) { return 7; }\n");
    execFileSync("gcc", ["-g", "-shared", "-fPIC", "-o", library, `${library}.c`]);
    const { ours } = compareWithStrip(library);
    const program = join(folder, "linked");
    writeFileSync(`${program}.c`, source);
    execFileSync("gcc", ["-o", program, `${program}.c`, ours, `-Wl,-rpath,${folder}`]);
    expect(execFileSync(program, { encoding: "utf8" })).toBe("sum 7\n");
  });

  it("does not touch object files, static libraries, or separate debugging information", () => {
    const source = join(folder, "object.c");
    writeFileSync(source, "int main(void) { return 0; }\n");
    const object = join(folder, "object.o");
    execFileSync("gcc", ["-g", "-c", "-o", object, source]);
    const archive = join(folder, "libobject.a");
    execFileSync("ar", ["rcs", archive, object]);
    const program = join(folder, "object");
    execFileSync("gcc", ["-g", "-o", program, source]);
    const separate = `${program}.debug`;
    execFileSync("objcopy", ["--only-keep-debug", program, separate]);
    for (const path of [object, archive, separate]) {
      const bytes = readFileSync(path);
      expect(stripElf(Buffer.from(bytes)).equals(bytes), path).toBe(true);
    }
  });

  it.skipIf(!has("patchelf", "--version"))("a program that patchelf rearranged still runs", () => {
    const path = join(folder, "patched");
    writeFileSync(`${path}.c`, `${source}int shared(void) { return 1; }\n`);
    execFileSync("gcc", ["-g", "-o", path, `${path}.c`]);
    execFileSync("patchelf", ["--set-rpath", `/${"long/".repeat(200)}lib`, path]);
    const before = readFileSync(path);
    const after = stripElf(Buffer.from(before));
    expect(readElfInfo(after)).toEqual(readElfInfo(before));
    writeFileSync(`${path}.ours`, after);
    chmodSync(`${path}.ours`, 0o755);
    expect(complaints(`${path}.ours`)).toBe("");
    expect(sectionNames(`${path}.ours`)).not.toContain(".debug_info");
    expect(after.includes("GNU C17")).toBe(false);
    expect(execFileSync(`${path}.ours`, { encoding: "utf8" })).toBe("sum 1\n");
  });
});

describe.skipIf(!hasBinutils || !hasGo)("stripping what Go makes (skipped without go, binutils)", () => {
  it("a program still runs, and still shows where it panics", () => {
    const path = join(folder, "gopher");
    writeFileSync(
      `${path}.go`,
      'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("hello from go")\n\tvar p *int\n\t*p = 1\n}\n',
    );
    const env = { ...process.env, GOCACHE: join(folder, "gocache"), GOFLAGS: "-mod=mod" };
    execFileSync("go", ["build", "-o", path, `${path}.go`], { env, cwd: folder });
    const { ours, saved } = compareWithStrip(path);
    expect(saved).toBeGreaterThan(100_000);
    const { stdout, stderr, status } = spawnSync(ours, { encoding: "utf8" });
    expect(stdout).toBe("hello from go\n");
    expect(status).toBe(2);
    expect(stderr).toContain("gopher.go:8");
  });
});

// rustc has the C compiler link.
describe.skipIf(!hasBinutils || !hasRust || !has("cc", "--version"))(
  "stripping what Rust makes (skipped without rustc, cc, binutils)",
  () => {
    it("a program still runs, and still unwinds", () => {
      const path = join(folder, "crab");
      writeFileSync(
        `${path}.rs`,
        'fn main() {\n    let caught = std::panic::catch_unwind(|| panic!("no"));\n    println!("hello from rust {}", caught.is_err());\n}\n',
      );
      execFileSync("rustc", ["-g", "-o", path, `${path}.rs`], { cwd: folder });
      const { ours, saved } = compareWithStrip(path);
      expect(saved).toBeGreaterThan(100_000);
      expect(spawnSync(ours, { encoding: "utf8" }).stdout).toBe("hello from rust true\n");
    });

    it("a dynamic library keeps the metadata that rustc reads", () => {
      const library = join(folder, "libcrate.so");
      writeFileSync(join(folder, "krate.rs"), "pub fn answer() -> i32 { 42 }\n");
      execFileSync(
        "rustc",
        ["-g", "--crate-type=dylib", "--crate-name=krate", "-C", "prefer-dynamic", "-o", library, "krate.rs"],
        {
          cwd: folder,
        },
      );
      compareWithStrip(library);
      expect(sectionNames(`${library}.ours`)).toEqual(sectionNames(`${library}.theirs`));
      expect(sectionNames(`${library}.ours`)).toContain(".rustc");
    });
  },
);

describe.skipIf(!hasBinutils || !hasCorpus)(
  "stripping the corpus (skipped without ../shared/corpus, binutils)",
  () => {
    it("saves what binutils saves, and changes no fact of any file", async () => {
      const options = { strip: false, sbang: "keep", metadata: false } as const;
      let files = 0;
      let saved = 0;
      for (const request of corpusRequests(recordings[0], options)) {
        for await (const entry of installPackage(request).entries) {
          if (entry.type !== "file") continue;
          const bytes = await readContent(entry);
          const type = isElf(bytes) ? readElfInfo(bytes)?.type : undefined;
          if (type !== "executable" && type !== "dynamic") continue;
          const path = join(folder, "file");
          writeFileSync(path, bytes);
          saved += compareWithStrip(path).saved;
          files++;
        }
      }
      expect(files).toBeGreaterThan(100);
      expect(saved).toBeGreaterThan(1_000_000);
    });
  },
);
