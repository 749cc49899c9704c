/** Reading `spacktainers.yaml`: from text to a typed configuration with defaults, or every problem in it. */
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { CompressionFormat } from "../archive/layerCompression.ts";
import type { Place } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { checkAddresses } from "./addressProblems.ts";
import { checkCaches } from "./cacheProblems.ts";
import { type CiConfiguration, completeCi } from "./ciConfiguration.ts";
import { checkCi } from "./ciProblems.ts";
import { checkBase, checkLayers, removeFaulty, reportIssue } from "./configurationProblems.ts";
import { type ConfigurationFile, configurationSchema } from "./configurationSchema.ts";
import { parsePositionedYaml, placeOfPath, plainValue } from "./positionedYaml.ts";
import { inOrderOfPlace, type Problems } from "./problems.ts";
import type { SiteConfiguration } from "./siteConfiguration.ts";
import { completeSpack, type SpackConfiguration } from "./spackConfiguration.ts";

/** Processor architectures of containers, by their OCI names. */
export const architectures = ["amd64", "arm64"] as const;
export type Architecture = (typeof architectures)[number];

/** What packages of an architecture may be. */
export interface PlatformConfiguration {
  /** Newest microarchitecture that packages may be built for. */
  readonly target: string;
  readonly os: string | undefined;
}

/** A file named in the configuration. */
export interface ConfiguredFile {
  /** Absolute. */
  readonly path: string;
  readonly place: Place;
}

/** A build cache. Key files are not read here. */
export interface CacheConfiguration {
  /** A URL; a path is made absolute. */
  readonly url: string;
  readonly trust: readonly ConfiguredFile[];
  readonly unsigned: boolean;
  readonly push: boolean;
  /** The private key that signs what is pushed: an absolute path, `env://NAME` or `gpg://FINGERPRINT`. It is not read here. */
  readonly sign: string | undefined;
  /** The layout that is written; undefined: that of the Spack which made a package. */
  readonly layout: "v2" | "v3" | undefined;
  readonly s3: {
    readonly endpoint?: string | undefined;
    readonly region?: string | undefined;
    readonly profile?: string | undefined;
    readonly anonymous?: boolean | undefined;
  };
  readonly place: Place;
}

/** What lies underneath; the first four have the shape of `BaseSpec` in `src/base/types.ts`. */
export type BaseConfiguration =
  | {
      readonly kind: "debian";
      readonly distribution: "debian" | "ubuntu";
      readonly suite: string;
      /** Undefined: the base's own default choice. */
      readonly packages: readonly string[] | undefined;
      /** Add the OS packages of libraries that packages need and the base lacks. */
      readonly complete: boolean;
      readonly mirrors?: readonly string[] | undefined;
      readonly securityMirrors?: readonly string[] | undefined;
      readonly components?: readonly string[] | undefined;
      readonly keyring?: readonly string[] | undefined;
      readonly snapshot?: string | undefined;
    }
  | { readonly kind: "rootfs"; readonly path: string }
  | { readonly kind: "oci"; readonly path: string; readonly reference?: string | undefined }
  | { readonly kind: "scratch" }
  | { readonly kind: "image"; readonly reference: string };

/** The name of an environment variable that holds a secret. */
export interface SecretReference {
  readonly environmentVariable: string;
}

/** What images say of themselves: values of `org.opencontainers.image.*`, and labels of one's own. */
export interface ImageMetadata {
  readonly description: string | undefined;
  readonly vendor: string | undefined;
  readonly authors: string | undefined;
  readonly licenses: string | undefined;
  readonly url: string | undefined;
  readonly documentation: string | undefined;
  readonly source: string | undefined;
  readonly labels: ReadonlyMap<string, string>;
}

/** Signatures of images. Keys are absolute paths of files, or `env://NAME`; they are not read here. */
export interface SigningConfiguration {
  /** The private key. */
  readonly key: string | undefined;
  /** Public keys to trust. */
  readonly public: readonly string[];
  readonly forms: readonly ("tags" | "bundles")[];
}

export interface RegistryConfiguration {
  readonly type: "oci" | "ecr" | "ghcr";
  readonly url: string;
  readonly repository: string;
  readonly tags: readonly string[];
  readonly username: SecretReference | undefined;
  readonly password: SecretReference | undefined;
}

/** How `Dockerfile.epilogue`s are carried out. */
export interface EpilogueConfiguration {
  /** Whether their commands may use the network. */
  readonly network: boolean;
  /** What runs them; `auto`: what is here. */
  readonly runner: "auto" | "sandbox" | "buildah" | "podman";
  /** Values for their ARGs, by name. */
  readonly arguments: ReadonlyMap<string, string>;
}

/** The configuration of a repository, complete. */
export interface Configuration {
  /** The file it was read from; undefined for the built-in defaults. */
  readonly file: string | undefined;
  /** Absolute folder that relative paths start from. */
  readonly root: string;
  /** Absolute folder of the container definitions. */
  readonly definitions: string;
  /** Absolute folder for finished images. */
  readonly output: string;
  readonly platforms: Readonly<Record<Architecture, PlatformConfiguration>>;
  readonly caches: readonly CacheConfiguration[];
  readonly base: BaseConfiguration;
  readonly image: ImageMetadata;
  readonly registries: readonly RegistryConfiguration[];
  readonly signing: SigningConfiguration;
  readonly layers: {
    readonly budget: number;
    readonly compression: CompressionFormat;
    /** Undefined: the compressor's default. */
    readonly level: number | undefined;
  };
  readonly strip: boolean;
  /** Which of these the file itself sets: what it leaves open, a manifest's `container:` may decide. */
  readonly decided: { readonly base: boolean; readonly strip: boolean };
  readonly spack: SpackConfiguration;
  readonly sites: ReadonlyMap<string, SiteConfiguration>;
  readonly ci: CiConfiguration;
  readonly install: {
    readonly root: string;
    /** In the order of the file: spec (or `all`) to format. Undefined: as the package's Spack generation has it. */
    readonly projections: readonly (readonly [string, string])[] | undefined;
  };
  readonly view: { readonly root: string };
  readonly linkage: { readonly allowUnresolved: readonly string[] };
  readonly epilogue: EpilogueConfiguration;
  /** Where a value stands in the file, by its path of keys; the file itself where it is left out. */
  readonly placeOf: (path: readonly PropertyKey[]) => Place;
}

/** Name of the configuration file at a repository's root. */
export const configurationFileName = "spacktainers.yaml";

/** A configuration, or what is wrong with the file. */
export interface ConfigurationReading {
  /** Undefined when there are errors. */
  readonly configuration: Configuration | undefined;
  /** The parts of a faulty file that have no errors, with defaults for the others: enough to look for further problems elsewhere. */
  readonly sound: Configuration;
  /** In order of place. */
  readonly problems: Problems;
}

/** The configuration of a repository that has no `spacktainers.yaml`. */
export function defaultConfiguration(root: string): Configuration {
  return complete({}, undefined, root, () => ({}));
}

/**
 * Reads the text of a `spacktainers.yaml`. Nothing else is read: whether files it names exist is checked by
 * `loadRepository`.
 *
 * @param file path of the file, for places; relative paths in it start from its folder
 * @param root absolute folder of the file, when `file` is not absolute
 */
export function readConfiguration(
  text: string,
  file: string,
  root: string = resolve(dirname(file)),
): ConfigurationReading {
  const { root: tree, problems } = parsePositionedYaml(text, file, "CONFIG_INVALID");
  const ordered = (): Problems => ({
    errors: inOrderOfPlace(problems.errors),
    warnings: inOrderOfPlace(problems.warnings),
  });
  if (tree === undefined)
    return { configuration: undefined, sound: defaultConfiguration(root), problems: ordered() };
  const value = tree.kind === "scalar" && tree.value === null ? Object.create(null) : plainValue(tree);
  // A schema that is used once is not worth compiling.
  const parsed = configurationSchema().safeParse(value, { jitless: true });
  if (!parsed.success)
    for (const issue of parsed.error.issues) reportIssue(issue, tree, { before: [], problems });
  checkBase(tree, problems);
  checkCaches(tree, problems);
  checkAddresses(tree, problems);
  checkLayers(tree, problems);
  checkCi(tree, problems);
  const placeOf = (path: readonly PropertyKey[]) => placeOfPath(tree, path, "value");
  const sound = complete(parsed.data ?? soundParts(value), file, root, placeOf);
  return {
    configuration: parsed.success && problems.errors.length === 0 ? sound : undefined,
    sound,
    problems: ordered(),
  };
}

/** Most rounds of removing faulty values: what is removed may lay bare the next. */
const pruningRounds = 20;

/** The parts of a faulty file that are as they should be. */
function soundParts(value: unknown): ConfigurationFile {
  const rest: unknown = structuredClone(value);
  for (let round = 0; round < pruningRounds; round++) {
    const parsed = configurationSchema().safeParse(rest, { jitless: true });
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) removeFaulty(rest, issue);
  }
  return {};
}

/** Fills in the defaults and makes paths absolute. */
function complete(
  file: ConfigurationFile,
  path: string | undefined,
  root: string,
  placeOf: (path: readonly PropertyKey[]) => Place,
): Configuration {
  const absolute = (relative: string) => (isAbsolute(relative) ? relative : join(root, relative));
  const projections = file.install?.projections;
  return {
    file: path,
    root,
    definitions: absolute(file.definitions ?? "container_definitions"),
    output: absolute(file.output ?? "dist"),
    platforms: {
      amd64: { target: file.platforms?.amd64?.target ?? "x86_64_v3", os: file.platforms?.amd64?.os },
      arm64: { target: file.platforms?.arm64?.target ?? "aarch64", os: file.platforms?.arm64?.os },
    },
    caches: (file.caches ?? []).map((cache, index) => completeCache(cache, index, absolute, placeOf)),
    base: absoluteBase(file.base ?? { debian: "bookworm" }, absolute),
    image: {
      description: file.image?.description,
      vendor: file.image?.vendor,
      authors: file.image?.authors,
      licenses: file.image?.licenses,
      url: file.image?.url,
      documentation: file.image?.documentation,
      source: file.image?.source,
      labels: new Map(Object.entries(file.image?.labels ?? {})),
    },
    registries: (file.registries ?? []).map((registry) => ({
      type: registry.type ?? "oci",
      url: registry.url,
      repository: registry.repository ?? "{name}",
      tags: registry.tags ?? ["{version}", "latest"],
      username: secretReference(registry.username),
      password: secretReference(registry.password),
    })),
    signing: {
      key: file.signing?.key === undefined ? undefined : keyPlace(file.signing.key, absolute),
      public: many(file.signing?.public ?? []).map((key) => keyPlace(key, absolute)),
      forms: file.signing?.forms ?? ["tags"],
    },
    layers: {
      budget: file.layers?.budget ?? 60,
      compression: file.layers?.compression ?? "gzip",
      level: file.layers?.level,
    },
    strip: file.strip ?? true,
    decided: { base: file.base !== undefined, strip: file.strip !== undefined },
    spack: completeSpack(file.spack ?? {}, absolute, (path) => placeOf(["spack", ...path])),
    sites: new Map(Object.entries(file.sites ?? {})),
    ci: completeCi(file.ci ?? {}),
    install: {
      root: file.install?.root ?? "/opt/software",
      projections: projections === undefined ? undefined : Object.entries(projections),
    },
    view: { root: file.view?.root ?? "/opt/view" },
    linkage: { allowUnresolved: file.linkage?.["allow-unresolved"] ?? [] },
    epilogue: {
      network: file.epilogue?.network ?? false,
      runner: file.epilogue?.runner ?? "auto",
      arguments: new Map(
        Object.entries(file.epilogue?.args ?? {}).map(([name, value]) => [name, String(value)]),
      ),
    },
    placeOf,
  };
}

function completeCache(
  cache: NonNullable<ConfigurationFile["caches"]>[number],
  index: number,
  absolute: (path: string) => string,
  placeOf: (path: readonly PropertyKey[]) => Place,
): CacheConfiguration {
  const given = typeof cache === "string" ? { url: cache } : cache;
  const trust = given.trust === undefined ? [] : many(given.trust);
  const isUrl = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(given.url) || given.url.startsWith("file:");
  // Pipelines have keys of their own for caches (docs/ci.md).
  const ofPipeline = given.url.startsWith("s3:")
    ? hostEnvironment().AWS_CACHE_PROFILE || undefined
    : undefined;
  const profile = given.profile ?? ofPipeline;
  return {
    url: isUrl ? given.url : absolute(given.url),
    trust: trust.map((path, at) => ({
      path: absolute(path),
      place: placeOf(["caches", index, "trust", ...(typeof given.trust === "string" ? [] : [at])]),
    })),
    unsigned: given.unsigned ?? false,
    push: given.push ?? false,
    sign: given.sign === undefined ? undefined : keyPlace(given.sign, absolute),
    layout: given.layout,
    s3: {
      endpoint: given.endpoint,
      region: given.region,
      profile,
      anonymous: given.anonymous,
    },
    place: placeOf(["caches", index]),
  };
}

function absoluteBase(
  base: NonNullable<ConfigurationFile["base"]>,
  absolute: (path: string) => string,
): BaseConfiguration {
  if (base.rootfs !== undefined) return { kind: "rootfs", path: absolute(base.rootfs) };
  if (base.oci !== undefined)
    return {
      kind: "oci",
      path: absolute(base.oci),
      reference: base.reference,
    };
  // As on command lines, a name may say that it is one.
  if (base.image !== undefined) return { kind: "image", reference: base.image.replace(/^docker:\/\//, "") };
  if (base.scratch === true) return { kind: "scratch" };
  const mirror = base.mirror;
  const security = base["security-mirror"];
  const keyring = base.keyring;
  return {
    kind: "debian",
    distribution: base.ubuntu === undefined ? "debian" : "ubuntu",
    suite: base.ubuntu ?? base.debian ?? "bookworm",
    packages: base.packages,
    complete: base.complete ?? true,
    mirrors: mirror === undefined ? undefined : many(mirror),
    securityMirrors: security === undefined ? undefined : many(security),
    components: base.components,
    keyring: keyring === undefined ? undefined : many(keyring).map(absolute),
    snapshot: base.snapshot,
  };
}

function many(value: string | readonly string[]): readonly string[] {
  return typeof value === "string" ? [value] : value;
}

function keyPlace(text: string, absolute: (path: string) => string): string {
  return /^(env|gpg):\/\//.test(text) ? text : absolute(text);
}

function secretReference(text: string | undefined): SecretReference | undefined {
  return text === undefined ? undefined : { environmentVariable: text.replace(/[${}]/g, "") };
}
