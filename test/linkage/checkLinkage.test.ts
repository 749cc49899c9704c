import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeProblem, linkageErrors } from "../../src/linkage/linkageErrors.ts";
import type { LinkageInput } from "../../src/linkage/types.ts";
import { briefSpec } from "../../src/spec/concrete.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { elf, type Files } from "../view/entries.ts";
import { makeSpec } from "../view/makeSpec.ts";

import { app, base, check, interpreter, missing, program } from "./smallImage.ts";

describe("libraries", () => {
  test("an image where everything is there has no problems", () => {
    const report = check([
      [app, { "bin/app": program("libown.so.1"), "lib/libown.so.1": elf({ soname: "libown.so.1" }) }],
    ]);
    expect(report).toEqual({
      problems: [],
      warnings: [],
      allowed: [],
      checked: { programs: 3, libraries: 3, scripts: 0 },
    });
  });

  test("what is missing is told once for each package, with the files that need it and who has it", () => {
    const report = check([
      [app, { "bin/a": program("libgomp.so.1"), "bin/b": program("libgomp.so.1", "libodd.so.7") }],
      [makeSpec("other"), { "bin/c": program("libgomp.so.1") }],
    ]);
    expect(missing(report)).toEqual([
      `${briefSpec(app)} /sw/app/bin/a,/sw/app/bin/b libgomp.so.1`,
      `${briefSpec(app)} /sw/app/bin/b libodd.so.7`,
      `${briefSpec(makeSpec("other"))} /sw/other/bin/c libgomp.so.1`,
    ]);
    expect(report.problems[0]?.hint).toBe(
      "the Debian package libgomp1 or the Spack package gcc-runtime has it",
    );
    expect(report.problems[1]?.hint).toBeUndefined();
  });

  test("a Spack package with the library's name is proposed when there is one", () => {
    const hasSpackPackage = (name: string): boolean => name === "odd";
    const report = check([[app, { "bin/a": program("libodd.so.7") }]], { hasSpackPackage });
    expect(report.problems[0]?.hint).toBe("the Spack package odd has it");
  });

  test("names that were allowed do not stop a build: libraries, packages, files", () => {
    const files = { "bin/a": program("libgomp.so.1", "libslurm.so.39") };
    const allowed = (...allow: string[]) =>
      check([[app, files]], { allow }).allowed.map((one) => one.missing);
    expect(allowed("libgomp.so.1")).toEqual(["libgomp.so.1"]);
    expect(allowed("libslurm.so*")).toEqual(["libslurm.so.39"]);
    expect(allowed("app")).toHaveLength(2);
    expect(allowed("app@1.0/*")).toHaveLength(2);
    expect(allowed("/sw/app/bin/*")).toHaveLength(2);
    expect(allowed("libgomp", "gomp*", "*.so")).toEqual([]);
  });

  test("drivers of the machine come from the machine", () => {
    const report = check([[app, { "bin/a": program("libcuda.so.1", "libnvidia-ml.so.1") }]]);
    expect(report.problems).toEqual([]);
    expect(report.warnings.map((one) => one.missing)).toEqual(["libcuda.so.1", "libnvidia-ml.so.1"]);
  });

  test("files of another machine are data", () => {
    const report = check([[app, { "share/kernel.bin": elf({ machine: 224, needed: ["libx.so"] }) }]]);
    expect(report.problems).toEqual([]);
  });

  test("a library of another machine does not count as found", () => {
    const report = check([
      [
        app,
        {
          "bin/a": program("libx.so.1"),
          "lib/libx.so.1": elf({ machine: 3, bits: 32, soname: "libx.so.1" }),
        },
      ],
    ]);
    expect(report.problems.map((one) => one.missing)).toEqual(["libx.so.1"]);
  });

  test("the loader itself", () => {
    const { "lib64/ld-linux-x86-64.so.2": _, ...without } = base;
    const report = check([[app, { "bin/a": program() }]], {}, without);
    expect(
      report.problems.filter((one) => one.kind === "interpreter").map((one) => [one.owner, one.missing]),
    ).toEqual([
      [briefSpec(app), interpreter],
      ["base", interpreter],
    ]);
  });

  test("owners in the base, when somebody knows them", () => {
    const report = check(
      [],
      { ownerInBase: (path) => (path === "usr/bin/tool" ? "tool-deb" : undefined) },
      {
        ...base,
        "usr/bin/tool": program("libgone.so.1"),
      },
    );
    expect(report.problems[0]?.owner).toBe("tool-deb");
  });
});

describe("libraries that no program loads by itself", () => {
  const plugin = (...needed: string[]) => elf({ needed });

  test("are found beside the library that asks", () => {
    const report = check([
      [app, { "lib/liba.so": plugin("libb.so"), "lib/libb.so": elf({ soname: "libb.so" }) }],
    ]);
    expect(report.problems).toEqual([]);
  });

  test("are found where the programs of related packages look", () => {
    const python = makeSpec("python");
    const module = makeSpec("py-x", { dependencies: [["python", python.hash]] });
    const stranger = makeSpec("stranger");
    const files: Files = {
      "bin/python": elf({ interpreter, needed: ["libpython3.so"], rpath: ["/sw/python/lib"] }),
      "lib/libpython3.so": elf({ soname: "libpython3.so" }),
      "lib/libsecond.so": elf({ soname: "libsecond.so" }),
    };
    const so = { "lib/python3/site-packages/x.so": plugin("libpython3.so", "libsecond.so") };
    expect(
      check([
        [python, files],
        [module, so],
      ]).problems,
    ).toEqual([]);
    expect(
      check([
        [python, files],
        [stranger, so],
      ]).problems.map((one) => [one.owner, one.missing]),
    ).toEqual([
      [briefSpec(stranger), "libpython3.so"],
      [briefSpec(stranger), "libsecond.so"],
    ]);
  });

  test("plugins find what lies anywhere in their packages, ordinary libraries do not", () => {
    const host = makeSpec("host");
    const user = makeSpec("user", { dependencies: [["host", host.hash]] });
    const files: Files = { "lib/host/inner/libcore.so": elf({ soname: "libcore.so" }) };
    const ok = check([
      [host, files],
      [user, { "lib/host/plugins/p.so": plugin("libcore.so") }],
    ]);
    expect(ok.problems).toEqual([]);
    const bad = check([
      [host, files],
      [user, { "lib/libp.so": plugin("libcore.so") }],
    ]);
    expect(bad.problems.map((one) => one.missing)).toEqual(["libcore.so"]);
  });

  test("in the base they are worth a word only", () => {
    const report = check(
      [],
      {},
      { ...base, "usr/lib/x86_64-linux-gnu/plugins/p.so": plugin("libgone.so.1") },
    );
    expect(report.problems).toEqual([]);
    expect(report.warnings.map((one) => one.missing)).toEqual(["libgone.so.1"]);
  });
});

describe("symbol versions", () => {
  const needs = (versions: readonly string[]) =>
    elf({ interpreter, needed: ["libc.so.6"], versionsNeeded: { "libc.so.6": versions } });

  test("a C library that is too old is told with the numbers", () => {
    const report = check([[app, { "bin/a": needs(["GLIBC_2.36", "GLIBC_2.38"]) }]]);
    expect(report.problems).toMatchObject([
      {
        kind: "version",
        missing: "GLIBC_2.38",
        library: "/usr/lib/x86_64-linux-gnu/libc.so.6",
        hint: "a base with glibc 2.38 or newer is needed, such as ubuntu: noble",
      },
    ]);
    const problem = report.problems[0];
    expect(problem && describeProblem(problem)).toBe(
      "/sw/app/bin/a needs GLIBC_2.38, which /usr/lib/x86_64-linux-gnu/libc.so.6 does not define",
    );
  });

  test("libraries without versions satisfy all", () => {
    const report = check([
      [
        app,
        {
          "bin/a": elf({
            interpreter,
            needed: ["libx.so.1"],
            rpath: ["$ORIGIN/../lib"],
            versionsNeeded: { "libx.so.1": ["X_1"] },
          }),
          "lib/libx.so.1": elf({ soname: "libx.so.1" }),
        },
      ],
    ]);
    expect(report.problems).toEqual([]);
  });

  test("libstdc++ of an older compiler", () => {
    const stdcxx = (version: string) =>
      elf({
        interpreter,
        needed: ["libstdc++.so.6"],
        rpath: ["/sw/app/lib"],
        versionsNeeded: { "libstdc++.so.6": [version] },
      });
    const report = check([
      [
        app,
        {
          "bin/a": stdcxx("GLIBCXX_3.4.32"),
          "lib/libstdc++.so.6": elf({ soname: "libstdc++.so.6", versionsDefined: ["GLIBCXX_3.4.30"] }),
        },
      ],
    ]);
    expect(report.problems[0]?.hint).toContain("GCC 13");
  });
});

describe("scripts", () => {
  const run = (files: Files, more: Partial<LinkageInput> = {}, spec = app) => check([[spec, files]], more);

  test.each([
    ["#!/bin/sh\n", undefined],
    ["#! /bin/sh -e\n", undefined],
    ["#!/usr/bin/env dash\n", undefined],
    ["#!/usr/bin/env -S dash -e\n", undefined],
    ["#!/usr/bin/env -S -i -u X A=b dash\n", undefined],
    ["#!/usr/bin/perl -w\n", "/usr/bin/perl"],
    ["#!/usr/bin/env python3\n", "python3"],
    ["#!/usr/bin/env dash -e\n", "dash -e"],
    ["#!python\n", "python"],
    ["#!/bin/sh\r\nexit\r\n", "/bin/sh\r"],
    ["#!/usr/bin/env dash\r\n", "dash\r"],
    ["#!\n", undefined],
    [`#!/${"x/".repeat(200)}sh\n`, "a first line of 405 characters"],
  ])("%j", (text, expected) => {
    const report = run({ "bin/script": text });
    expect(report.problems.map((one) => one.missing)).toEqual(expected === undefined ? [] : [expected]);
  });

  test("who has the interpreter", () => {
    expect(run({ "bin/x": "#!/usr/bin/env python3.12\n" }).problems[0]?.hint).toBe(
      "the Debian package python3 or the Spack package python has it",
    );
  });

  test("modules, examples and helpers of debuggers are not meant to be started", () => {
    const report = run({
      "lib/python3.11/cgi.py": "#!/usr/local/bin/python\n",
      "lib/tool/module.py": "#!/opt/python\n",
      "share/doc/x/demo": "#!/usr/bin/ruby\n",
      "share/x/examples/run": "#!/usr/bin/tclsh\n",
      "bin/python3-gdb.py": "#!/usr/bin/python\n",
      ".spack/repos/x": "#!@PERL@\n",
    });
    expect(report.problems).toEqual([]);
    expect(report.warnings.map((one) => one.missing).sort()).toEqual([
      "/opt/python",
      "/usr/bin/ruby",
      "/usr/bin/tclsh",
    ]);
    expect(
      run({ "bin/tool.py": "#!/usr/bin/python\n", "libexec/x/examples/y.pl": "#!/usr/bin/perl\n" }).problems,
    ).toHaveLength(2);
  });

  test("an interpreter that was only needed to build the package", () => {
    const perl = makeSpec("perl");
    const openssl = makeSpec("openssl", { dependencies: [["perl", perl.hash, "build"]] });
    const report = run({ "bin/c_rehash": `#!/sw/perl-5-${perl.hash}/bin/perl\n` }, {}, openssl);
    expect(report.problems).toEqual([]);
    expect(report.warnings[0]?.hint).toContain("add perl to the specs");
  });

  test("sbang: the script itself and the line behind it", () => {
    const text = "#!/bin/sh /sw/bin/sbang\n#!/sw/app/bin/interpreter -x\n";
    expect(run({ "bin/a": text }).problems.map((one) => one.missing)).toEqual([
      "/sw/app/bin/interpreter",
      "/sw/bin/sbang",
    ]);
    const files = { "bin/a": text, "bin/interpreter": "#!/bin/sh\n" };
    expect(check([[app, files]], {}, { ...base, "sw/bin/sbang": "#!/bin/sh\n" }).problems).toEqual([]);
    const lua = "#!/bin/sh /sw/bin/sbang\n--!/usr/bin/env lua\n";
    expect(check([[app, { "bin/l": lua }]], {}, { ...base, "sw/bin/sbang": "x" }).problems[0]?.missing).toBe(
      "lua",
    );
  });
});

describe("errors for people", () => {
  test("one for each problem, each with a place and a hint", () => {
    const report = check([[app, { "bin/a": program("libgomp.so.1", "libodd.so.7") }]]);
    const errors = linkageErrors(report);
    expect(errors).toBeInstanceOf(AggregateError);
    const list = errors instanceof AggregateError ? errors.errors : [];
    expect(list.map((one: SpacktainersError) => [one.code, one.message, one.place.spec])).toEqual([
      ["LINKAGE_UNRESOLVED", "/sw/app/bin/a needs libgomp.so.1, which is not in the image", briefSpec(app)],
      ["LINKAGE_UNRESOLVED", "/sw/app/bin/a needs libodd.so.7, which is not in the image", briefSpec(app)],
    ]);
    for (const one of list) expect(one.hint).toContain("allow-unresolved");
    expect(linkageErrors({ ...report, problems: [] })).toBeUndefined();
    expect(linkageErrors({ ...report, problems: report.problems.slice(0, 1) })).toBeInstanceOf(
      SpacktainersError,
    );
  });

  test("a carriage return is shown", () => {
    const error = linkageErrors(check([[app, { "bin/a": "#!/bin/sh\r\n" }]]));
    expect(error).toMatchObject({
      code: "LINKAGE_UNRESOLVED",
      message:
        "/sw/app/bin/a starts with `/bin/sh\\r` (the first line ends as lines of DOS and Windows do), which is not in the image",
    });
  });

  test("many files are counted, not listed", () => {
    const files = Object.fromEntries(
      ["a", "b", "c", "d", "e"].map((name) => [`bin/${name}`, program("libx.so")]),
    );
    const [problem] = check([[app, files]]).problems;
    expect(problem && describeProblem(problem)).toMatch(/c and 2 more need libx\.so/);
  });
});

test("any image is checked to the end", () => {
  const name = fc.constantFrom("liba.so", "libb.so", "libc.so.6", "/lib/liba.so", "../x", "$ORIGIN/y", "");
  const path = fc.constantFrom(
    "/lib",
    "$ORIGIN",
    `$\{ORIGIN}/../lib`,
    "$LIB",
    `$\{PLATFORM}`,
    "$ORIGINAL",
    "relative",
    "",
  );
  const facts = fc
    .record({
      needed: fc.array(name, { maxLength: 4 }),
      rpath: fc.array(path, { maxLength: 3 }),
      runpath: fc.array(path, { maxLength: 2 }),
      soname: name,
      interpreter: fc.constantFrom(interpreter, "", "relative"),
    })
    .map((one) => elf(one));
  const files = fc.dictionary(
    fc.constantFrom("bin/a", "bin/b", "lib/liba.so", "lib/libb.so", "lib/x/y.so"),
    facts,
  );
  fc.assert(
    fc.property(files, (all) => {
      const report = check([[app, all]]);
      expect(report.checked.programs).toBe(2 + Object.keys(all).length);
    }),
  );
});
