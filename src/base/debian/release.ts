/** `InRelease`: the signed list of an archive's indexes. https://wiki.debian.org/DebianRepository/Format */
import { parseCleartext } from "../../util/cleartext.ts";
import { type Digest, parseDigest } from "../../util/digest.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";
import { parseControl } from "./control.ts";

/** What a verified `InRelease` says. */
export interface Release {
  readonly suite: string;
  readonly codename: string;
  readonly date: Date;
  readonly validUntil: Date | undefined;
  readonly architectures: readonly string[];
  readonly components: readonly string[];
  /** Indexes can be had by their digest: no race with an archive that is being updated. */
  readonly byHash: boolean;
  /** Packages of architecture `all` are only in an index of their own. */
  readonly separateAll: boolean;
  /** Indexes by path below the suite's folder. */
  readonly files: ReadonlyMap<string, { readonly digest: Digest; readonly size: number }>;
}

/** Public keys, as `openpgp` reads them. */
export type TrustedKeys = readonly import("openpgp").PublicKey[];

/**
 * Reads keys.
 * @param keyrings armoured text or binary key rings; `where` names each in errors
 * @throws SpacktainersError KEY_INVALID
 */
export async function readKeys(
  keyrings: readonly { readonly where: string; readonly content: string | Uint8Array }[],
): Promise<TrustedKeys> {
  const openpgp = await import("openpgp");
  const keys = [];
  for (const { where, content } of keyrings) {
    try {
      const armoured = typeof content === "string" ? content : latin1(content).startsWith("-----BEGIN");
      keys.push(
        ...(armoured === false
          ? await openpgp.readKeys({ binaryKeys: content as Uint8Array })
          : await openpgp.readKeys({
              armoredKeys: typeof content === "string" ? content : latin1(content),
            })),
      );
    } catch (error) {
      throw new SpacktainersError("KEY_INVALID", "the file does not have OpenPGP keys in it", {
        place: { file: where },
        cause: error,
      });
    }
  }
  return keys;
}

/** What an `InRelease` is held against. */
export interface VerifyOptions {
  readonly keys: TrustedKeys;
  /** The suite asked for: a mirror must not answer with another one. */
  readonly suite: string;
  readonly where: Place;
  /** The moment to check signatures and validity at; default now. */
  readonly now?: Date;
  readonly checkValidUntil: boolean;
}

/**
 * Verifies and parses an `InRelease` file. Only the signed text is looked at; one good signature by a trusted key is
 * enough, since archives sign with the keys of several releases.
 *
 * @throws SpacktainersError SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, IDENTITY_MISMATCH (another suite),
 *   INDEX_EXPIRED, ARCHIVE_INVALID (malformed)
 */
export async function verifyRelease(text: string, options: VerifyOptions): Promise<Release> {
  const now = options.now ?? new Date();
  const signed = await verifiedText(text, options, now);
  const release = parseRelease(signed, options.where);
  const { suite, where } = options;
  const nameMatches =
    release.suite === suite ||
    // The suites of Ubuntu's updates have the code name of the release itself.
    (release.codename === suite && !release.suite.startsWith(`${suite}-`));
  if (!nameMatches) {
    throw new SpacktainersError(
      "IDENTITY_MISMATCH",
      `the mirror gives ${JSON.stringify(release.codename || release.suite)} where ${suite} was asked for`,
      { place: where, hint: "the mirror is wrongly set up, or somebody tampers with it" },
    );
  }
  if (options.checkValidUntil && release.validUntil !== undefined && release.validUntil < now) {
    throw new SpacktainersError(
      "INDEX_EXPIRED",
      `the index of ${suite} was good until ${release.validUntil.toISOString()} only`,
      {
        place: where,
        hint: "the mirror is out of date: use another one (or is this machine's clock wrong?)",
      },
    );
  }
  return release;
}

async function verifiedText(text: string, options: VerifyOptions, now: Date): Promise<string> {
  const place = options.where;
  if (!text.startsWith("-----BEGIN PGP SIGNED MESSAGE-----")) {
    throw notSigned(place);
  }
  const frame = parseCleartext(text, place);
  const openpgp = await import("openpgp");
  const failures: string[] = [];
  try {
    const message = await openpgp.readCleartextMessage({ cleartextMessage: frame.message });
    // Two parsers must see the same text; otherwise what was verified is not what we read.
    if (message.getText() !== frame.text) throw new Error("the text can be read in more than one way");
    const result = await openpgp.verify({
      message,
      verificationKeys: [...options.keys],
      date: now,
    });
    for (const { signature, verified } of result.signatures) {
      try {
        await verified;
        // Other types of signature do not cover the text at all.
        const [packet] = (await signature).packets;
        if (packet?.signatureType === openpgp.enums.signature.text) return frame.text;
        failures.push("it is not a signature over a text");
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error));
      }
    }
  } catch (error) {
    throw new SpacktainersError("SIGNATURE_INVALID", "the signature of the archive's index is malformed", {
      place,
      cause: error,
    });
  }
  if (failures.length === 0) throw notSigned(place);
  if (failures.every((message) => message.startsWith("Could not find signing key"))) {
    throw new SpacktainersError(
      "KEY_UNKNOWN",
      "the archive's index is signed with a key that is not trusted",
      {
        place,
        hint: "name the archive's key file as the base's `keyring`",
      },
    );
  }
  throw new SpacktainersError("SIGNATURE_INVALID", "the signature of the archive's index is not good", {
    place,
    hint: failures.some((message) => /future/.test(message))
      ? "it is from the future: is this machine's clock wrong?"
      : "the file was changed on its way",
    cause: new Error(failures.join("; ")),
  });
}

/**
 * Parses the text of a `Release` file.
 * @throws SpacktainersError ARCHIVE_INVALID when it lacks what is needed
 */
export function parseRelease(text: string, where: Place): Release {
  const fields = parseControl(text)[0] ?? new Map<string, string>();
  const words = (field: string): string[] =>
    (fields.get(field) ?? "").split(/\s+/).filter((word) => word !== "");
  const date = new Date(fields.get("date") ?? "");
  const until = fields.get("valid-until");
  const validUntil = until === undefined ? undefined : new Date(until);
  if (Number.isNaN(date.getTime()) || (validUntil !== undefined && Number.isNaN(validUntil.getTime())))
    throw new SpacktainersError("ARCHIVE_INVALID", "the archive's index has no proper date", {
      place: where,
    });
  const files = new Map<string, { digest: Digest; size: number }>();
  for (const line of (fields.get("sha256") ?? "").split("\n")) {
    const [hex = "", size = "", path = ""] = line.trim().split(/\s+/);
    const digest = parseDigest(`sha256:${hex}`);
    if (digest !== undefined && /^\d{1,12}$/.test(size) && path !== "")
      files.set(path, { digest, size: Number(size) });
  }
  if (files.size === 0)
    throw new SpacktainersError("ARCHIVE_INVALID", "the archive's index has no SHA-256 checksums", {
      place: where,
    });
  const architectures = words("architectures");
  return {
    suite: fields.get("suite") ?? "",
    codename: fields.get("codename") ?? "",
    date,
    validUntil,
    architectures,
    // Debian's security archive puts its name before them.
    components: words("components").map((component) => component.slice(component.lastIndexOf("/") + 1)),
    byHash: fields.get("acquire-by-hash")?.toLowerCase() === "yes",
    separateAll:
      architectures.includes("all") && !words("no-support-for-architecture-all").includes("Packages"),
    files,
  };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function notSigned(place: Place): SpacktainersError {
  return new SpacktainersError("SIGNATURE_MISSING", "the archive's index is not signed", {
    place,
    hint: "this is no archive of a distribution, or something else answers in its place; name another mirror",
  });
}
