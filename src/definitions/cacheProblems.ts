/** What is wrong with the build caches of a `spacktainers.yaml` that no schema can say. */
import { isStoreScheme, storeSchemes } from "../store/storeSchemes.ts";
import { type YamlNode, yamlEntry } from "./positionedYaml.ts";
import type { ProblemList } from "./problems.ts";

/** Keys that belong to s3 caches only. */
const s3Keys = ["endpoint", "region", "profile", "anonymous"] as const;
/** Schemes of registries. */
const registrySchemes = ["oci", "oci+http"];

/** What the schema cannot say about `caches`: schemes, s3 settings, keys or `unsigned`. */
export function checkCaches(tree: YamlNode, problems: ProblemList): void {
  const caches = yamlEntry(tree, "caches")?.value;
  if (caches?.kind !== "list") return;
  for (const item of caches.items) {
    const urlNode = item.kind === "map" ? yamlEntry(item, "url")?.value : item;
    if (urlNode?.kind !== "scalar" || typeof urlNode.value !== "string") continue;
    const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(urlNode.value)?.[1]?.toLowerCase();
    if (scheme !== undefined && !isStoreScheme(scheme) && !registrySchemes.includes(scheme))
      problems.error(
        "CONFIG_INVALID",
        `\`${scheme}:\` is not a kind of cache`,
        urlNode.place,
        `use ${Object.keys(storeSchemes).join(":, ")}:, oci: or, for a registry of this machine, oci+http:`,
      );
    if (item.kind !== "map") {
      problems.error(
        "CONFIG_INVALID",
        "this cache has neither keys to trust nor `unsigned: true`",
        item.place,
        `write { url: ${urlNode.value}, trust: [key-file] }`,
      );
      continue;
    }
    const trust = yamlEntry(item, "trust");
    const unsigned = yamlEntry(item, "unsigned");
    const inRegistry = scheme === "oci" || scheme === "oci+http";
    const isUnsigned = unsigned?.value.kind === "scalar" && unsigned.value.value === true;
    if (trust === undefined && !isUnsigned)
      problems.error(
        "CONFIG_INVALID",
        "this cache has neither keys to trust nor `unsigned: true`",
        item.place,
        inRegistry
          ? "packages in registries are not signed: add `unsigned: true` if you trust everyone who may push there"
          : "add `trust:` with the files of the public keys that sign it",
      );
    if (trust !== undefined && inRegistry)
      problems.error(
        "CONFIG_INVALID",
        "packages in registries are not signed, so `trust` has no effect there",
        trust.keyPlace,
        "write `unsigned: true` if you trust everyone who may push there",
      );
    else if (trust !== undefined && isUnsigned)
      problems.error(
        "CONFIG_INVALID",
        "`unsigned: true` contradicts `trust`",
        unsigned?.keyPlace ?? item.place,
        "remove one of them",
      );
    checkPushing(item, problems, scheme);
    if (scheme !== "s3")
      for (const key of s3Keys) {
        const wrong = yamlEntry(item, key);
        if (wrong !== undefined)
          problems.error("CONFIG_INVALID", `\`${key}\` belongs to s3: caches only`, wrong.keyPlace);
      }
  }
}

/** What the schema cannot say about pushing into a cache: where that is possible, and how it is signed. */
function checkPushing(cache: YamlNode, problems: ProblemList, scheme: string | undefined): void {
  const push = yamlEntry(cache, "push");
  const pushes = push?.value.kind === "scalar" && push.value.value === true;
  const sign = yamlEntry(cache, "sign");
  const inRegistry = scheme === "oci" || scheme === "oci+http";
  if (pushes && scheme !== undefined && isStoreScheme(scheme) && storeSchemes[scheme].access === "read-only")
    problems.error(
      "CONFIG_INVALID",
      "nothing can be pushed to a web server",
      push?.keyPlace ?? cache.place,
      "name the path, the s3: URL or the registry behind it",
    );
  if (sign !== undefined && inRegistry)
    problems.error("CONFIG_INVALID", "nothing is signed in a registry", sign.keyPlace, "remove `sign`");
  const form = sign?.value.kind === "scalar" ? String(sign.value.value) : "";
  if (/^env:\/\//.test(form) && !/^env:\/\/[A-Za-z_][A-Za-z0-9_]*$/.test(form))
    problems.error(
      "CONFIG_INVALID",
      "this is not the name of a variable",
      sign?.value.place ?? cache.place,
      "write env://NAME",
    );
  if (/^gpg:\/\//.test(form) && !/^gpg:\/\/([0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$/.test(form))
    problems.error(
      "CONFIG_INVALID",
      "this is not the fingerprint of a key",
      sign?.value.place ?? cache.place,
      "write all of its 40 hexadecimal digits, as in: gpg --list-secret-keys",
    );
  if (/-----BEGIN/.test(form))
    problems.error(
      "CONFIG_INVALID",
      "`sign` names a key, it does not hold it",
      sign?.value.place ?? cache.place,
      "put the key into a variable, and write env://NAME; then replace the key, because it was in a file that others read",
    );
  const layout = yamlEntry(cache, "layout");
  if (layout !== undefined && inRegistry)
    problems.error("CONFIG_INVALID", "`layout` does not belong to caches in registries", layout.keyPlace);
}
