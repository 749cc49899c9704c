import { beforeAll, describe, expect, test } from "vitest";
import { debianArchiveKeys } from "../../src/base/debian/debianKeys.ts";
import { parseRelease, readKeys, type TrustedKeys, verifyRelease } from "../../src/base/debian/release.ts";
import { ubuntuArchiveKeys } from "../../src/base/debian/ubuntuKeys.ts";
import { underStandaloneSignature } from "../support/standaloneSignature.ts";
import { makeSigningKey, type ReleaseFields, releaseText, type SigningKey, sign } from "./makeArchive.ts";

let key: SigningKey;
let other: SigningKey;
let keys: TrustedKeys;
beforeAll(async () => {
  key = await makeSigningKey();
  other = await makeSigningKey("Other");
  keys = await readKeys([{ where: "test", content: key.publicKey }]);
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
    await expect(verify(signed)).rejects.toMatchObject({ code: "SIGNATURE_MISSING" });
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
    await expect(verify(signed, { now: new Date("2020-07-15") })).resolves.toBeDefined();
    await expect(verify(signed, { checkValidUntil: false })).resolves.toBeDefined();
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

describe("keys", () => {
  test("those shipped can be read", async () => {
    expect(await readKeys([{ where: "debian", content: debianArchiveKeys }])).toHaveLength(9);
    expect(await readKeys([{ where: "ubuntu", content: ubuntuArchiveKeys }])).toHaveLength(2);
  });

  test("a file without keys is an error that names it", async () => {
    for (const content of ["", "junk", Buffer.from("junk"), Buffer.alloc(0)])
      await expect(readKeys([{ where: "my.gpg", content }])).rejects.toMatchObject({
        code: "KEY_INVALID",
        place: { file: "my.gpg" },
      });
  });
});
