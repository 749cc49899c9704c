/** Whose signatures count for an archive: the keys that the base names, else the distribution's own. */
import { type KeyFile, readKeyFile } from "../../openpgp/keyFile.ts";
import { openTrustedKeys, type TrustedKeys } from "../../openpgp/trustedKeys.ts";
import type { Clock } from "../../util/clock.ts";
import { asSpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { once } from "../../util/once.ts";
import type { DebianBaseSpec, Distribution } from "../types.ts";
import type { ArchiveKeys } from "./debianArchive.ts";
import { signatureHints } from "./release.ts";

/** The key ring that the distribution's own package for it installs. */
const machineKeyring = (distribution: Distribution): string =>
  `/usr/share/keyrings/${distribution}-archive-keyring.gpg`;

/**
 * The keys of an archive. With `keyring`, those in its files alone; else those that we ship, and what the machine's own key
 * ring knows of these and of others. A key ring of the machine that cannot be read is left out with a warning.
 *
 * @param keyringOf where the machine keeps the keys of a distribution, for tests
 */
export function archiveKeys(
  spec: Pick<DebianBaseSpec, "distribution" | "keyring">,
  clock: Clock,
  emit: EmitEvent,
  keyringOf: (distribution: Distribution) => string = machineKeyring,
): ArchiveKeys {
  const options = { ...signatureHints, clock };
  const files = once(async (): Promise<readonly KeyFile[]> => {
    if (spec.keyring !== undefined) return Promise.all(spec.keyring.map((path) => readKeyFile(path)));
    const shipped = await shippedKeys(spec.distribution);
    const machine = await readKeyFile(keyringOf(spec.distribution)).catch((error: unknown) => {
      const { cause } = asSpacktainersError(error);
      if (asSpacktainersError(cause).code !== "NOT_FOUND") warn(error);
      return undefined;
    });
    return machine === undefined ? [shipped] : [shipped, machine];
  });
  const warn = (error: unknown): void => {
    const { code, message, place } = asSpacktainersError(error);
    emit({ type: "warning", code, message: `this machine's key ring is not used: ${message}`, place });
  };
  return {
    id: async () => openTrustedKeys(await files(), options).id,
    open: once(async (): Promise<TrustedKeys> => {
      const all = await files();
      const keys = openTrustedKeys(all, options);
      try {
        await keys.fingerprints();
        return keys;
      } catch (error) {
        const [shipped, machine] = all;
        if (spec.keyring !== undefined || shipped === undefined || machine === undefined) throw error;
        warn(error);
        return openTrustedKeys([shipped], options);
      }
    }),
  };
}

async function shippedKeys(distribution: Distribution): Promise<KeyFile> {
  const armored =
    distribution === "debian"
      ? (await import("./data/debianArchiveKeys.ts")).debianArchiveKeys
      : (await import("./data/ubuntuArchiveKeys.ts")).ubuntuArchiveKeys;
  return { name: `${distribution} archive keys`, content: Buffer.from(armored, "latin1") };
}
