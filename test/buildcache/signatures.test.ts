import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  config,
  createCleartextMessage,
  enums,
  readCleartextMessage,
  reformatKey,
  revokeKey,
  sign,
} from "openpgp";
import { beforeAll, describe, expect, it } from "vitest";
import { openTrustedKeys } from "../../src/buildcache/signatures.ts";
import { looksClearSigned, parseCleartext } from "../../src/util/cleartext.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";
import { underStandaloneSignature } from "../support/standaloneSignature.ts";

const place = { url: "https://cache.example/file" };
const text = '{\n"spec":{\n"name":"zlib"\n}\n}';
let key: TestKey;
let stranger: TestKey;
let signed: string;

beforeAll(async () => {
  [key, stranger] = await Promise.all([makeKey(), makeKey()]);
  signed = await key.sign(text);
});

const trusting = (...keys: { readonly armored: string }[]) =>
  openTrustedKeys(keys.map(({ armored }, at) => ({ name: `key${at}`, armored })));

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
          expect(frame.message.startsWith("-----BEGIN PGP SIGNED MESSAGE-----\n")).toBe(true);
          expect(frame.message.endsWith("-----END PGP SIGNATURE-----\n")).toBe(true);
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

describe("openTrustedKeys", () => {
  it("accepts a signature by a configured key, wherever it stands in the list", async () => {
    const verified = await trusting(stranger, key).verify(signed, place);
    expect(verified).toEqual({ text, signedBy: key.fingerprint });
    expect((await trusting(key).verify(signed.replaceAll("\n", "\r\n"), place)).text).toBe(text);
  });

  it("names the primary key when a sub-key signed", async () => {
    const owner = await makeKey({ subkey: true });
    const message = await owner.sign(text);
    const issuer = (await readCleartextMessage({ cleartextMessage: message })).getSigningKeyIDs()[0];
    expect(issuer?.toHex().toUpperCase()).not.toBe(owner.fingerprint.slice(-16));
    expect((await trusting(owner).verify(message, place)).signedBy).toBe(owner.fingerprint);
  });

  it("refuses a key that is not configured, naming it", async () => {
    await expect(trusting(stranger).verify(signed, place)).rejects.toMatchObject({
      code: "KEY_UNKNOWN",
      message: expect.stringContaining(key.fingerprint.slice(-16)),
      hint: expect.stringContaining("--trust"),
    });
    await expect(trusting().verify(signed, place)).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
  });

  it("refuses changed text, wherever the change is", async () => {
    const trusted = trusting(key);
    const start = signed.indexOf("{");
    const end = signed.indexOf("\n-----BEGIN PGP SIGNATURE");
    for (let at = start; at < end; at++) {
      const other = signed[at] === "x" ? "y" : signed[at] === "\n" ? "" : "x";
      const changed = signed.slice(0, at) + other + signed.slice(at + 1);
      await expect(trusted.verify(changed, place), `byte ${at}`).rejects.toMatchObject({
        code: "SIGNATURE_INVALID",
      });
    }
  });

  it("refuses a damaged signature", async () => {
    const at = signed.indexOf("\n\n", signed.indexOf("BEGIN PGP SIGNATURE")) + 30;
    const changed = signed.slice(0, at) + (signed[at] === "A" ? "B" : "A") + signed.slice(at + 1);
    await expect(trusting(key).verify(changed, place)).rejects.toMatchObject({
      code: expect.stringMatching(/^(SIGNATURE_INVALID|KEY_UNKNOWN)$/),
    });
  });

  it("refuses the signature of another text put under this one", async () => {
    const other = await key.sign("another text");
    const cut = (message: string) => message.indexOf("-----BEGIN PGP SIGNATURE");
    const mixed = signed.slice(0, cut(signed)) + other.slice(cut(other));
    await expect(trusting(key).verify(mixed, place)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it("refuses a signature that does not cover the text at all", async () => {
    const bytes = await underStandaloneSignature(text, key.privateKey);
    await expect(trusting(key).verify(bytes, place)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it.each(["sha1", "md5"] as const)("refuses %s", async (hash) => {
    const message = await createCleartextMessage({ text });
    const weak = await sign({
      message,
      signingKeys: key.privateKey,
      config: { ...config, preferredHashAlgorithm: enums.hash[hash] },
    }).catch(() => undefined);
    if (weak?.includes(`Hash: ${hash.toUpperCase()}`)) {
      await expect(trusting(key).verify(weak, place)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
      return;
    }
    // The library will not even make one; a header that claims it must not help either.
    const claimed = signed.replace(/Hash: .*/, `Hash: ${hash.toUpperCase()}`);
    await expect(trusting(key).verify(claimed, place)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  it("refuses a key that has expired, also for signatures from before", async () => {
    const date = new Date(Date.now() - 7200_000);
    const old = await makeKey({ date, lifetimeSeconds: 3600 });
    const message = await old.sign(text, new Date(date.getTime() + 60_000));
    await expect(trusting(old).verify(message, place)).rejects.toMatchObject({ code: "KEY_INVALID" });
    // The owner extends it: the same signature counts again.
    const extended = await reformatKey({
      privateKey: old.privateKey,
      userIDs: [{ name: "test" }],
      keyExpirationTime: 100 * 3600,
      date: new Date(date.getTime() + 1000),
      format: "object",
    });
    const renewed = trusting({ armored: extended.publicKey.armor() });
    expect((await renewed.verify(message, place)).signedBy).toBe(old.fingerprint);
  });

  it("refuses a revoked key", async () => {
    const bad = await makeKey();
    const message = await bad.sign(text);
    const { publicKey } = await revokeKey({ key: bad.privateKey, format: "object" });
    await expect(trusting({ armored: publicKey.armor() }).verify(message, place)).rejects.toMatchObject({
      code: "KEY_INVALID",
      message: expect.stringContaining("revoked"),
    });
  });

  it("refuses a signature from the future and accepts a small difference of clocks", async () => {
    const future = await key.sign(text, new Date(Date.now() + 3600_000));
    await expect(trusting(key).verify(future, place)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    const soon = await key.sign(text, new Date(Date.now() + 60_000));
    expect((await trusting(key).verify(soon, place)).text).toBe(text);
  });

  it("says which configured key is unreadable, and refuses a private one", async () => {
    const broken = openTrustedKeys([{ name: "keys/bad.pub", armored: "not a key" }]);
    await expect(broken.verify(signed, place)).rejects.toMatchObject({
      code: "KEY_INVALID",
      place: { file: "keys/bad.pub" },
    });
    const secret = openTrustedKeys([{ name: "keys/secret", armored: key.privateKey.armor() }]);
    await expect(secret.verify(signed, place)).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  it("identifies the set of keys, not their order", () => {
    expect(trusting(key, stranger).id).toBe(trusting(stranger, key).id);
    expect(trusting(key).id).not.toBe(trusting(stranger).id);
    expect(trusting(key).id).toBe(
      createHash("sha256")
        .update(JSON.stringify([key.armored.trim()]))
        .digest("hex")
        .slice(0, 16),
    );
  });
});
