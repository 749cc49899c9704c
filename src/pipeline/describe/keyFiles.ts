/** Keys for signing and verifying images, from where the command line says: files, or variables of the environment. */
import { constants } from "node:fs";
import { open, rm } from "node:fs/promises";
import { resolve } from "node:path";
import {
  generateSigningKey,
  largestKeyFile,
  readSigningKey,
  readVerificationKey,
  readVerificationKeys,
  type SigningKey,
  type VerificationKey,
} from "../../supply/signingKey.ts";
import { asSpacktainersError, SpacktainersError } from "../../util/errors.ts";
import { readBounded } from "../../util/readBounded.ts";
import { hostEnvironment } from "../../util/surroundings.ts";

/** The variable with the password of an encrypted key; cosign's own. Empty is a password, too. */
export const passwordVariable = "COSIGN_PASSWORD";

/**
 * The text of a key: of a file, or with `env://NAME` of a variable, as cosign has it.
 *
 * @throws {SpacktainersError} `KEY_INVALID`
 */
async function keyText(where: string, directory: string, env: NodeJS.ProcessEnv): Promise<string> {
  const variable = /^env:\/\/([A-Za-z_][A-Za-z0-9_]*)$/.exec(where)?.[1];
  if (variable !== undefined) {
    const text = env[variable];
    if (text === undefined || text === "")
      throw new SpacktainersError("KEY_INVALID", `the variable ${variable} has no key`);
    return text;
  }
  const file = resolve(directory, where);
  const bytes = await readBounded(file, largestKeyFile).catch((error: unknown) => {
    throw new SpacktainersError("KEY_INVALID", "the key file cannot be read", {
      place: { file },
      cause: asSpacktainersError(error),
    });
  });
  if (bytes === undefined)
    throw new SpacktainersError("KEY_INVALID", "the file is too large to be a key", { place: { file } });
  return bytes.toString("utf8");
}

/** The private key to sign with. Throws `KEY_INVALID`, `NOT_SUPPORTED`. */
export async function loadSigningKey(
  where: string,
  directory: string,
  env: NodeJS.ProcessEnv = hostEnvironment(),
): Promise<SigningKey> {
  return readSigningKey(await keyText(where, directory, env), () => env[passwordVariable], { file: where });
}

/** The public keys to verify with: all that are in the files. Throws `KEY_INVALID`, `NOT_SUPPORTED`. */
export async function loadVerificationKeys(
  where: readonly string[],
  directory: string,
  env: NodeJS.ProcessEnv = hostEnvironment(),
): Promise<readonly VerificationKey[]> {
  const read = async (one: string): Promise<readonly VerificationKey[]> =>
    readVerificationKeys(await keyText(one, directory, env), { file: one });
  return (await Promise.all(where.map(read))).flat();
}

/** A key pair that was made. */
export interface KeyPairFiles {
  readonly privateKey: string;
  readonly publicKey: string;
  /** Of the public key (SHA-256, hexadecimal). */
  readonly fingerprint: string;
}

/**
 * Makes a key pair: `PREFIX.key`, which only its owner can read, encrypted with the password in `COSIGN_PASSWORD`, and
 * `PREFIX.pub`. Never overwrites anything.
 *
 * @throws {SpacktainersError} `OUTPUT_EXISTS`; `USAGE` without a password
 */
export async function makeKeyPair(
  prefix: string,
  directory: string,
  env: NodeJS.ProcessEnv = hostEnvironment(),
): Promise<KeyPairFiles> {
  const password = env[passwordVariable];
  if (password === undefined)
    throw new SpacktainersError("USAGE", "there is no password to encrypt the key with", {
      hint: `set the variable ${passwordVariable}; an empty one means no protection`,
    });
  const pair = await generateSigningKey(password);
  const privateKey = resolve(directory, `${prefix}.key`);
  const publicKey = resolve(directory, `${prefix}.pub`);
  await writeNew(privateKey, pair.privateKey, 0o600);
  try {
    await writeNew(publicKey, pair.publicKey, 0o644);
  } catch (error) {
    await rm(privateKey, { force: true });
    throw error;
  }
  const { fingerprint } = readVerificationKey(pair.publicKey, { file: publicKey });
  return { privateKey, publicKey, fingerprint };
}

/** Writes a file that must not be there. */
async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST")
      throw new SpacktainersError("OUTPUT_EXISTS", "the file exists already", {
        place: { file: path },
        hint: "a key that is lost cannot be made again: choose another name",
      });
    throw asSpacktainersError(error, { file: path });
  }
}
