/** What is wrong with what the configuration names: keys, repositories. Only verbs that use it would notice. */
import { stat } from "node:fs/promises";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { readKeyFile } from "../../openpgp/keyFile.ts";
import { openTrustedKeys } from "../../openpgp/trustedKeys.ts";
import { loadVerificationKeys } from "../../pipeline/describe/keyFiles.ts";
import { publishTags, publishTarget } from "../../publish/targets.ts";
import { asSpacktainersError, type Place, SpacktainersError } from "../../util/errors.ts";

/**
 * What other verbs would refuse of the files that the configuration names: keys of caches and of package archives, public keys
 * of images. Keys in variables are left out: another machine has them. Key files of caches that are not there were found
 * when the configuration was read; what lies underneath may be made between `check` and `build`.
 *
 * @returns errors with the line of the configuration
 */
export async function checkNamedFiles(configuration: Configuration): Promise<readonly SpacktainersError[]> {
  const { base, caches, signing, placeOf } = configuration;
  const problems: SpacktainersError[] = [];
  const attempt = (place: Place, work: () => Promise<unknown>): Promise<unknown> =>
    work().catch((error: unknown) => void problems.push(placed(error, place)));
  const readable = async (path: string, place: Place): Promise<void> => {
    if (!(await isThere(path))) return;
    await openTrustedKeys([await readKeyFile(path, place)]).fingerprints();
  };
  for (const { trust } of caches)
    for (const { path, place } of trust) await attempt(place, () => readable(path, place));
  if (base.kind === "debian")
    for (const [index, path] of (base.keyring ?? []).entries()) {
      const place = placeOf(["base", "keyring", index]);
      await attempt(place, () => readable(path, place));
    }
  for (const [index, key] of signing.public.entries())
    if (!key.startsWith("env://"))
      await attempt(placeOf(["signing", "public", index]), () => loadVerificationKeys([key], "/"));
  return problems;
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Names of repositories and tags that `push` would refuse, each registry once. */
export function checkTargets(
  configuration: Configuration,
  containers: readonly Pick<Container, "name" | "arch">[],
): readonly SpacktainersError[] {
  return configuration.registries.flatMap((registry, index): readonly SpacktainersError[] => {
    const place = configuration.placeOf(["registries", index]);
    for (const names of containers.length === 0 ? [{ name: "name", arch: "amd64" }] : containers)
      try {
        publishTarget(registry, names, place);
        publishTags(registry, { ...names, version: "1.0" }, place);
      } catch (error) {
        return [placed(error, place)];
      }
    return [];
  });
}

/** An error at the line of the configuration that names what is wrong. */
function placed(error: unknown, fallback: Place): SpacktainersError {
  const { code, message, hint, place, cause } = asSpacktainersError(error);
  const named = place.file !== undefined && place.line === undefined && fallback.line !== undefined;
  return new SpacktainersError(
    code,
    named && !message.includes(place.file) ? `${place.file}: ${message}` : message,
    {
      place: place.line === undefined ? fallback : place,
      hint,
      cause,
    },
  );
}
