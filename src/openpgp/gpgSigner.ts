/** Signing with a key that GnuPG's agent keeps: we ask `gpg`, and never see the key or its passphrase. */
import { SpacktainersError } from "../util/errors.ts";
import { findProgram, runTool, type ToolResult } from "../util/tool.ts";
import type { Signer } from "./signer.ts";

/** An agent that asks its owner for a passphrase may have to wait for an answer; in milliseconds. */
const patience = 300_000;

/**
 * Opens a key of the user's GnuPG (or of the one that `GNUPGHOME` names). The key may be on a card, or locked: its agent asks.
 * GnuPG signs with the time that it is.
 *
 * @param fingerprint of the key or of a sub-key that signs, 40 or 64 hexadecimal digits
 * @param env variables of the environment for `gpg`
 * @throws SpacktainersError KEY_INVALID when GnuPG has no such private key; RUNTIME_MISSING without GnuPG
 */
export async function openGpgSigner(
  fingerprint: string,
  env: NodeJS.ProcessEnv,
  signal?: AbortSignal,
): Promise<Signer> {
  const place = { file: `gpg://${fingerprint}` };
  if (!/^([0-9A-F]{40}|[0-9A-F]{64})$/i.test(fingerprint))
    throw new SpacktainersError("KEY_INVALID", "this is not the fingerprint of a key", {
      place,
      hint: "write all of its hexadecimal digits, as in: gpg --list-secret-keys --with-colons",
    });
  const program = await findProgram("gpg");
  if (program === undefined)
    throw new SpacktainersError("RUNTIME_MISSING", "gpg, which has the key, is not installed", {
      place,
      hint: "install GnuPG, or name a file with the private key",
    });
  const ask = (args: readonly string[], input?: string | Uint8Array): Promise<ToolResult> =>
    runTool([program, "--batch", "--no-tty", ...args], {
      env,
      timeout: patience,
      input: input === undefined ? undefined : once(Buffer.from(input)),
      signal,
    });
  const sign = async (args: readonly string[], input: string | Uint8Array): Promise<string> => {
    const { status, stdout, stderr } = await ask(
      [...args, "--local-user", fingerprint, "--output", "-"],
      input,
    );
    if (status === 0 && stdout !== "") return stdout;
    throw new SpacktainersError("KEY_INVALID", `gpg did not sign: ${lastLine(stderr)}`, {
      place,
      hint: "the agent may have no way to ask for the passphrase here: unlock the key first, by signing anything with it",
    });
  };
  const listed = await ask(["--with-colons", "--list-secret-keys", fingerprint]);
  // The first fingerprint behind `sec` is that of the primary key.
  const primary = /^sec:[^\n]*\n(?:[^\n]*\n)*?fpr:(?:[^:\n]*:){8}([0-9A-F]+):/m.exec(listed.stdout)?.[1];
  if (primary === undefined)
    throw new SpacktainersError("KEY_INVALID", "GnuPG has no such private key", {
      place,
      hint: "to list its keys: gpg --list-secret-keys; to use another of its folders, set GNUPGHOME",
    });
  return {
    fingerprint: primary,
    async publicKey() {
      const { status, stdout, stderr } = await ask(["--armor", "--export", primary]);
      if (status === 0 && stdout !== "") return stdout;
      throw new SpacktainersError("KEY_INVALID", `gpg did not export the public key: ${lastLine(stderr)}`, {
        place,
      });
    },
    signText: (text) => sign(["--armor", "--clearsign"], text),
    signDetached: (content) => sign(["--armor", "--detach-sign"], content),
  };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
