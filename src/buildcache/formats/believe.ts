/** Whose word counts for a cache. */
import { looksClearSigned, parseCleartext } from "../../openpgp/cleartext.ts";
import type { TrustedKeys } from "../../openpgp/trustedKeys.ts";
import { type Place, SpacktainersError } from "../../util/errors.ts";

/** What is asked of signatures. */
export interface Trust {
  readonly keys: TrustedKeys;
  /** The configuration says that the cache has no signatures. */
  readonly unsigned: boolean;
}

/** A text that may be believed, and on whose word: undefined for a cache that needs no signatures. */
export interface BelievedText {
  readonly text: string;
  readonly signedBy: string | undefined;
  /** When the key or the signature ends, in milliseconds since 1970; undefined when neither does. */
  readonly validUntil: number | undefined;
}

/**
 * The part of a metadata file that may be believed: the verified text, or the whole where the configuration asks for no
 * signature. A signature that is there and wrong is refused in any case.
 *
 * @throws SIGNATURE_MISSING, SIGNATURE_INVALID, KEY_UNKNOWN, KEY_INVALID
 */
export async function believe(source: string, trust: Trust, place: Place): Promise<BelievedText> {
  if (looksClearSigned(source)) {
    if (trust.keys.count > 0 || !trust.unsigned) {
      try {
        return await trust.keys.verifyText(source, place);
      } catch (thrown) {
        const stranger = thrown instanceof SpacktainersError && thrown.code === "KEY_UNKNOWN";
        if (!stranger || !trust.unsigned) throw thrown;
      }
    }
    return { text: parseCleartext(source, place).text, signedBy: undefined, validUntil: undefined };
  }
  if (trust.unsigned) return { text: source, signedBy: undefined, validUntil: undefined };
  throw new SpacktainersError("SIGNATURE_MISSING", "the package is not signed", {
    place,
    hint: "if this cache should have no signatures, set `unsigned: true` for it in spacktainers.yaml",
  });
}
