/** Where a key is that signs packages: a file, a variable of the environment, GnuPG's agent. The key itself is never in a text that spacktainers writes. */
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { openGpgSigner } from "./gpgSigner.ts";
import { openSigner, type Signer, signerFrom } from "./signer.ts";

/** Variable with the passphrase of keys in files and variables. */
export const passphraseVariable = "SPACKTAINERS_SIGNING_PASSPHRASE";

/** How a key in a variable, and one that GnuPG has, are written. */
const inVariable = /^env:\/\/([A-Za-z_][A-Za-z0-9_]*)$/;
const inGnuPg = /^gpg:\/\/(.*)$/;

/** Whether a text names a key in a file, and not otherwise. */
export function isSigningKeyFile(where: string): boolean {
  return !/^(env|gpg):\/\//.test(where);
}

/** The variable that has the key; undefined when it is elsewhere. */
export function signingKeyVariable(where: string): string | undefined {
  return inVariable.exec(where)?.[1];
}

/**
 * Opens a key that signs.
 *
 * @param where path of a file with the armoured or binary private key, `env://NAME` for a variable with the armoured one, or
 *   `gpg://FINGERPRINT` for one that GnuPG's agent has. The passphrase of the first two is in {@link passphraseVariable}
 * @throws SpacktainersError KEY_INVALID; NOT_FOUND, ACCESS_DENIED, IO for files; RUNTIME_MISSING without GnuPG
 */
export async function openSigningKey(
  where: string,
  {
    env = hostEnvironment(),
    signal,
  }: { readonly env?: NodeJS.ProcessEnv; readonly signal?: AbortSignal | undefined } = {},
): Promise<Signer> {
  const passphrase = async (): Promise<string | undefined> => {
    const value = env[passphraseVariable];
    return value === "" ? undefined : value;
  };
  const fingerprint = inGnuPg.exec(where)?.[1];
  if (fingerprint !== undefined) return openGpgSigner(fingerprint, withoutSecrets(env), signal);
  const variable = signingKeyVariable(where);
  if (variable === undefined && !isSigningKeyFile(where))
    throw new SpacktainersError("KEY_INVALID", "this does not name a variable", { place: { file: where } });
  if (variable === undefined) return openSigner(where, passphrase);
  const value = env[variable] ?? "";
  if (value.trim() === "")
    throw new SpacktainersError("KEY_INVALID", `the variable ${variable} is not set`, {
      place: { file: where },
      hint: "it must hold the armoured private key: gpg --armor --export-secret-keys FINGERPRINT",
    });
  // Where variables cannot have several lines, their ends are written out, or the whole is in base64.
  const text = value.includes("\n") ? value : value.replaceAll("\\n", "\n");
  const armored = text.includes("-----BEGIN");
  return signerFrom(Buffer.from(text, armored ? "utf8" : "base64"), { file: where }, passphrase);
}

/** The environment without what `gpg` needs no knowledge of. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { [passphraseVariable]: _, ...rest } = env;
  return rest;
}
