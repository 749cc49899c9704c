/** `ci:` of `spacktainers.yaml`, with its defaults: the pipelines that `ci github` and `ci gitlab` write. */

/** As in the configuration, which imports this. */
type Architecture = "amd64" | "arm64";

/** A runner as written: labels, or a CodeBuild project. */
export type RunnerSection =
  | string
  | readonly string[]
  | { readonly codebuild: string; readonly size?: string | undefined };

/** An environment as written. */
export interface EnvironmentSection {
  readonly registries?: readonly string[] | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly sif?: string | undefined;
}

/** The section as written. */
export interface CiSection {
  readonly branch?: string | undefined;
  readonly install?: readonly string[] | undefined;
  readonly program?: string | undefined;
  readonly node?: string | undefined;
  readonly runners?:
    | {
        readonly amd64?: RunnerSection | undefined;
        readonly arm64?: RunnerSection | undefined;
        readonly small?: RunnerSection | undefined;
      }
    | undefined;
  readonly environments?: Readonly<Record<string, EnvironmentSection>> | undefined;
  readonly "pull-requests"?: string | undefined;
  readonly main?: string | undefined;
  readonly catalogue?: boolean | undefined;
  readonly rebase?: string | false | undefined;
  readonly stages?: number | undefined;
  readonly test?: boolean | undefined;
  readonly oidc?: { readonly role?: string | undefined; readonly region?: string | undefined } | undefined;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly gitlab?:
    | {
        readonly image?: string | undefined;
        readonly tags?:
          | { readonly amd64?: readonly string[] | undefined; readonly arm64?: readonly string[] | undefined }
          | undefined;
      }
    | undefined;
}

/** Where jobs run: labels of a runner, or a CodeBuild project, whose label names the run. */
export type Runner =
  | { readonly kind: "labels"; readonly labels: readonly string[] }
  | { readonly kind: "codebuild"; readonly project: string; readonly size: string | undefined };

/** Where images are published to. */
export interface CiEnvironment {
  readonly name: string;
  /** URLs of configured registries; undefined: all. */
  readonly registries: readonly string[] | undefined;
  readonly tags: readonly string[];
  /** Where SIF files go, `{name}` in it; undefined: nowhere. */
  readonly sif: string | undefined;
}

/** The section, complete. */
export interface CiConfiguration {
  readonly branch: string;
  /** Undefined: the published package. */
  readonly install: readonly string[] | undefined;
  readonly program: string;
  readonly node: string;
  readonly runners: Readonly<Record<Architecture | "small", Runner>>;
  /** At least one, in the order of the file. */
  readonly environments: readonly CiEnvironment[];
  /** Names of environments. */
  readonly pullRequests: string;
  readonly main: string;
  /** Five fields of cron; undefined: never. */
  readonly rebase: string | undefined;
  /** Whether the catalogue is published, on the pages of the host. */
  readonly catalogue: boolean;
  readonly stages: number;
  readonly test: boolean;
  readonly oidc: { readonly role: string | undefined; readonly region: string | undefined } | undefined;
  readonly secrets: ReadonlyMap<string, string>;
  readonly gitlab: {
    readonly image: string;
    readonly tags: Readonly<Record<Architecture, readonly string[]>>;
  };
}

/** Fills in the defaults. */
export function completeCi(section: CiSection): CiConfiguration {
  const environments = Object.entries(section.environments ?? { sandbox: {}, staging: {}, production: {} });
  const names = environments.map(([name]) => name);
  const { oidc, gitlab } = section;
  return {
    branch: section.branch ?? "main",
    install: section.install,
    program: section.program ?? "spacktainers",
    node: section.node ?? "22",
    runners: {
      amd64: completeRunner(section.runners?.amd64 ?? "ubuntu-24.04"),
      arm64: completeRunner(section.runners?.arm64 ?? "ubuntu-24.04-arm"),
      small: completeRunner(section.runners?.small ?? section.runners?.amd64 ?? "ubuntu-24.04"),
    },
    environments: environments.map(([name, { registries, tags, sif }]) => ({
      name,
      registries,
      tags: tags ?? [],
      sif,
    })),
    pullRequests: section["pull-requests"] ?? names[0] ?? "sandbox",
    main: section.main ?? names.at(-1) ?? "production",
    rebase: section.rebase === false ? undefined : (section.rebase ?? "23 2 * * *"),
    catalogue: section.catalogue ?? false,
    stages: section.stages ?? 4,
    test: section.test ?? true,
    oidc: oidc === undefined ? undefined : { role: oidc.role, region: oidc.region },
    secrets: new Map(Object.entries(section.secrets ?? {})),
    gitlab: {
      image: gitlab?.image ?? "docker.io/library/node:22-bookworm",
      tags: { amd64: gitlab?.tags?.amd64 ?? [], arm64: gitlab?.tags?.arm64 ?? [] },
    },
  };
}

function completeRunner(runner: RunnerSection): Runner {
  if (typeof runner === "string") return { kind: "labels", labels: [runner] };
  if ("codebuild" in runner) return { kind: "codebuild", project: runner.codebuild, size: runner.size };
  return { kind: "labels", labels: runner };
}
