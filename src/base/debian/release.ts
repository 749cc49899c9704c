/** `InRelease`: the signed list of an archive's indexes. https://wiki.debian.org/DebianRepository/Format */
import type { TrustedKeys, TrustOptions } from "../../openpgp/trustedKeys.ts";
import { type Clock, systemClock } from "../../util/clock.ts";
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

/** A release, and how long its signature holds. */
export interface VerifiedRelease extends Release {
  /** First end of a key or signature, in milliseconds since 1970; undefined when nothing ends. */
  readonly signedUntil: number | undefined;
}

/** What an `InRelease` is held against. */
export interface VerifyOptions {
  readonly keys: TrustedKeys;
  /** The suite asked for: a mirror must not answer with another one. */
  readonly suite: string;
  readonly where: Place;
  /** Tells the moment to check validity at; default {@link systemClock}. */
  readonly clock?: Clock;
  readonly checkValidUntil: boolean;
}

/** What to do about signatures that are refused. */
export const signatureHints: TrustOptions = {
  unknownHint: "name the archive's key file as the base's `keyring`",
  invalidHint: "the file was changed in transit",
};

/**
 * Verifies and parses an `InRelease` file. Only the signed text is read; one good signature by a trusted key is
 * enough, since archives sign with the keys of several releases. As with apt, a key that has expired or was revoked is no
 * longer good for anything, and a false signature spoils the good ones beside it.
 *
 * @throws SpacktainersError SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID, IDENTITY_MISMATCH (another
 *   suite), INDEX_EXPIRED, ARCHIVE_INVALID (malformed)
 */
export async function verifyRelease(text: string, options: VerifyOptions): Promise<VerifiedRelease> {
  const { suite, where, keys, clock = systemClock } = options;
  if (!text.startsWith("-----BEGIN PGP SIGNED MESSAGE-----")) throw notSigned(where);
  const verified = await keys.verifyText(text, where);
  const release = parseRelease(verified.text, where);
  const nameMatches =
    release.suite === suite ||
    // The suites of Ubuntu's updates have the code name of the release itself.
    (release.codename === suite && !release.suite.startsWith(`${suite}-`));
  if (!nameMatches) {
    throw new SpacktainersError(
      "IDENTITY_MISMATCH",
      `the mirror has ${JSON.stringify(release.codename || release.suite)}, but ${suite} was asked for`,
      { place: where, hint: "the mirror is misconfigured, or someone tampers with it" },
    );
  }
  if (options.checkValidUntil && release.validUntil !== undefined && release.validUntil.getTime() < clock()) {
    throw new SpacktainersError(
      "INDEX_EXPIRED",
      `the index of ${suite} was good only until ${release.validUntil.toISOString()}`,
      {
        place: where,
        hint: "the mirror is out of date: use another one (or is this machine's clock wrong?)",
      },
    );
  }
  return { ...release, signedUntil: verified.validUntil };
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

function notSigned(place: Place): SpacktainersError {
  return new SpacktainersError("SIGNATURE_MISSING", "the archive's index is not signed", {
    place,
    hint: "this is not the archive of a distribution, or another server answers in its place; name another mirror",
  });
}
