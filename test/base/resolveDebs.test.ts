import { describe, expect, test } from "vitest";
import { recordLine } from "../../src/base/debian/packageRecord.ts";
import { openPackageIndex } from "../../src/base/debian/packagesIndex.ts";
import { type ResolveOptions, resolveDebs } from "../../src/base/debian/resolveDebs.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

/** An index written as `name version | Field: value | …`, one package a line. */
function index(text: string): string {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [head = "", ...fields] = line.split(";").map((part) => part.trim());
      const [name = "", version = "1", architecture = "amd64"] = head.split(" ");
      const all = [
        `Package: ${name}`,
        `Version: ${version}`,
        `Architecture: ${architecture}`,
        ...fields,
        `Filename: pool/${name}_${version}.deb`,
        "Size: 1",
        `SHA256: ${"0".repeat(64)}`,
      ];
      return `${recordLine(all.join("\n"))}\n`;
    })
    .join("");
}

function resolve(
  texts: string | readonly string[],
  wanted: string,
  options: Partial<ResolveOptions> = {},
): string {
  const indexes = (typeof texts === "string" ? [texts] : texts).map(index);
  const chosen = resolveDebs(openPackageIndex(indexes), wanted.split(" "), {
    architecture: "amd64",
    ...options,
  });
  return chosen.map(({ name, version }) => (version === "1" ? name : `${name}=${version}`)).join(" ");
}

function failure(texts: string | readonly string[], wanted: string): SpacktainersError {
  try {
    resolve(texts, wanted);
  } catch (error) {
    if (error instanceof SpacktainersError) return error;
    throw error;
  }
  throw new Error("it could be resolved");
}

describe("resolvePackages", () => {
  test("follows Depends and Pre-Depends, through cycles, and nothing else", () => {
    expect(
      resolve(
        `
        a; Depends: b; Recommends: x
        b; Pre-Depends: c
        c; Depends: a
        x
        `,
        "a",
      ),
    ).toBe("a b c");
  });

  test("takes the highest version of all suites, of equals that of the first", () => {
    const suites = ["a 1\nb 3", "a 2\nb 3", "a 1.5"] as const;
    expect(resolve(suites, "a b")).toBe("a=2 b=3");
    const chosen = resolveDebs(openPackageIndex(suites.map(index)), ["b"], { architecture: "amd64" });
    expect(chosen[0]?.index).toBe(0);
  });

  test("takes the version asked for", () => {
    expect(resolve(["a 1", "a 2"], "a=1")).toBe("a");
    expect(failure("a 2", "a=1").message).toContain("there is only a 2");
  });

  test("ignores packages of other architectures, accepts qualifiers", () => {
    expect(resolve("a 2 arm64\na 1 all; Depends: b:any, c:amd64\nb\nc", "a")).toBe("a b c");
    expect(failure("a; Depends: b:arm64\nb", "a").code).toBe("BASE_UNSATISFIABLE");
  });

  test("takes the first alternative that can be satisfied", () => {
    expect(resolve("a; Depends: x | b | c\nb\nc", "a")).toBe("a b");
    expect(resolve("a; Depends: b (>= 2) | c\nb\nc", "a")).toBe("a c");
    expect(resolve("a; Depends: b | c\nb; Depends: nothing\nc", "a")).toBe("a c");
  });

  test("an alternative that is chosen already wins", () => {
    expect(resolve("a; Depends: b | c\nb\nc", "a c")).toBe("a c");
    expect(resolve("a; Depends: v\np1; Provides: v\np2; Provides: v", "a p2")).toBe("a p2");
  });

  test("a real package comes before one that provides its name", () => {
    expect(resolve("a; Depends: v\np; Provides: v\nv", "a")).toBe("a v");
  });

  test("of several providers the more important wins, then the name decides", () => {
    expect(
      resolve("a; Depends: v\np1; Provides: v; Priority: optional\np2; Provides: v; Priority: required", "a"),
    ).toBe("a p2");
    expect(resolve("a; Depends: v\np2; Provides: v\np1; Provides: v", "a")).toBe("a p1");
  });

  test("a version asks for a provider that says which it provides", () => {
    expect(
      resolve("a; Depends: v (>= 2)\np1; Provides: v\np2; Provides: v (= 1)\np3; Provides: v (= 3)", "a"),
    ).toBe("a p3");
  });

  test("only the newest version of a provider counts", () => {
    expect(resolve(["a; Depends: v\np 1; Provides: v\nq; Provides: v", "p 2"], "a")).toBe("a q");
  });

  test("keeps away from conflicts by taking back a choice", () => {
    expect(resolve("a; Depends: b | c, d\nb\nc\nd; Conflicts: b", "a")).toBe("a c d");
    expect(resolve("a; Depends: b | c, d\nb; Breaks: d (<< 2)\nc\nd", "a")).toBe("a c d");
    expect(resolve("a; Depends: b, d\nb; Breaks: d (<< 2)\nd 2", "a")).toBe("a b d=2");
  });

  test("a package may conflict with the name it provides", () => {
    expect(resolve("a; Provides: m; Conflicts: m\nb", "a b")).toBe("a b");
    const error = failure("a; Provides: m; Conflicts: m\nb; Provides: m; Conflicts: m", "a b");
    expect(error.message).toContain("b cannot be installed, but a 1 conflicts with m, which is b 1");
  });

  test("tools of maintainer scripts are not needed, unless asked for", () => {
    const text =
      "a; Depends: dpkg (>= 1.15.4) | install-info, debconf (>= 0.5) | debconf-2.0\ndpkg 1.21\ndebconf";
    expect(resolve(text, "a")).toBe("a");
    expect(resolve(text, "a dpkg")).toBe("a dpkg=1.21");
    expect(resolve(text, "a", { assumed: [] })).toBe("a debconf dpkg=1.21");
  });

  test("prefers the package that says /usr is merged", () => {
    expect(resolve("a; Depends: usrmerge | usr-is-merged\nusrmerge\nusr-is-merged", "a")).toBe(
      "a usr-is-merged",
    );
  });

  test("names of virtual packages can be asked for", () => {
    expect(resolve("mawk; Provides: awk", "awk")).toBe("mawk");
  });

  test("says what is wrong", () => {
    expect(failure("bash", "bahs")).toMatchObject({
      code: "BASE_UNSATISFIABLE",
      message: "there is no package bahs for amd64",
      hint: "did you mean bash?",
    });
    expect(failure("a; Depends: b (>= 3)\nb 2", "a").message).toContain(
      "a 1 needs b (>= 3), but there is only b 2",
    );
    expect(failure("a; Depends: b | c", "a").message).toContain(
      "a 1 needs b | c, but no package has or provides it",
    );
    expect(failure("a; Depends: ((", "a").message).toContain("the dependencies of a 1 are malformed");
    expect(failure("a", "a/b").code).toBe("BASE_INVALID");
    expect(failure("a", "a=").code).toBe("BASE_INVALID");
  });

  test("does not depend on the order of what is asked for", () => {
    const text = "a; Depends: b | c\nb\nc\nd; Depends: c | b";
    expect(resolve(text, "a")).toBe("a b");
    expect(resolve(text, "d")).toBe("c d");
  });

  test("gives up on a puzzle without solution", () => {
    const lines = Array.from({ length: 40 }, (_, at) => `p${at}; Provides: v${at % 20}; Conflicts: z`);
    const all = Array.from({ length: 20 }, (_, at) => `v${at}`).join(", ");
    const error = failure(`a; Depends: ${all}, last\nlast; Provides: z\n${lines.join("\n")}`, "a");
    expect(error.message).toContain("last");
  });

  test("many packages are no problem for the stack", () => {
    const count = 10_000;
    const lines = Array.from({ length: count }, (_, at) => `p${at}; Depends: p${at + 1}`);
    const text = index([...lines, `p${count}`].join("\n"));
    const chosen = resolveDebs(openPackageIndex([text]), ["p0"], { architecture: "amd64", assumed: [] });
    expect(chosen).toHaveLength(count + 1);
  });
});
