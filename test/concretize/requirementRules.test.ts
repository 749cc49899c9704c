import { describe, expect, it } from "vitest";
import { chooseFromCaches } from "../../src/concretize/chooseFromCaches.ts";
import { sourceOf } from "../../src/concretize/packageSource.ts";
import { readManifest } from "../../src/environment/manifest.ts";
import type { Dialect } from "../../src/spec/abstract.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { SpacktainersError, SpacktainersErrors } from "../../src/util/errors.ts";
import { makeSpec } from "./specs.ts";

/** A machine with GCC 12: a compiler, its run-time library, a C library. */
const gcc = makeSpec("gcc@12.2.0", { modern: true, external: "/usr" });
const glibc = makeSpec("glibc@2.36", { modern: true, external: "/usr" });
const runtime = makeSpec("gcc-runtime@12.2.0", { modern: true, link: [[glibc, ["libc"]]], build: [gcc] });

const built = (
  name: string,
  link: readonly ConcreteSpec[] = [],
  languages: readonly string[] = ["c"],
  target?: string,
) =>
  makeSpec(name, {
    modern: true,
    link: [runtime, [glibc, ["libc"]], ...link],
    build: [[gcc, languages]],
    variants: { shared: true },
    ...(target === undefined ? {} : { target }),
  });

const zlib = built("zlib@1.2.13");
const lz4 = built("lz4@1.9.4", [], ["c", "cxx"]);
const app = built("app@1", [zlib]);
const caches = sourceOf([gcc, glibc, runtime, zlib, lz4, app]);

function choose(
  specs: string,
  packages: string,
  more = "",
  dialect: Dialect = "1.x",
  source = caches,
): readonly string[] {
  const text = `spack:\n  specs: [${specs}]\n  packages: {${packages}}\n${more}`;
  const { environment, errors } = readManifest(text, "spack.yaml", { dialect });
  if (environment === undefined) throw new Error(errors.map(({ message }) => message).join());
  try {
    const { roots, graph } = chooseFromCaches(environment, source, { target: "x86_64_v3" });
    return roots.map(({ hash }) => `${graph.get(hash)?.name}@${graph.get(hash)?.version}`);
  } catch (thrown) {
    if (thrown instanceof SpacktainersErrors) return thrown.errors.map(({ code }) => code);
    if (thrown instanceof SpacktainersError) return [thrown.code];
    throw thrown;
  }
}

const none = ["NO_SOLUTION"];
const it_ = ["zlib@1.2.13"];

// What real Spack 1.1.0 answers when it may reuse only what a cache has, with this compiler and no other.
describe("requirements on compilers (1.x)", () => {
  it.each([
    [
      "what is required of all is not required of compilers and run-time libraries",
      "all: { require: '%gcc' }",
      it_,
    ],
    ["nor in a list", "all: { require: [target=x86_64_v3, '%gcc@12.2.0'] }", it_],
    ["it is required of packages", "all: { require: '%gcc@13' }", none],
    ["of one package", "zlib: { require: '%clang' }", none],
    [
      "the run-time library that comes with a package is not chosen",
      "gcc-runtime: { require: target=x86_64_v2 }",
      it_,
    ],
    ["nor is its version, at which Spack would give up", "gcc-runtime: { require: '@13:' }", it_],
    ["nor is the C library", "glibc: { require: target=x86_64_v2 }", it_],
    [
      "nor are they held to what is said of all",
      "zlib: { require: +shared }, all: { require: target=x86_64_v2 }",
      it_,
    ],
    ["one of several compilers", "zlib: { require: [{ one_of: ['%clang', '%gcc'] }] }", it_],
    ["any of several compilers", "zlib: { require: [{ any_of: ['%clang', '%gcc'] }] }", it_],
  ])("%s", (_, packages, roots) => expect(choose("zlib", packages)).toEqual(roots));

  it("a compiler among other options need not count", () => {
    expect(choose("zlib", "zlib: { require: [{ one_of: ['@1.2', '%gcc'] }] }")).toEqual(it_);
    // Then the version holds, which is not preferred.
    expect(choose("zlib", "zlib: { require: [{ one_of: ['%gcc', '@1.2'] }] }")).toEqual(none);
    expect(choose("zlib", "zlib: { require: [{ one_of: ['+shared', '@1.2'] }] }")).toEqual(none);
  });
});

describe("requirements on languages (1.x)", () => {
  it.each([
    ["c: { require: llvm }", none],
    ["c: { require: gcc@13 }", none],
    ["c: { require: [gcc@12] }, cxx: { require: gcc }, fortran: { require: gcc }", ["lz4@1.9.4"]],
    ["c: { require: [{ any_of: [llvm, gcc] }] }", ["lz4@1.9.4"]],
    ["c: { require: [{ one_of: [gcc, llvm] }] }", ["lz4@1.9.4"]],
    ["c: { prefer: [llvm] }", ["lz4@1.9.4"]],
    ["c: { conflict: [gcc] }", none],
    ["cxx: { require: llvm }", none],
    ["fortran: { require: llvm }", ["lz4@1.9.4"]],
    ["libc: { require: musl }", ["lz4@1.9.4"]],
  ])("%s", (packages, roots) => expect(choose("lz4", packages)).toEqual(roots));

  it("hold for what a root needs, too", () => {
    expect(choose("app", "c: { require: llvm }")).toEqual(none);
    expect(choose("app", "cxx: { require: llvm }")).toEqual(["app@1"]);
  });
});

describe("conflicts with compilers (1.x)", () => {
  it.each([
    ["has no effect", "zlib", "zlib: { conflict: ['%gcc'] }", it_],
    ["of a version neither", "zlib", "zlib: { conflict: ['%gcc@11:'] }", it_],
    ["of a language neither", "zlib", "zlib: { conflict: ['%c=gcc'] }", it_],
    ["with more conditions neither", "zlib", "zlib: { conflict: ['+shared %gcc'] }", it_],
    ["of all neither", "zlib", "all: { conflict: ['%gcc'] }", it_],
    ["has one where a spec asks for the compiler", "zlib%gcc", "zlib: { conflict: ['%gcc'] }", none],
    ["or for a version of it", "'zlib %gcc@12.2.0'", "zlib: { conflict: ['%gcc'] }", none],
    ["not where it asks for another thing", "zlib%gcc", "zlib: { conflict: ['%gcc@12'] }", it_],
    ["or a requirement does", "zlib", "zlib: { conflict: ['%gcc'], require: '%gcc' }", none],
    [
      "or where another version would do",
      "zlib",
      "zlib: { conflict: [{ spec: '%gcc', when: '@1.2.13' }] }",
      none,
    ],
    ["not where none would", "zlib@1.2.13", "zlib: { conflict: [{ spec: '%gcc', when: '@1.2.13' }] }", it_],
    ["nor where it does not apply", "zlib", "zlib: { conflict: [{ spec: '%gcc', when: '@1.3' }] }", it_],
    ["and one without a compiler has one", "zlib", "zlib: { conflict: [+shared] }", none],
    ["as has one on a target", "zlib", "zlib: { conflict: [target=x86_64_v3] }", none],
  ])("%s", (_, specs, packages, roots) => expect(choose(specs, packages)).toEqual(roots));

  it("are named when they have no effect", () => {
    const text = "spack:\n  packages:\n    zlib:\n      conflict: ['%gcc', +shared]\n";
    const warned = (dialect: Dialect) =>
      readManifest(text, "f", { dialect }).warnings.map(
        ({ place, message }) => `${place.line}:${place.column} ${message}`,
      );
    expect(warned("1.x")).toEqual([
      "4:19 to Spack 1.x, `%gcc` is no conflict with what is built with it, unless a spec or a requirement asks for just that",
    ]);
    expect(warned("0.x")).toEqual([]);
  });
});

describe("preferences for compilers", () => {
  it("cannot be kept when there is no such compiler", () => {
    expect(choose("zlib", "all: { prefer: ['%clang'] }")).toEqual(it_);
    expect(choose("zlib", "zlib: { prefer: ['%gcc@13'] }")).toEqual(it_);
    expect(choose("zlib", "zlib: { prefer: ['~shared'] }")).toEqual(none);
  });

  it("would be kept by building where there is one", () => {
    const external = "llvm: { externals: [{ spec: llvm@16, prefix: /usr }] }";
    expect(choose("zlib", `all: { prefer: ['%clang'] }, ${external}`)).toEqual(none);
    const llvm = built("llvm@17");
    const more = sourceOf([gcc, glibc, runtime, zlib, llvm]);
    expect(choose("zlib", "zlib: { prefer: ['%clang'] }", "", "1.x", more)).toEqual(none);
    expect(choose("zlib", "zlib: { prefer: ['%clang@18'] }", "", "1.x", more)).toEqual(it_);
    expect(choose("zlib", "c: { prefer: [llvm] }", "", "1.x", more)).toEqual(none);
  });

  it("know the compilers of the section of this name (0.x)", () => {
    const old = makeSpec("zlib@1.2.13", { variants: { shared: true } });
    const packages = "zlib: { prefer: ['%clang'] }";
    const section =
      "  compilers:\n  - compiler: { spec: clang@16, operating_system: debian12, modules: [], paths: { cc: a, cxx: b, f77: null, fc: null } }\n";
    expect(choose("zlib", packages, "", "0.x", sourceOf([old]))).toEqual(it_);
    expect(choose("zlib", packages, section, "0.x", sourceOf([old]))).toEqual(none);
  });

  it("for a target cost more than they bring: the compiler and the C library have it neither", () => {
    expect(choose("zlib", "all: { prefer: [target=x86_64_v2] }")).toEqual(it_);
    expect(choose("zlib", "zlib: { prefer: [target=x86_64_v2] }")).toEqual(none);
  });
});

describe("run-time libraries of 0.x", () => {
  const libc = makeSpec("glibc@2.36", { external: "/usr" });
  const oldRuntime = (target: string) => makeSpec("gcc-runtime@12.2.0", { target, link: [[libc, ["libc"]]] });
  const [third, second] = [oldRuntime("x86_64_v3"), oldRuntime("x86_64_v2")];
  const zlib3 = makeSpec("zlib@1.2.13", { link: [third, [libc, ["libc"]]] });
  const zlib2 = makeSpec("zlib@1.2.13", { target: "x86_64_v2", link: [second, [libc, ["libc"]]] });

  it("must be there in a form that keeps the rules and runs where the packages run", () => {
    const rules = "zlib: { require: '@1.2' }, all: { require: target=x86_64_v2 }";
    expect(choose("zlib target=x86_64_v3", rules, "", "0.x", sourceOf([libc, third, second, zlib3]))).toEqual(
      it_,
    );
    expect(choose("zlib target=x86_64_v3", rules, "", "0.x", sourceOf([libc, third, zlib3]))).toEqual(none);
    const newer = "zlib: { require: '@1.2' }, all: { require: target=x86_64_v3 }";
    expect(
      choose("zlib target=x86_64_v2", newer, "", "0.x", sourceOf([libc, third, second, zlib2, zlib3])),
    ).toEqual(none);
  });
});

describe("develop", () => {
  const develop = (spec: string) => `  develop: { zlib: { spec: ${spec}, path: ./src } }\n`;

  it("leaves what the caches have of a package out", () => {
    expect(choose("zlib", "", develop("zlib@=1.2.13"))).toEqual(none);
    expect(choose("app", "", develop("zlib@=1.2.13"))).toEqual(none);
    expect(choose("lz4", "", develop("zlib@=1.2.13"))).toEqual(["lz4@1.9.4"]);
  });
});
