import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { looksClearSigned, parseCleartext } from "../../src/openpgp/cleartext.ts";
import { makeKey } from "../support/signingKey.ts";

const place = { url: "https://cache.example/file" };
const text = '{\n"spec":{\n"name":"zlib"\n}\n}';
let key: Awaited<ReturnType<typeof makeKey>>;
let signed: string;

beforeAll(async () => {
  key = await makeKey();
  signed = await key.sign(text);
});

describe("parseCleartext", () => {
  it("takes a message apart", () => {
    expect(parseCleartext(signed, place).text).toBe(text);
    expect(parseCleartext(signed.replaceAll("\n", "\r\n"), place).text).toBe(text);
    expect(parseCleartext(`\n\n${signed}\n \n`, place).text).toBe(text);
  });

  it("undoes dash escapes and drops blanks at line ends", async () => {
    const odd = await key.sign("- list\n-----BEGIN PGP SIGNATURE-----\nx  \t\n--");
    expect(parseCleartext(odd, place).text).toBe("- list\n-----BEGIN PGP SIGNATURE-----\nx\n--");
  });

  it.each([
    ["text before", (s: string) => `{"spec": 1}\n${s}`],
    ["text after", (s: string) => `${s}\n{"spec": 1}`],
    ["two messages", (s: string) => `${s}\n${s}`],
    ["an unknown header", (s: string) => s.replace("Hash: ", "Comment: x\nHash: ")],
    ["no signature", (s: string) => s.slice(0, s.indexOf("-----BEGIN PGP SIGNATURE"))],
    ["an open signature", (s: string) => s.slice(0, s.indexOf("-----END PGP SIGNATURE"))],
    ["a line with a bare dash", (s: string) => s.replace('"spec"', '-x\n"spec"')],
    ["plain JSON", () => text],
    ["nothing", () => ""],
  ])("refuses %s", (_, change) => {
    expect(() => parseCleartext(change(signed), place)).toThrowError(
      expect.objectContaining({ code: "SIGNATURE_INVALID" }),
    );
  });

  it("never fails in another way, whatever comes", () => {
    const pieces = fc.constantFrom(
      "-----BEGIN PGP SIGNED MESSAGE-----",
      "Hash: SHA512",
      "-----BEGIN PGP SIGNATURE-----",
      "-----END PGP SIGNATURE-----",
      "",
      "- x",
      "-x",
      "\r",
      "text ",
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.string()), { maxLength: 20 }), (lines) => {
        try {
          const frame = parseCleartext(lines.join("\n"), place);
          expect(frame.signature.startsWith("-----BEGIN PGP SIGNATURE-----\n")).toBe(true);
          expect(frame.signature.endsWith("-----END PGP SIGNATURE-----\n")).toBe(true);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: "SIGNATURE_INVALID" });
        }
      }),
    );
  });

  it("tells signed text from plain", () => {
    expect(looksClearSigned(signed)).toBe(true);
    expect(looksClearSigned(`\n${signed}`)).toBe(true);
    expect(looksClearSigned(text)).toBe(false);
  });
});
