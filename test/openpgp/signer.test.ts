import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { armor, encryptKey, enums } from "openpgp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSigner } from "../../src/openpgp/signer.ts";
import { openTrustedKeys } from "../../src/openpgp/trustedKeys.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-signer-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let key: TestKey;
let stranger: TestKey;
beforeAll(async () => {
  key = await makeKey({ date: new Date("2024-01-01") });
  stranger = await makeKey({ date: new Date("2024-01-01") });
});

describe("openSigner", () => {
  it("opens a locked key with its passphrase only, which no error names", async () => {
    const locked = await encryptKey({ privateKey: key.privateKey, passphrase: "open sesame" });
    const path = join(folder, "locked.asc");
    writeFileSync(path, locked.armor());
    const signer = await openSigner(path, async () => "open sesame");
    expect(signer.fingerprint).toBe(key.fingerprint);
    const time = Math.floor(Date.parse("2024-06-01") / 1000);
    expect(await signer.signText("text", time)).toBe(await signer.signText("text", time));
    for (const wrong of ["secret-guess", undefined]) {
      const failure = await openSigner(path, async () => wrong).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "KEY_INVALID" });
      expect(JSON.stringify(failure) + String((failure as Error).stack)).not.toContain("secret-guess");
    }
  });

  it("signs texts and files so that the public key verifies them", async () => {
    const path = join(folder, "key.gpg");
    const time = Math.floor(Date.now() / 1000);
    const place = { file: "file" };
    for (const form of [
      key.privateKey.write(),
      key.privateKey.armor(),
      key.armored + key.privateKey.armor(),
    ]) {
      writeFileSync(path, form);
      const signer = await openSigner(path, async () => undefined);
      const keys = openTrustedKeys([key.file]);
      const message = await signer.signText("text\n- dashes", time);
      expect(await keys.verifyText(message, place)).toMatchObject({
        text: "text\n- dashes",
        signedBy: signer.fingerprint,
      });
      const content = Buffer.from([0, 1, 10, 13, 255]);
      const signature = await signer.signDetached(content, time);
      expect(await keys.verifyDetached(content, signature, place)).toMatchObject({
        signedBy: key.fingerprint,
      });
      await expect(keys.verifyDetached(content.subarray(1), signature, place)).rejects.toMatchObject({
        code: "SIGNATURE_INVALID",
      });
    }
  });

  it("does not sign at a time when the key is not valid", async () => {
    const path = join(folder, "key.asc");
    writeFileSync(path, key.privateKey.armor());
    const signer = await openSigner(path, async () => undefined);
    for (const sign of [() => signer.signText("text", 1), () => signer.signDetached(Buffer.from("text"), 1)])
      await expect(sign()).rejects.toMatchObject({ code: "KEY_INVALID", place: { file: path } });
  });

  it("refuses public keys, several keys, and text", async () => {
    const path = join(folder, "other.asc");
    const both = Buffer.concat([key.privateKey.write(), stranger.privateKey.write()]);
    const apart = key.privateKey.armor() + stranger.privateKey.armor();
    for (const text of [key.armored, "nonsense", armor(enums.armor.privateKey, both), apart]) {
      writeFileSync(path, text);
      await expect(openSigner(path, async () => undefined)).rejects.toMatchObject({ code: "KEY_INVALID" });
    }
    await expect(openSigner(join(folder, "no"), async () => undefined)).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
  });
});
