import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { environmentDifference } from "../../src/recipes/environmentDifference.ts";

const difference = (
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
  clean = false,
): string[] =>
  environmentDifference(new Map(Object.entries(before)), new Map(Object.entries(after)), clean).map(
    ({ operation, name, value, separator }) => `${operation} ${name} ${value ?? ""} ${separator}`,
  );

// Every expectation is what `from_environment_diff` of Spack 1.1 answers.
describe("changes as Spack has them", () => {
  test("new variables, gone ones and changed ones, each by name", () => {
    const before = { Z: "1", GONE: "1", M: "a" };
    expect(difference(before, { Z: "2", M: "a", NEW: "3", ALSO: "x:y", FOOPATH: "p", S: "a;b" })).toEqual([
      "prepend_path ALSO x:y :",
      "prepend_path FOOPATH p :",
      "set NEW 3 :",
      "prepend_path S a;b ;",
      "unset GONE  :",
      "set Z 2 :",
    ]);
  });

  test("entries of lists before, behind and no longer there", () => {
    expect(difference({ P: "a:b:c" }, { P: "x:y:a:c:z" })).toEqual(["prepend_path P x:y:a:c:z :"]);
    expect(difference({ P: "a:b:c" }, { P: "x:y:a:b:z" })).toEqual([
      "remove_path P c :",
      "append_path P z :",
      "prepend_path P y :",
      "prepend_path P x :",
    ]);
    expect(difference({ P: "a:b" }, { P: "c" })).toEqual(["prepend_path P c :"]);
    expect(difference({ P: "a:b" }, { P: "a:x:b" })).toEqual(["prepend_path P a:x:b :"]);
    expect(difference({ P: "a" }, { P: "b:a:" })).toEqual(["prepend_path P b :"]);
  });

  test("`clean` takes away what is there twice", () => {
    expect(difference({ P: "a:b" }, { P: "x:a:b:x" })).toEqual(["append_path P x :", "prepend_path P x :"]);
    expect(difference({ P: "a:b" }, { P: "x:a:b:x" }, true)).toEqual(["prepend_path P x :"]);
  });
});

test("applied, the changes of a list lead to its new entries", () => {
  const entry = fc.stringMatching(/^\/[a-d]{1,2}$/);
  const more = fc.array(
    entry.map((path) => `/new${path}`),
    { maxLength: 3 },
  );
  const lists = fc.uniqueArray(entry, { minLength: 2, maxLength: 6 });
  fc.assert(
    fc.property(lists, fc.nat(4), fc.nat(6), more, more, (old, start, length, front, behind) => {
      const wanted = [...new Set([...front, ...old.slice(start, start + length), ...behind])];
      if (wanted.length < 2) return;
      let entries = [...old];
      const changes = environmentDifference(
        new Map([["P", old.join(":")]]),
        new Map([["P", wanted.join(":")]]),
        true,
      );
      for (const { operation, value } of changes) {
        const all = String(value).split(":");
        if (operation === "remove_path") entries = entries.filter((one) => one !== value);
        else if (operation === "append_path") entries = [...entries, ...all];
        else entries = [...all, ...entries];
      }
      const replaced = !wanted.some((one) => old.includes(one));
      expect(entries).toEqual(replaced ? [...wanted, ...old] : wanted);
    }),
  );
});
