import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactJson, jsonItems, jsonMembers, linedJson } from "../../src/util/jsonText.ts";

const spaced = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, 0, 1, 3, "\t"))
  .map(([value, indent]) => ({ value, text: JSON.stringify(value, undefined, indent) }));

describe("JSON as text", () => {
  it("says the same without space, and with each part on a line", () => {
    fc.assert(
      fc.property(spaced, ({ value, text }) => {
        expect(compactJson(text)).toBe(JSON.stringify(JSON.parse(text)));
        expect(JSON.parse(linedJson(text))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("is taken apart into its own members and items", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (record, indent) => {
        const members = jsonMembers(JSON.stringify(record, undefined, indent));
        expect(members.map(([name, value]) => [name, JSON.stringify(JSON.parse(value))])).toEqual(
          Object.entries(record).map(([name, value]) => [name, JSON.stringify(value)]),
        );
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(0, 2), (list, indent) => {
        const items = jsonItems(JSON.stringify(list, undefined, indent));
        expect(items.map((item) => compactJson(item))).toEqual(list.map((item) => JSON.stringify(item)));
      }),
    );
  });

  it("keeps numbers, escapes and the order of members as they were written", () => {
    const text = '{"b": 1.0, "2": "\\u00e9\\"}", "1": 1e5}';
    expect(jsonMembers(text)).toEqual([
      ["b", "1.0"],
      ["2", '"\\u00e9\\"}"'],
      ["1", "1e5"],
    ]);
    expect(compactJson(text)).toBe('{"b":1.0,"2":"\\u00e9\\"}","1":1e5}');
  });

  it("has lines as Python writes them with `indent=0`", () => {
    expect(linedJson('{"a": [1, {}, []], "b": {"c": ": ,"}}')).toBe(
      '{\n"a":[\n1,\n{},\n[]\n],\n"b":{\n"c":": ,"\n}\n}',
    );
  });
});
