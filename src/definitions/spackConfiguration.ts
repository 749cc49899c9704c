/** `spack:` of `spacktainers.yaml`, with its defaults: which real Spack builds what no cache has. */

import type { Place } from "../util/errors.ts";
import { builderImage } from "./builderImage.ts";
import type { BuilderEngine, ExecutorName } from "./executorNames.ts";
import { completeSlurm, type SlurmConfiguration, type SlurmSection } from "./slurmConfiguration.ts";

/** The Spack that is used when the configuration names none: release v1.1.0. */
export const defaultSpack = {
  url: "https://github.com/spack/spack.git",
  ref: "v1.1.0",
  commit: "2e907202bcc8209a6a62243aab50c179b524cc3b",
} as const;

/** The recipes of packages that are used beneath all others: release v2025.11.0 of Spack's own. */
export const defaultRecipes = {
  url: "https://github.com/spack/spack-packages.git",
  ref: "v2025.11.0",
  commit: "119680aeee8ea802c6111b7167583bddef97e82f",
  path: "repos/spack_repo/builtin",
} as const;

/** Length of the install tree's path while building, in characters, when the configuration does not say. */
const defaultPaddedLength = 128;

/**
 * The section as written. Written out, so that the library's types do not name the library of the schema
 * ({@link ./spackSchema.ts}).
 */
export interface SpackSection {
  readonly build?: boolean | undefined;
  readonly url?: string | undefined;
  readonly ref?: string | undefined;
  readonly commit?: string | undefined;
  readonly dialect?: "0.x" | "1.x" | undefined;
  readonly facts?: string | undefined;
  readonly repos?:
    | readonly (
        | string
        | {
            readonly url: string;
            readonly ref?: string | undefined;
            readonly commit?: string | undefined;
            readonly path?: string | undefined;
            readonly paths?: readonly string[] | undefined;
          }
      )[]
    | undefined;
  readonly mirrors?: readonly string[] | undefined;
  readonly wheels?: string | undefined;
  readonly padded_length?: number | undefined;
  readonly jobs?: number | undefined;
  readonly executor?: ExecutorName | undefined;
  readonly builder?: string | undefined;
  readonly engine?: BuilderEngine | undefined;
  readonly slurm?: SlurmSection | undefined;
  readonly compilers?: readonly string[] | undefined;
  readonly externals?: readonly (string | { readonly spec: string; readonly prefix: string })[] | undefined;
}

/** A git repository, or a folder that is used as it is. */
export interface GitSource {
  /** As git takes it: a URL, or an absolute path. */
  readonly url: string;
  /** Branch, tag or commit. Undefined with `commit` undefined: see {@link SpackConfiguration}. */
  readonly ref: string | undefined;
  /** 40 hexadecimal digits. */
  readonly commit: string | undefined;
  readonly place: Place;
}

/** Recipe repositories: folders of a git repository, or of a folder. Without `ref` and `commit` a folder is used as it is. */
export interface RecipeSource extends GitSource {
  /** Below the source; empty: the source itself. The last is preferred. */
  readonly paths: readonly string[];
}

/** Text of a spec, which is not parsed here. */
export interface ConfiguredSpec {
  readonly text: string;
  readonly place: Place;
}

/** A package of the machine: to be looked for by Spack, or where the configuration says. */
export type ConfiguredExternal =
  | { readonly kind: "find"; readonly name: string; readonly place: Place }
  | { readonly kind: "given"; readonly spec: ConfiguredSpec; readonly prefix: string };

/** The section, complete. */
export interface SpackConfiguration {
  /** Whether `build` may compile what no cache has. */
  readonly build: boolean;
  readonly dialect: "0.x" | "1.x" | undefined;
  /** Default values of variants, exported from recipes. Not read here. */
  readonly facts: { readonly path: string; readonly place: Place } | undefined;
  /** Undefined: {@link defaultSpack}. Of a repository without `ref` and `commit` too, its commit is meant. */
  readonly source: GitSource | undefined;
  /** The last is preferred. Beneath them come {@link defaultRecipes}. */
  readonly repos: readonly RecipeSource[];
  /** Mirrors of sources: URLs. */
  readonly mirrors: readonly string[];
  /** An absolute folder of wheels, or the URL of a Python package index. Undefined: PyPI. */
  readonly wheels: string | undefined;
  /** Characters. */
  readonly paddedLength: number;
  /** Processes a package may use to compile. Undefined: by cores. */
  readonly jobs: number | undefined;
  /** Undefined: {@link chosenExecutor}. */
  readonly executor: ExecutorName | undefined;
  /** A path is absolute. */
  readonly builder: { readonly image: string; readonly place: Place } | undefined;
  readonly engine: BuilderEngine | undefined;
  readonly slurm: SlurmConfiguration;
  /** Which of the machine's compilers to use; all when empty. */
  readonly compilers: readonly ConfiguredSpec[];
  readonly externals: readonly ConfiguredExternal[];
}

/** Keys that say how to read definitions, not how to build. */
const readingKeys: ReadonlySet<string> = new Set(["build", "dialect", "facts"]);

/**
 * Fills in the defaults and makes paths absolute.
 *
 * @param section as written
 * @param absolute makes a path absolute
 * @param placeOf where a value stands, by its path of keys below the section
 */
export function completeSpack(
  section: SpackSection,
  absolute: (path: string) => string,
  placeOf: (path: readonly PropertyKey[]) => Place,
): SpackConfiguration {
  const { url, ref, commit } = section;
  return {
    build: section.build ?? Object.keys(section).some((key) => !readingKeys.has(key)),
    dialect: section.dialect,
    facts:
      section.facts === undefined ? undefined : { path: absolute(section.facts), place: placeOf(["facts"]) },
    source:
      url === undefined && ref === undefined && commit === undefined
        ? undefined
        : {
            url: gitAddress(url ?? defaultSpack.url, absolute),
            ref,
            commit,
            place: placeOf([url !== undefined ? "url" : ref !== undefined ? "ref" : "commit"]),
          },
    repos: (section.repos ?? []).map((repo, index) => {
      const given = typeof repo === "string" ? { url: repo } : repo;
      return {
        url: gitAddress(given.url, absolute),
        ref: given.ref,
        commit: given.commit,
        paths: given.paths ?? [given.path ?? ""],
        place: placeOf(["repos", index]),
      };
    }),
    mirrors: (section.mirrors ?? []).map((mirror) =>
      isUrl(mirror) ? mirror : `file://${encodeURI(absolute(mirror))}`,
    ),
    wheels: section.wheels === undefined || isUrl(section.wheels) ? section.wheels : absolute(section.wheels),
    paddedLength: section.padded_length ?? defaultPaddedLength,
    jobs: section.jobs,
    executor: section.executor,
    builder:
      section.builder === undefined
        ? undefined
        : { image: builderImage(section.builder, absolute), place: placeOf(["builder"]) },
    engine: section.engine,
    slurm: completeSlurm(section.slurm ?? {}),
    compilers: (section.compilers ?? []).map((text, index) => ({
      text,
      place: placeOf(["compilers", index]),
    })),
    externals: (section.externals ?? []).map((external, index) => {
      const at = placeOf(["externals", index]);
      return typeof external === "string"
        ? { kind: "find", name: external, place: at }
        : {
            kind: "given",
            spec: { text: external.spec, place: placeOf(["externals", index, "spec"]) },
            prefix: external.prefix,
          };
    }),
  };
}

/** The builder image that is used when none is named: the one that `base build` makes. */
export const defaultBuilder = "local_builder";

/** Where packages are built. */
export function chosenExecutor({
  executor,
  builder,
}: Pick<SpackConfiguration, "executor" | "builder">): ExecutorName {
  return executor ?? (builder === undefined ? "host" : "container");
}

/** Whether an address is that of another machine, rather than a folder of this one: a URL, or git's `user@host:path`. */
export function isRemoteAddress(address: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|[^/@]+@[^/:]+:)/i.test(address) && !address.startsWith("file:");
}

function gitAddress(address: string, absolute: (path: string) => string): string {
  if (isRemoteAddress(address)) return address;
  return address.startsWith("file:") ? address : absolute(address);
}

function isUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
}
