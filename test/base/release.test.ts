import { beforeAll, describe, expect, test } from "vitest";
import { parseRelease, verifyRelease } from "../../src/base/debian/release.ts";
import type { KeyFile } from "../../src/openpgp/keyFile.ts";
import { openTrustedKeys, type TrustedKeys } from "../../src/openpgp/trustedKeys.ts";
import { keyFile, makeKey, revocationOf, revoked } from "../support/signingKey.ts";
import { underStandaloneSignature } from "../support/standaloneSignature.ts";
import { makeSigningKey, type ReleaseFields, releaseText, type SigningKey, sign } from "./makeArchive.ts";

let key: SigningKey;
let other: SigningKey;
let keys: TrustedKeys;
beforeAll(async () => {
  key = await makeSigningKey();
  other = await makeSigningKey("Other");
  keys = openTrustedKeys([keyFile(key.publicKey)]);
});

const files = new Map([["main/binary-amd64/Packages.xz", Buffer.from("x")]]);
const where = { url: "http://example.org/InRelease" };

function text(fields: ReleaseFields["fields"] = {}): string {
  return releaseText({ suite: "bookworm", fields, files });
}

function verify(signed: string, options: Partial<Parameters<typeof verifyRelease>[1]> = {}) {
  return verifyRelease(signed, { keys, suite: "bookworm", where, checkValidUntil: true, ...options });
}

describe("verifyRelease", () => {
  test("takes a good one", async () => {
    const release = await verify(await sign(text({ Components: "updates/main contrib" }), key));
    expect(release).toMatchObject({ codename: "bookworm", byHash: true, separateAll: false });
    expect(release.components).toEqual(["main", "contrib"]);
    expect(release.files.get("main/binary-amd64/Packages.xz")?.size).toBe(1);
  });

  test("one known key of several is enough", async () => {
    const { createCleartextMessage, sign: signAll } = await import("openpgp");
    const message = await createCleartextMessage({ text: text() });
    const both = await signAll({ message, signingKeys: [other.privateKey, key.privateKey] });
    await expect(verify(both)).resolves.toBeDefined();
  });

  test("refuses an unknown key, a changed text, a missing signature", async () => {
    await expect(verify(await sign(text(), other))).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
    const signed = await sign(text(), key);
    await expect(verify(signed.replace("Origin: Debian", "Origin: Debiam"))).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
    });
    await expect(verify(text())).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
    await expect(verify(signed.slice(0, -200))).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  test("refuses anything around what is signed", async () => {
    const signed = await sign(text(), key);
    const fake = text({ Suite: "evil" });
    await expect(verify(`${fake}\n${signed}`)).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
    for (const mixed of [
      `${signed}\n${fake}`,
      `${signed}\n${signed}`,
      signed.replace("Hash:", "Comment: x\nHash:"),
      signed.replace("-----BEGIN PGP SIGNATURE", `${fake}\n-----BEGIN PGP SIGNATURE`),
    ])
      await expect(verify(mixed)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  test("refuses a signature that does not cover the text at all", async () => {
    const signed = await underStandaloneSignature(text(), key.privateKey);
    await expect(verify(signed)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  test("refuses another suite, in the guise of code names too", async () => {
    const signed = await sign(text({ Suite: "oldstable", Codename: "bookworm" }), key);
    await expect(verify(signed)).resolves.toBeDefined();
    await expect(verify(signed, { suite: "oldstable" })).resolves.toBeDefined();
    await expect(verify(signed, { suite: "trixie" })).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
    const updates = await sign(text({ Suite: "noble-updates", Codename: "noble" }), key);
    await expect(verify(updates, { suite: "noble-updates" })).resolves.toBeDefined();
    await expect(verify(updates, { suite: "noble" })).rejects.toMatchObject({ code: "IDENTITY_MISMATCH" });
  });

  test("refuses an expired one unless told otherwise", async () => {
    const signed = await sign(
      text({ "Valid-Until": "Sat, 18 Jul 2020 10:16:37 UTC" }),
      key,
      new Date("2020-07-11"),
    );
    await expect(verify(signed)).rejects.toMatchObject({ code: "INDEX_EXPIRED" });
    await expect(verify(signed, { clock: () => Date.parse("2020-07-15") })).resolves.toBeDefined();
    await expect(verify(signed, { checkValidUntil: false })).resolves.toBeDefined();
  });

  test("refuses the signature of a key that has expired since, as apt does", async () => {
    const start = Date.parse("2024-01-01");
    const day = 86_400_000;
    const short = await makeKey({ date: new Date(start), lifetimeSeconds: 30 * 86_400 });
    const signed = await short.sign(text(), new Date(start + day));
    const at = (time: number, ...files: KeyFile[]) =>
      verify(signed, { keys: openTrustedKeys(files, { clock: () => time }), clock: () => time });
    expect(await at(start + 2 * day, short.file)).toMatchObject({ signedUntil: start + 30 * day });
    const expired = { code: "KEY_INVALID", message: expect.stringContaining("expired") };
    for (const days of [30, 31, 400])
      await expect(at(start + days * day, short.file)).rejects.toMatchObject(expired);
    // An archive signs with its next key as well, long before.
    const { createCleartextMessage, sign: signAll } = await import("openpgp");
    const message = await createCleartextMessage({ text: text() });
    const both = await signAll({
      message,
      signingKeys: [short.privateKey, key.privateKey],
      date: new Date(start + day),
    });
    const later = { clock: () => start + 60 * day };
    const known = openTrustedKeys([short.file, keyFile(key.publicKey)], later);
    expect(await verify(both, { keys: known, ...later })).toMatchObject({ signedUntil: undefined });
  });

  test("refuses the signature of a key that was revoked since, in whatever file it says so", async () => {
    const bad = await makeKey();
    const signed = await bad.sign(text());
    const copies = [bad.file, keyFile(await revoked(bad)), keyFile(await revocationOf(bad))];
    await expect(verify(signed, { keys: openTrustedKeys([bad.file]) })).resolves.toBeDefined();
    for (const files of [copies.slice(0, 2), copies.slice(0, 2).reverse(), [bad.file, copies[2] ?? bad.file]])
      await expect(verify(signed, { keys: openTrustedKeys(files) })).rejects.toMatchObject({
        code: "KEY_INVALID",
        message: expect.stringContaining("revoked"),
      });
  });

  test("a signature from the future points at the clock", async () => {
    const signed = await sign(text(), key, new Date(Date.now() + 5 * 86_400_000));
    await expect(verify(signed)).rejects.toMatchObject({ code: "SIGNATURE_INVALID", hint: /clock/ });
  });
});

describe("parseRelease", () => {
  test.each([
    ["no date", text({ Date: "yesterday" })],
    ["a bad validity", text({ "Valid-Until": "soon" })],
    ["no checksums", text().replace(/SHA256:[\s\S]*/, "")],
    ["nothing", ""],
  ])("refuses %s", (_, content) => {
    expect(() => parseRelease(content, where)).toThrow(/archive's index/);
  });

  test("drops checksums that are none", () => {
    const release = parseRelease(`${text()} zz 5 a\n ${"a".repeat(64)} -1 b\n ${"a".repeat(64)} 7\n`, where);
    expect([...release.files.keys()]).toEqual(["main/binary-amd64/Packages.xz"]);
  });
});
