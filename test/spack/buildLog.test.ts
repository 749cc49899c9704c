import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { firstErrors, followLog, lastLines, phaseOf } from "../../src/spack/buildLog.ts";

describe("phaseOf", () => {
  it("knows what Spack says as it begins something", () => {
    const log = `==> Installing ncurses-6.4-2myaxeatfqamnl2tqplq36up4jcb7xoa [11/24]
==> No binary for ncurses-6.4-2myaxea found: installing from source
==> Using cached archive: /sources/_source-cache/archive/69/6931.tar.gz
==> Applied patch /recipes/ncurses/rxvt_unicode_6_4.patch
==> ncurses: Executing phase: 'autoreconf'
==> other: Executing phase: 'install'
==> ncurses: Executing phase: 'configure'
==> [2025-01-01-00:00:00.000000] '/stage/configure' '--prefix=/opt'
configure: Executing phase: 'x'
==> ncurses: Executing phase: 'install_wheel'
==> Pushing specs to file:///cache
`;
    const phases = log.split("\n").flatMap((line) => phaseOf(line, "ncurses") ?? []);
    expect(phases).toEqual(["fetch", "fetch", "autoreconf", "configure", "install_wheel", "push"]);
  });
});

describe("firstErrors", () => {
  const numbered = (before: number, text: string): string =>
    `${Array.from({ length: before }, (_, index) => `cc -c file${index}.c`).join("\n")}\n${text}`;
  const texts = (log: string) => firstErrors(log).map(({ text }) => text);

  it("finds the compiler's error rather than what make says of it", () => {
    const log = numbered(
      50,
      `gcc -Werror=format -c broken.c
broken.c: In function 'main':
broken.c:3:5: error: expected ';' before 'return'
    3 |     return 0
      |     ^~~~~~
make[2]: *** [Makefile:5: broken.o] Error 1
make[1]: *** [Makefile:9: all] Error 2
==> Error: ProcessError: Command exited with status 2:
    '/usr/bin/make' '-j2'
`,
    );
    const [first, ...others] = firstErrors(log);
    expect(others).toEqual([]);
    expect(first).toMatchObject({ line: 53, text: "broken.c:3:5: error: expected ';' before 'return'" });
    expect(first?.context.slice(0, 5)).toEqual([
      "cc -c file49.c",
      "gcc -Werror=format -c broken.c",
      "broken.c: In function 'main':",
      "broken.c:3:5: error: expected ';' before 'return'",
      "    3 |     return 0",
    ]);
  });

  it("knows what each kind of tool says", () => {
    expect(
      texts("a.o: in function `f':\na.c:(.text+0x1): undefined reference to `sqrt'\ncollect2: oops\n"),
    ).toEqual(["a.c:(.text+0x1): undefined reference to `sqrt'"]);
    expect(texts("/usr/bin/ld: cannot find -lfoo: No such file or directory\n")[0]).toContain(
      "cannot find -lfoo",
    );
    expect(texts("checking for zlib... no\nconfigure: error: zlib is required\n")).toEqual([
      "configure: error: zlib is required",
    ]);
    expect(
      texts("-- Looking\nCMake Error at CMakeLists.txt:10 (find_package):\n  Could not find X\n")[0],
    ).toContain("CMake Error at");
    expect(
      texts("Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'Cython'\n"),
    ).toEqual(["ModuleNotFoundError: No module named 'Cython'"]);
    expect(texts("error[E0308]: mismatched types\n")).toEqual(["error[E0308]: mismatched types"]);
    expect(texts("g++: fatal error: Killed signal terminated program cc1plus\n")[0]).toContain(
      "Killed signal",
    );
    expect(texts("==> Error: FetchError: All fetchers failed for x\n")).toEqual([
      "==> Error: FetchError: All fetchers failed for x",
    ]);
    expect(
      texts(
        "make: *** No rule to make target 'install'.  Stop.\n==> Error: ProcessError: Command exited with status 2:\n",
      ),
    ).toEqual(["make: *** No rule to make target 'install'.  Stop."]);
    expect(texts("./configure: line 5: foo: command not found\n")[0]).toContain("command not found");
  });

  it("is not misled by what only looks like an error", () => {
    expect(
      texts(`checking whether errors: are found... yes
checking for error: no
gcc -Werror -c error.c -o error.o
tests: 0 errors
Installing error.h
warning: ignoring error from stat
`),
    ).toEqual([]);
    expect(firstErrors("")).toEqual([]);
  });

  it("shows several that are apart, no line twice, and is bounded", () => {
    const log = `${"x: error: one\n".repeat(2)}${"ok\n".repeat(30)}y: error: two\n${"z: error: three\n".repeat(1000)}`;
    const found = firstErrors(log);
    expect(found.map(({ line }) => line)).toEqual([1, 33]);
    const long = firstErrors(`a: error: ${"x".repeat(3000)}\n`);
    expect(long[0]?.context[0]).toHaveLength(400);
  });
});

describe("followLog", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "spacktainers-log-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("gives every line once, of a file that comes and grows", async () => {
    const path = join(folder, "grows.log");
    const lines: string[] = [];
    const follow = followLog(path, (line) => lines.push(line));
    writeFileSync(path, "one\ntw");
    await expect.poll(() => lines, { timeout: 30_000 }).toEqual(["one"]);
    appendFileSync(path, "o\nthr\u00e9e\n");
    await expect.poll(() => lines, { timeout: 30_000 }).toEqual(["one", "two", "thrée"]);
    appendFileSync(path, "last");
    await follow.stop();
    expect(lines).toEqual(["one", "two", "thrée", "last"]);
  });

  it("ends with a file that never came", async () => {
    const follow = followLog(join(folder, "never.log"), () => {});
    await follow.stop();
  });
});

describe("lastLines", () => {
  it("gives the end", () => {
    expect(lastLines("a\nb\nc\n\n", 2)).toEqual(["b", "c"]);
  });
});
