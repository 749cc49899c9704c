import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { linkFrom, packagePath, pathPart } from "../../src/catalogue/paths.ts";

describe("pathPart", () => {
  it("keeps ordinary names", () => {
    expect(pathPart("hello-mpi")).toBe("hello-mpi");
    expect(packagePath("py-numpy")).toBe("packages/py-numpy.html");
  });

  it("leads nowhere else, is no hidden file and no long one, whatever the name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (name) => {
        const part = pathPart(name);
        expect(part).toMatch(/^(?!\.)[A-Za-z0-9._+~-]{0,150}$/);
      }),
    );
    expect(pathPart("../x")).toBe("~2e.~2fx");
    expect(pathPart(".git")).toBe("~2egit");
  });

  it("gives different names different parts", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200 }), (a, b) => {
        expect(pathPart(a) === pathPart(b)).toBe(a === b);
      }),
    );
    const long = "a".repeat(300);
    expect(pathPart(`${long}b`)).not.toBe(pathPart(`${long}c`));
  });
});

describe("linkFrom", () => {
  it("goes up as many folders as the page is deep", () => {
    expect(linkFrom("index.html", "feed.xml")).toBe("feed.xml");
    expect(linkFrom("containers/a/index.html", "packages/b.html")).toBe("../../packages/b.html");
  });
});
