import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encryptKey } from "openpgp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSigningKey, passphraseVariable } from "../../src/openpgp/signingKey.ts";
import { openTrustedKeys } from "../../src/openpgp/trustedKeys.ts";
import { hasGnuPg, openGnuPg } from "../support/gnupg.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";

const folder = mkdtempSync(join(tmpdir(), "spacktainers-signing-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let key: TestKey;
beforeAll(async () => {
  key = await makeKey();
});
const time = (): number => Math.floor(Date.now() / 1000);
const text = '{\n"version":3,\n"data":[]\n}';

describe("openSigningKey", () => {
  it("signs with a key in a file, or in a variable however its lines are kept", async () => {
    const path = join(folder, "key.asc");
    writeFileSync(path, key.privateKey.armor());
    const armored = key.privateKey.armor();
    for (const [where, value] of [
      [path, ""],
      ["env://KEY", armored],
      ["env://KEY", armored.trim().replaceAll("\n", "\\n")],
      ["env://KEY", Buffer.from(key.privateKey.write()).toString("base64")],
    ] as const) {
      const signer = await openSigningKey(where, { env: { KEY: value } });
      expect(signer.fingerprint).toBe(key.fingerprint);
      const signed = await signer.signText(text, time());
      const trusted = openTrustedKeys([{ name: "key", content: Buffer.from(await signer.publicKey()) }]);
      expect(await trusted.verifyText(signed, {})).toMatchObject({ text, signedBy: key.fingerprint });
    }
  });

  it("takes the passphrase from its variable, and tells no secret to anybody", async () => {
    const passphrase = "canary passphrase";
    const locked = (await encryptKey({ privateKey: key.privateKey, passphrase })).armor();
    const env = { KEY: locked, [passphraseVariable]: passphrase };
    expect((await openSigningKey("env://KEY", { env })).fingerprint).toBe(key.fingerprint);
    for (const wrong of [
      { KEY: locked },
      { KEY: locked, [passphraseVariable]: "canary guess" },
      { KEY: "canary key" },
      { KEY: "" },
      {},
    ]) {
      const failure: unknown = await openSigningKey("env://KEY", { env: wrong }).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ code: "KEY_INVALID" });
      expect(JSON.stringify(failure) + String((failure as Error).stack)).not.toContain("canary");
    }
    await expect(openSigningKey("env://1X", { env })).rejects.toMatchObject({ code: "KEY_INVALID" });
    await expect(openSigningKey("gpg://ABC", { env })).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  it.skipIf(!hasGnuPg())(
    "signs with a key that GnuPG has, also one that is locked (skipped without GnuPG)",
    async () => {
      const gnupg = openGnuPg();
      try {
        gnupg.run(["--quick-generate-key", "test <test@example.org>", "rsa2048", "sign", "never"]);
        const listed = gnupg.run(["--with-colons", "--list-secret-keys"]).toString();
        const fingerprint = /^fpr:::::::::([0-9A-F]{40}):/m.exec(listed)?.[1] ?? "";
        const env = { PATH: process.env.PATH, GNUPGHOME: gnupg.home };
        const signer = await openSigningKey(`gpg://${fingerprint.toLowerCase()}`, { env });
        expect(signer.fingerprint).toBe(fingerprint);
        const signed = await signer.signText(text, 0);
        const publicKey = await signer.publicKey();
        const trusted = openTrustedKeys([{ name: "key", content: Buffer.from(publicKey) }]);
        expect(await trusted.verifyText(signed, {})).toMatchObject({ text, signedBy: fingerprint });
        const detached = await signer.signDetached(Buffer.from(text), 0);
        expect(await trusted.verifyDetached(Buffer.from(text), detached, {})).toMatchObject({
          signedBy: fingerprint,
        });
        // And GnuPG accepts what we sign.
        const own = await openSigningKey("env://KEY", { env: { KEY: key.privateKey.armor() } });
        const ring = Buffer.from(key.privateKey.toPublic().write());
        expect(gnupg.verdicts(ring, await own.signText(text, time()))).toEqual(["GOODSIG"]);
        await expect(openSigningKey(`gpg://${key.fingerprint}`, { env })).rejects.toMatchObject({
          code: "KEY_INVALID",
        });
      } finally {
        gnupg.close();
      }
    },
  );
});
