import fc from "fast-check";
import { armor, enums } from "openpgp";
import { expect, it } from "vitest";
import { readBlocks } from "../../src/openpgp/armor.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

const bytes = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 0xff);
const block = (content: Uint8Array, kind: enums.armor = enums.armor.publicKey): string =>
  String(armor(kind, content, undefined, undefined, undefined, true)).replaceAll("\r", "");
const read = (text: string) => readBlocks(Buffer.from(text, "latin1"), "key.asc");
const failure = (text: string): SpacktainersError => {
  try {
    read(text);
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return thrown;
  }
  throw new Error("was accepted");
};

it("finds every block of a file, whatever stands around them", () => {
  const [first, second] = [block(bytes(100)), block(bytes(3), enums.armor.privateKey)];
  const text = `# the key of the group\n${first}\nand another:\n\n${second}`;
  for (const form of [text, text.replaceAll("\n", "\r\n"), `\xef\xbb\xbf${text}`]) {
    const blocks = read(form);
    expect(blocks.map(({ kind, place }) => [kind, place.line])).toEqual([
      ["PUBLIC KEY BLOCK", 2],
      ["PRIVATE KEY BLOCK", first.split("\n").length + 4],
    ]);
    expect(blocks.map((one) => Buffer.from(one.bytes))).toEqual(
      [bytes(100), bytes(3)].map((one) => Buffer.from(one)),
    );
  }
});

it("takes a binary file as one block", () => {
  const binary = Uint8Array.from([0x99, 1, 2, 3]);
  expect(readBlocks(binary, "key.gpg")).toEqual([
    { kind: "binary", bytes: binary, place: { file: "key.gpg" } },
  ]);
});

it("finds nothing in other files", () => {
  for (const text of ["", "junk", "\0\0\0\x20\x01\x01\0\x02KBXf"]) expect(read(text)).toEqual([]);
});

it("does without a checksum and with any headers", () => {
  const good = block(bytes(50));
  const bare = good.replace(/\n=[A-Za-z0-9+/]{4}(?=\n-----END)/, "");
  expect(bare).not.toBe(good);
  const headed = bare.replace(
    "BLOCK-----\n",
    "BLOCK-----\nVersion: 1\nComment: https://example.org/: x\nHash:\n",
  );
  for (const form of [bare, headed])
    expect(Buffer.from(read(form)[0]?.bytes ?? [])).toEqual(Buffer.from(bytes(50)));
});

it.each([
  ["has no end", (s: string) => s.replace(/-----END[\s\S]*/, ""), 1],
  ["has another's end", (s: string) => s.replace("END PGP PUBLIC", "END PGP PRIVATE"), undefined],
  ["ends where the next begins", (s: string) => s.replace(/-----END.*\n/, s), undefined],
  ["is cut", (s: string) => s.replace(/\n\n.{30}/, "\n\n"), 1],
  ["has a wrong letter", (s: string) => s.replace(/\n\n./, "\n\n!"), 1],
  ["has another letter", (s: string) => s.replace(/\n\n(.)/, (_, c) => `\n\n${c === "A" ? "B" : "A"}`), 1],
  ["has no empty line", (s: string) => s.replace("\n\n", "\n"), 2],
  ["is empty", (s: string) => s.replace(/\n\n[\s\S]*(?=-----END)/, "\n\n"), 1],
  ["is put out of action", (s: string) => s.replace("-----BEGIN", ":-----BEGIN"), 1],
  ["is indented", (s: string) => s.replaceAll(/^/gm, "  "), 1],
  ["is quoted", (s: string) => s.replaceAll(/^/gm, "> "), 1],
  ["has lost a dash", (s: string) => s.replace("-----BEGIN", "----BEGIN"), 1],
  ["has lost its beginning", (s: string) => s.replace(/-----BEGIN.*\n/, ""), undefined],
  ["is of another program", () => "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", 1],
])("refuses a block that %s, and names the line", (_, change, line) => {
  const error = failure(change(block(bytes(200))));
  expect(error).toMatchObject({ code: "KEY_INVALID", place: { file: "key.asc" } });
  if (line === undefined) expect(error.place.line).toBeGreaterThan(1);
  else expect(error.place.line).toBe(line);
});

it("says what the colon of GnuPG's revocation files is for", () => {
  expect(failure(`:${block(bytes(9))}`).hint).toMatch(/remove the colon/);
});

it("never fails in another way, and reads what it wrote", () => {
  const lines = fc.constantFrom(
    "-----BEGIN PGP PUBLIC KEY BLOCK-----",
    "-----END PGP PUBLIC KEY BLOCK-----",
    "-----BEGIN PGP SIGNATURE-----",
    "",
    "AAAA",
    "=AAAA",
    "Comment: x",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(lines, fc.string()), { maxLength: 15 }), (all) => {
      try {
        read(all.join("\n"));
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "KEY_INVALID" });
      }
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 }), (contents) => {
      const found = read(contents.map((content) => block(content)).join(""));
      expect(found.map((one) => Buffer.from(one.bytes))).toEqual(contents.map((one) => Buffer.from(one)));
    }),
  );
});
