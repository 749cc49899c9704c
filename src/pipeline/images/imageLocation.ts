/** Where an image is to be had, by the patterns of sites and registries. */
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";

/** The image's values of `{name}`, `{version}` and `{arch}`. */
export interface Subject {
  readonly name: string;
  readonly container: Pick<Container, "arch"> | undefined;
  readonly version: string | undefined;
}

/** Fills in a pattern. */
export function fillPattern(pattern: string, { name, container, version }: Subject): string {
  const values: Readonly<Record<string, string>> = {
    name,
    version: version ?? "latest",
    arch: container?.arch ?? "amd64",
  };
  return pattern.replaceAll(/\{(name|version|arch)\}/g, (_, key: string) => values[key] ?? "");
}

/**
 * Reference of an image in the first registry of the configuration that is of the kind wanted. Lower case where registries want that:
 * everywhere but in the tag.
 *
 * @param tag default the image's version when that is known, else the registry's first tag without one
 * @returns undefined when no registry is configured
 */
export function registryReference(
  registries: Configuration["registries"],
  subject: Subject,
  tag?: string,
): { readonly reference: string; readonly type: Configuration["registries"][number]["type"] } | undefined {
  const [registry] = registries;
  if (registry === undefined) return undefined;
  const repository = fillPattern(registry.repository, subject);
  const path = `${registry.url.replace(/^https?:\/\//, "").replace(/\/+$/, "")}/${repository}`.toLowerCase();
  const tags = registry.tags.map((pattern) =>
    pattern.includes("{version}") && subject.version === undefined
      ? undefined
      : fillPattern(pattern, subject),
  );
  return {
    reference: `${path}:${tag ?? tags.find((one) => one !== undefined) ?? "latest"}`,
    type: registry.type,
  };
}
