import { createCleartextMessage, sign } from "openpgp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTrustedKeys } from "../../src/openpgp/trustedKeys.ts";
import { asSpacktainersError } from "../../src/util/errors.ts";
import { type GnuPg, hasGnuPg, openGnuPg } from "../support/gnupg.ts";
import { keyFile, makeKey, revoked, type TestKey } from "../support/signingKey.ts";

const day = 86_400_000;
const place = { file: "message.asc" };
const text = "line\n- dash  \nend";

describe.skipIf(!hasGnuPg())("beside GnuPG (skipped where it is not installed)", () => {
  let gpg: GnuPg;
  beforeAll(() => {
    gpg = openGnuPg();
  });
  afterAll(() => gpg.close());

  /** What we say of a message, in GnuPG's words. */
  async function verdict(keys: Uint8Array, message: string): Promise<string> {
    return openTrustedKeys([keyFile(keys)])
      .verifyText(message, place)
      .then(
        () => "good",
        (error) => asSpacktainersError(error).code,
      );
  }

  it("judges keys and signatures alike", async () => {
    const now = Date.now();
    const start = new Date(now - 10 * day);
    const [good, other, short] = await Promise.all([
      makeKey({ date: start }),
      makeKey({ date: start }),
      makeKey({ date: start, lifetimeSeconds: 5 * 86_400 }),
    ]);
    const subkey = await makeKey({ date: start, subkey: true });
    const signedAt = new Date(now - 8 * day);
    const bytes = ({ privateKey }: TestKey): Uint8Array => privateKey.toPublic().write();
    const message = await createCleartextMessage({ text });
    const both = await sign({ message, signingKeys: [good.privateKey, short.privateKey], date: signedAt });
    const dead = (await revoked(good, new Date(now - day))).replaceAll("\r", "");
    const deadBytes = Buffer.from(dead.slice(dead.indexOf("\n\n"), dead.lastIndexOf("\n=")), "base64");
    const cases: readonly [string, Uint8Array, string, string, string][] = [
      ["good", bytes(good), await good.sign(text, signedAt), "GOODSIG", "good"],
      ["by a sub-key", bytes(subkey), await subkey.sign(text, signedAt), "GOODSIG", "good"],
      ["by a stranger", bytes(other), await good.sign(text, signedAt), "ERRSIG", "KEY_UNKNOWN"],
      [
        "of another text",
        bytes(good),
        (await good.sign(text)).replace("line", "life"),
        "BADSIG",
        "SIGNATURE_INVALID",
      ],
      ["expired", bytes(short), await short.sign(text, signedAt), "EXPKEYSIG", "KEY_INVALID"],
      ["revoked", deadBytes, await good.sign(text, signedAt), "REVKEYSIG", "KEY_INVALID"],
      ["good and expired", Buffer.concat([bytes(good), bytes(short)]), both, "GOODSIG EXPKEYSIG", "good"],
      ["expired and unknown", bytes(short), both, "ERRSIG EXPKEYSIG", "KEY_INVALID"],
    ];
    for (const [name, keys, signed, theirs, ours] of cases) {
      expect([...gpg.verdicts(keys, signed)].sort(), name).toEqual(theirs.split(" ").sort());
      expect(await verdict(keys, signed), name).toBe(ours);
    }
  });

  it("reads what it makes: keys, extensions, revocations, signatures", async () => {
    const start = new Date(Date.now() - 100 * day);
    const user = "Test <test@example.org>";
    gpg.run(["--quick-generate-key", user, "rsa3072", "sign", "60d"], { time: start });
    const signed = gpg
      .run(["--clearsign", "--local-user", user], { time: start, input: `${text}\n` })
      .toString();
    const weak = gpg
      .run(["--digest-algo=SHA1", "--clearsign", "--local-user", user], { time: start, input: `${text}\n` })
      .toString();
    const before = gpg.run(["--export"]);
    expect(await verdict(before, signed)).toBe("KEY_INVALID");
    const [, fingerprint = ""] =
      /^fpr:+([0-9A-F]{40}):$/m.exec(gpg.run(["--with-colons", "--list-keys"]).toString()) ?? [];
    gpg.run(["--quick-set-expire", fingerprint, "1y"]);
    const extended = gpg.run(["--export-options=export-minimal", "--export"]);
    for (const keys of [extended, gpg.run(["--export"]), Buffer.concat([before, extended])]) {
      expect(gpg.verdicts(extended, signed)).toEqual(["GOODSIG"]);
      expect(await verdict(keys, signed)).toBe("good");
    }
    expect(await verdict(gpg.run(["--export", "--armor"]), signed)).toBe("good");
    // Too weak for us whatever GnuPG says.
    expect(await verdict(extended, weak)).toBe("SIGNATURE_INVALID");
    // The revocation that GnuPG keeps for every key, with its colon taken away.
    const certificate = gpg.run(["--gen-revoke", "--command-fd=0", "--no-batch", fingerprint], {
      input: "y\n0\n\ny\n",
    });
    for (const keys of [
      Buffer.concat([gpg.run(["--export", "--armor"]), certificate]),
      Buffer.concat([certificate, gpg.run(["--export", "--armor"])]),
    ])
      expect(await verdict(keys, signed)).toBe("KEY_INVALID");
    gpg.run(["--import"], { input: certificate.toString() });
    const dead = gpg.run(["--export"]);
    expect(gpg.verdicts(dead, signed)).toEqual(["REVKEYSIG"]);
    for (const keys of [dead, Buffer.concat([extended, dead]), Buffer.concat([dead, extended])])
      expect(await verdict(keys, signed)).toBe("KEY_INVALID");
  });
});
