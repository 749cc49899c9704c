import { describe, expect, test } from "vitest";
import { chosenLinks, readAlternativesCall } from "../../src/base/debian/alternatives.ts";

function links(lines: readonly string[], there: readonly string[]) {
  const calls = lines.flatMap((line) => readAlternativesCall(line.split(" ")) ?? []);
  return chosenLinks(calls, (path) => there.includes(path)).map(({ link, path }) => `${link} ${path}`);
}

describe("update-alternatives", () => {
  const both = [
    "update-alternatives --install /usr/lib/libblas.so.3 libblas.so.3 /usr/lib/blas/libblas.so.3 10",
    "update-alternatives --quiet --install /usr/lib/libblas.so.3 libblas.so.3 /usr/lib/openblas/libblas.so.3 100 --slave /usr/lib/x x /usr/lib/openblas/x --slave /usr/lib/y y /gone",
  ];

  test("the highest priority wins, with the links that go with it", () => {
    const all = ["/usr/lib/blas/libblas.so.3", "/usr/lib/openblas/libblas.so.3", "/usr/lib/openblas/x"];
    const best = ["/usr/lib/libblas.so.3 /usr/lib/openblas/libblas.so.3", "/usr/lib/x /usr/lib/openblas/x"];
    expect(links(both, all)).toEqual(best);
    expect(links([...both].reverse(), all)).toEqual(best);
    expect(
      links([...both, "update-alternatives --set libblas.so.3 /usr/lib/blas/libblas.so.3"], all),
    ).toEqual(["/usr/lib/libblas.so.3 /usr/lib/blas/libblas.so.3"]);
  });

  test("what is not there is no choice", () => {
    expect(links(both, ["/usr/lib/blas/libblas.so.3"])).toEqual([
      "/usr/lib/libblas.so.3 /usr/lib/blas/libblas.so.3",
    ]);
    expect(links(both, [])).toEqual([]);
  });

  test("of two with one priority the first by path, as update-alternatives has it", () => {
    const two = ["/b", "/a"].map((path) => `update-alternatives --install /usr/bin/t t ${path} 5`);
    expect(links(two, ["/a", "/b"])).toEqual(["/usr/bin/t /a"]);
    expect(links(two.reverse(), ["/a", "/b"])).toEqual(["/usr/bin/t /a"]);
  });

  test("calls whose arguments cannot be known, or lead elsewhere, are not read", () => {
    const call = ["update-alternatives", "--install", "/usr/bin/t", "t", undefined, "5"];
    expect(readAlternativesCall(call)).toBe(undefined);
    for (const line of [
      "update-alternatives --install /usr/../etc/t t /a 5",
      "update-alternatives --install /usr/bin/t ../t /a 5",
      "update-alternatives --install usr/bin/t t /a 5",
      "update-alternatives --install /usr/bin/t t /a x",
      "update-alternatives --install /usr/bin/t t /a 5 --slave /usr/bin/s s",
    ])
      expect(readAlternativesCall(line.split(" ")), line).toBe(undefined);
    expect(readAlternativesCall(["update-alternatives", "--remove", "t", "/a"])).toEqual({ kind: "other" });
  });
});
