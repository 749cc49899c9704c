import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeMarkup, html, jsonMarkup, trusted, webAddress } from "../../src/catalogue/markup.ts";

describe("html", () => {
  it("escapes what is filled in, and not what is HTML already", () => {
    const inner = html`<b title="${'a"b'}">${"<i>"}</b>`;
    expect(html`<p>${inner}${["&", inner]}${false}${undefined}${0}</p>`.text).toBe(
      '<p><b title="a&quot;b">&lt;i&gt;</b>&amp;<b title="a&quot;b">&lt;i&gt;</b>0</p>',
    );
    expect(html`${trusted("<br>")}`.text).toBe("<br>");
  });

  it("leaves nothing of a text that ends an element or an attribute", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(escapeMarkup(text)).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
      }),
    );
  });

  it("replaces characters that XML does not have", () => {
    expect(escapeMarkup("a\u0000b\uD800c\u000B\t\n😀")).toBe("a\uFFFDb\uFFFDc\uFFFD\t\n😀");
  });
});

describe("jsonMarkup", () => {
  it("says the same without a character that HTML reads", () => {
    const value = { "</script>": "<!--&" };
    const { text } = jsonMarkup(value);
    expect(text).not.toMatch(/[<>&]/);
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe("webAddress", () => {
  it.each([
    ["https://example.org/a?b=c", "https://example.org/a?b=c"],
    ["HTTP://example.org", "http://example.org/"],
    ["javascript:alert(1)", undefined],
    [" JavaScript:alert(1)", undefined],
    ["data:text/html,x", undefined],
    ["file:///etc/passwd", undefined],
    ["//example.org", undefined],
    ["nothing", undefined],
    [undefined, undefined],
  ])("%s is %s", (text, address) => {
    expect(webAddress(text)).toBe(address);
  });
});
