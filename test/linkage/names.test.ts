import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nameMatcher } from "../../src/linkage/allow.ts";
import { externalsMissing } from "../../src/linkage/externals.ts";
import { libraryProvider, programProvider, versionProvider } from "../../src/linkage/providers.ts";
import { lineBehindSbang, parseShebang } from "../../src/linkage/shebang.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { inventory } from "../view/entries.ts";
import { makeSpec } from "../view/makeSpec.ts";

describe("names that are allowed", () => {
  test.each([
    ["libx.so.1", "libx.so.1", true],
    ["libx.so.1", "libx.so.10", false],
    ["libx.so*", "libx.so.10", true],
    ["*x*", "libx.so", true],
    ["a*b*c", "abc", true],
    ["a*b*c", "acb", false],
    ["ab*ba", "aba", false],
    ["*", "", true],
  ])("%s and %s", (pattern, name, expected) => {
    expect(nameMatcher([pattern])(name)).toBe(expected);
  });

  test("a star is any text, everything else itself", () => {
    const text = fc.stringMatching(/^[ab.]{0,6}$/);
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 4 }), text, (parts, name) => {
        const expression = new RegExp(`^${parts.map((part) => part.replaceAll(".", "\\.")).join(".*")}$`);
        expect(nameMatcher([parts.join("*")])(name)).toBe(expression.test(name));
      }),
    );
  });
});

describe("first lines", () => {
  test("of scripts", () => {
    expect(parseShebang(" /bin/sh ")).toEqual({ path: "/bin/sh" });
    // To the kernel, a carriage return is a part of the name.
    expect(parseShebang("/bin/sh\r")).toEqual({ path: "/bin/sh\r" });
    expect(parseShebang("/usr/bin/env perl\r")).toEqual({ path: "/usr/bin/env", program: "perl\r" });
    expect(parseShebang("/usr/bin/env -S perl -w\r")).toEqual({ path: "/usr/bin/env", program: "perl" });
    expect(parseShebang("/usr/bin/env\tperl")).toEqual({ path: "/usr/bin/env", program: "perl" });
    expect(parseShebang("/usr/bin/env")).toEqual({ path: "/usr/bin/env" });
    expect(parseShebang("/usr/bin/env -S 'perl' -w")).toEqual({ path: "/usr/bin/env", program: "perl" });
    expect(parseShebang("/usr/bin/env --split-string=perl -w")).toEqual({
      path: "/usr/bin/env",
      program: "perl",
    });
    expect(parseShebang("/bin/sh /x/bin/sbang")).toEqual({ path: "/bin/sh", sbang: "/x/bin/sbang" });
    expect(parseShebang("")).toBeUndefined();
  });

  test("behind sbang, in every language", () => {
    expect(lineBehindSbang("#!/bin/sh /x/bin/sbang\n#!/usr/bin/perl -w\n")).toBe("/usr/bin/perl -w");
    expect(lineBehindSbang("#!/bin/sh /x/bin/sbang\n//!/usr/bin/node\n")).toBe("/usr/bin/node");
    expect(lineBehindSbang("#!/bin/sh /x/bin/sbang\n<?php #!/usr/bin/php ?>\n")).toBe("/usr/bin/php");
    expect(lineBehindSbang("#!/bin/sh /x/bin/sbang\necho\n")).toBeUndefined();
    expect(lineBehindSbang("one line")).toBeUndefined();
  });
});

describe("who has it", () => {
  const none = (): boolean => false;
  test("libraries, programs, versions", () => {
    expect(libraryProvider("libX11.so.6", none)).toBe("the Debian package libx11-6 has it");
    expect(libraryProvider("libmpi.so.40", none)).toBe(
      "the Debian package libopenmpi3 or the Spack package openmpi has it",
    );
    expect(libraryProvider("libmpi.so.12", none)).toBe("the Spack package mpich has it");
    expect(libraryProvider("libssl.so.1.1", none)).toBe("the Spack package openssl has it");
    expect(libraryProvider("libhdf5_hl.so.200", (name) => name === "hdf5-hl")).toContain("hdf5-hl");
    expect(libraryProvider("libfoo-2.so.1", (name) => name === "foo")).toContain("package foo");
    expect(libraryProvider("constructor", none)).toBeUndefined();
    expect(programProvider("/usr/bin/perl5.36")).toContain("package perl");
    expect(programProvider("nothing")).toBeUndefined();
    expect(versionProvider("GLIBC_2.38")).toContain("2.38");
    expect(versionProvider("GLIBCXX_3.4.99")).toContain("a newer GCC");
    expect(versionProvider("OPENSSL_3.0.0")).toBeUndefined();
  });
});

describe("external packages", () => {
  const tree = new FileTree([inventory({ "opt/site/mpi/lib/libmpi.so": "x" })]);
  const missing = (name: string, version: string, path: string, libc: string | undefined = "2.36") =>
    externalsMissing([makeSpec(name, { version, external: path })], tree, libc).map((one) => [
      one.kind,
      one.missing,
    ]);

  test("folders that are not the system's must exist", () => {
    expect(missing("mpich", "4.1", "/opt/site/mpi")).toEqual([]);
    expect(missing("mpich", "4.1", "/opt/site/mpi/")).toEqual([]);
    expect(missing("mpich", "4.1", "/opt/cray/mpich")).toEqual([["external", "/opt/cray/mpich"]]);
    expect(missing("openssl", "3", "/usr")).toEqual([]);
  });

  test("the C library must not be older", () => {
    expect(missing("glibc", "2.36", "/usr")).toEqual([]);
    expect(missing("glibc", "2.9", "/usr")).toEqual([]);
    expect(missing("glibc", "2.38", "/usr")).toEqual([["libc", "glibc 2.38"]]);
    expect(
      externalsMissing([makeSpec("glibc", { version: "2.36", external: "/usr" })], tree, undefined),
    ).toHaveLength(1);
  });
});
