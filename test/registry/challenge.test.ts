import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseChallenges } from "../../src/registry/challenge.ts";
import { nextLink } from "../../src/registry/pages.ts";

const read = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe("parseChallenges", () => {
  it.each([
    ['Basic realm="Registry"', [["basic", { realm: "Registry" }]]],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
      [
        [
          "bearer",
          {
            realm: "https://auth.docker.io/token",
            service: "registry.docker.io",
            scope: "repository:a/b:pull,push",
          },
        ],
      ],
    ],
    [
      'Negotiate, Basic realm="a, b" , Bearer  realm = x ,error="in\\"valid"',
      [
        ["negotiate", {}],
        ["basic", { realm: "a, b" }],
        ["bearer", { realm: "x", error: 'in"valid' }],
      ],
    ],
    [
      "NTLM TlRMTVNTUAAB==, Basic",
      [
        ["ntlm", {}],
        ["basic", {}],
      ],
    ],
    ['BEARER Realm="x",realm="y"', [["bearer", { realm: "x" }]]],
    ['Bearer realm="never closed', [["bearer", {}]]],
    ["=, Basic", []],
    ["", []],
  ])("reads %s", (header, expected) => {
    expect(read(header)).toEqual(expected);
  });

  it("gives back what was written", () => {
    const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,8}$/);
    const parameters = fc.dictionary(
      token.map((text) => text.toLowerCase()),
      fc.string({ unit: "grapheme-ascii" }),
      {
        minKeys: 1,
        maxKeys: 4,
      },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(token, parameters), { minLength: 1, maxLength: 4 }), (challenges) => {
        const quote = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
        const header = challenges
          .map(([scheme, values]) => {
            const pairs = Object.entries(values).map(([key, value]) => `${key}=${quote(value)}`);
            return `${scheme} ${pairs.join(", ")}`;
          })
          .join(", ");
        expect(read(header)).toEqual(
          challenges.map(([scheme, values]) => [scheme.toLowerCase(), { ...values }]),
        );
      }),
    );
  });

  it("reads anything without failing, in bounded time", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => Array.isArray(parseChallenges(text))));
    for (const unit of ["a", "a ", "a=", 'a="', "a b,", ",", "=", "a==", "\\"])
      expect(Array.isArray(parseChallenges(unit.repeat(200_000)))).toBe(true);
  });
});

describe("nextLink", () => {
  it.each([
    ['</v2/a/tags/list?last=b>; rel="next"', "/v2/a/tags/list?last=b"],
    ['<x>; rel="prev", <y>; title="a"; rel=next', "y"],
    ['<x>; rel="first next"', "x"],
    ['<x>; rel="nextish"', undefined],
    ["<x>", undefined],
    ["x; rel=next", undefined],
    ["<x; rel=next", undefined],
    [undefined, undefined],
  ])("of %s", (header, target) => {
    expect(nextLink(header)).toBe(target);
  });

  it("takes anything, in bounded time", () => {
    fc.assert(fc.property(fc.string(), (text) => ["string", "undefined"].includes(typeof nextLink(text))));
    for (const unit of ["<", ">", "<>", "<>;rel=", '<>;rel="', "; rel = ", "<a>;".repeat(3)])
      expect(nextLink(unit.repeat(100_000))).toBeUndefined();
  });
});
