/** Where a container is published: the configuration's words as names of repositories and tags. */
import type { RegistryConfiguration } from "../definitions/configuration.ts";
import { parseRegistryAddress } from "../registry/address.ts";
import {
  isTag,
  parseRepositoryPath,
  type RegistryHost,
  type RepositoryName,
  type RepositoryPath,
  type Tag,
} from "../registry/reference.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";

/** A repository that a container goes to. */
export interface RegistryTarget {
  readonly configuration: RegistryConfiguration;
  readonly host: RegistryHost;
  readonly scheme: "http" | "https" | undefined;
  readonly repository: RepositoryName;
}

/** What stands for a container in names. */
export interface TargetNames {
  readonly name: string;
  readonly arch: string;
}

/**
 * The repository of a container in a registry.
 *
 * @param place of the registry in the configuration
 * @throws SpacktainersError REFERENCE_INVALID
 */
export function publishTarget(
  configuration: RegistryConfiguration,
  { name, arch }: TargetNames,
  place: Place,
): RegistryTarget {
  const { host, prefix, scheme } = parseRegistryAddress(configuration.url, place);
  const rest = configuration.repository.replaceAll("{name}", name).replaceAll("{arch}", arch);
  const text = prefix === undefined ? rest : `${prefix}/${rest}`;
  const lower = configuration.type === "ghcr" ? text.toLowerCase() : text;
  const path: RepositoryPath = parseRepositoryPath(lower, host, place);
  return { configuration, host, scheme, repository: { host, path } };
}

/**
 * The tags of a container, each once, in the configuration's order. What a version may have and a tag may not (such as the
 * `=` of a Spack version from git) becomes `_`.
 *
 * @throws SpacktainersError CONFIG_INVALID for a tag that is none
 */
export function publishTags(
  configuration: Pick<RegistryConfiguration, "tags">,
  { version, arch, name }: TargetNames & { readonly version: string },
  place: Place,
): readonly Tag[] {
  const tags = configuration.tags.map((template) => {
    const text = template
      .replaceAll("{version}", tagText(version))
      .replaceAll("{arch}", arch)
      .replaceAll("{name}", name);
    if (isTag(text)) return text;
    throw new SpacktainersError("CONFIG_INVALID", `\`${text}\` cannot be a tag`, {
      place,
      hint: "up to 128 letters, digits, `_`, `.` and `-`, not `.` or `-` first",
    });
  });
  return [...new Set(tags)];
}

/** A version as a part of a tag. */
export function tagText(version: string): string {
  return version
    .replaceAll(/[^A-Za-z0-9_.-]/g, "_")
    .replace(/^[.-]/, "_")
    .slice(0, 120);
}
