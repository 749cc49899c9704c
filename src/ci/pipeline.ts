/** A pipeline, whoever runs it: jobs and the commands in them. Printers say it in the words of GitHub or GitLab. */
import type { Architecture, Configuration } from "../definitions/configuration.ts";
import type { Definition } from "../definitions/container.ts";
import { type PipelineSecret, pipelineSecrets, type SecretScope } from "./secrets.ts";

/** What a job is for; printers know when each runs. */
export type JobRole =
  | "check"
  | "notice"
  | "plan"
  | "bases"
  | "packages"
  | "containers"
  | "rebase"
  | "catalogue";

/** A command of a job. */
export interface PipelineStep {
  readonly name: string;
  /** Lines for bash, with `-e` and `pipefail`. Variables of {@link stepVariables} are set. */
  readonly run: readonly string[];
  /** Nothing is published for the pull requests of strangers. */
  readonly publishes: boolean;
}

/** A job. */
export interface PipelineJob {
  readonly id: string;
  readonly title: string;
  readonly role: JobRole;
  /** Undefined: whatever there is. */
  readonly arch: Architecture | undefined;
  /** Of packages: from 1. */
  readonly stage: number | undefined;
  /** Identifiers of jobs, those that may be skipped too. */
  readonly needs: readonly string[];
  readonly steps: readonly PipelineStep[];
  readonly secrets: readonly PipelineSecret[];
  /** Whether it takes the plan of its architecture. */
  readonly takesPlan: boolean;
  /** The parts of the cache home that are kept from run to run, as patterns below it; empty: nothing. */
  readonly keeps: readonly string[];
  /** Files that are kept with the run: shell patterns below the repository. */
  readonly artefacts: readonly string[];
}

/** The pipelines of a repository. */
export interface Pipeline {
  /** In an order in which each comes after what it needs. */
  readonly jobs: readonly PipelineJob[];
  /** The nightly job; undefined: there is none. */
  readonly rebase: PipelineJob | undefined;
  /** The job that writes the catalogue into `public`; undefined: it is not published. */
  readonly catalogue: PipelineJob | undefined;
  readonly architectures: readonly Architecture[];
  /** Names of containers, sorted. */
  readonly containers: readonly string[];
  readonly secrets: readonly PipelineSecret[];
}

/** Variables that steps may use: the commit to compare with, what is asked for by hand, and what a job of a matrix is about. */
export const stepVariables = {
  since: "CHANGED_SINCE",
  bases: "BASES",
  asked: "CONTAINER",
  environment: "ENVIRONMENT",
  image: "IMAGE",
  packages: "PACKAGE_JOB",
  name: "NAME",
  credentials: "CREDENTIALS",
} as const;

/** The part of a repository that decides its pipelines. */
export interface PipelineInputs {
  readonly configuration: Configuration;
  readonly definitions: readonly Definition[];
  /** Which of the folders `builder` and `runtime` have a Dockerfile. */
  readonly baseImages: readonly ("builder" | "runtime")[];
}

/** Parts of the cache home that save work: not the archives, of which the finished fragments are made. */
const keptForImages = ["base", "facts", "fragments", "index", "layers"];
const keptForBuilding = ["index", "spack/git", "spack/misc", "spack/solver", "spack/sources", "spack/times"];

/** Makes the pipelines. The same repository gives the same ones. */
export function makePipeline({ configuration, definitions, baseImages }: PipelineInputs): Pipeline {
  const { ci, registries, spack, caches } = configuration;
  const all = pipelineSecrets(configuration);
  const secrets = (...scopes: readonly SecretScope[]) =>
    all.filter((secret) => secret.scopes.some((scope) => scopes.includes(scope)));
  const architectures = (["amd64", "arm64"] as const).filter((arch) =>
    definitions.some((definition) => definition.arch === arch),
  );
  const publishes = registries.length > 0;
  const sif = ci.environments.some((environment) => environment.sif !== undefined);
  const hasStages = spack.build && caches.some(({ push }) => push);
  const { program } = ci;
  const reported = (command: string, title: string): string =>
    `${program} --json ${command} | ${program} ci report --title ${quoted(title)}`;
  const step = (name: string, run: readonly string[], publishing = false): PipelineStep => ({
    name,
    run,
    publishes: publishing,
  });
  const withCredentials = (used: readonly PipelineSecret[]): readonly PipelineStep[] =>
    used.length === 0 && ci.oidc === undefined
      ? []
      : [step("Credentials", [`${program} ci credentials --output "$CREDENTIALS"`])];
  const common = { stage: undefined, takesPlan: false, keeps: [], artefacts: ["report"] } as const;

  const check: PipelineJob = {
    ...common,
    id: "check",
    title: "check",
    role: "check",
    arch: undefined,
    needs: [],
    secrets: [],
    steps: [
      step("Check definitions", [reported("check", "Check")]),
      step("Check pipelines", [reported("ci check", "Pipelines")]),
    ],
  };
  const notice: PipelineJob = {
    ...common,
    id: "notice",
    title: "what builds",
    role: "notice",
    arch: undefined,
    needs: [],
    secrets: [],
    artefacts: [],
    steps: [],
  };
  const jobs: PipelineJob[] = [check, notice];
  for (const arch of architectures) {
    const plan: PipelineJob = {
      ...common,
      id: `plan-${arch}`,
      title: `plan ${arch}`,
      role: "plan",
      arch,
      needs: [],
      secrets: secrets("caches", "pull"),
      keeps: keptForBuilding,
      artefacts: ["report", "plan"],
      steps: [
        ...withCredentials(secrets("caches", "pull")),
        step("Plan", [
          reported(
            `ci plan \${CONTAINER:+"$CONTAINER"} \${CHANGED_SINCE:+--changed-since "$CHANGED_SINCE"} --bases "$BASES" --arch ${arch} --output plan`,
            `Plan for ${arch}`,
          ),
        ]),
      ],
    };
    jobs.push(plan);
    const bases = publishes && baseImages.length > 0 ? [`bases-${arch}`] : [];
    for (const id of bases)
      jobs.push({
        ...common,
        id,
        title: `base ${arch}`,
        role: "bases",
        arch,
        needs: [plan.id],
        secrets: secrets("publish", "pull"),
        steps: [
          ...withCredentials(secrets("publish", "pull")),
          step("Build", [reported('base build "$IMAGE"', "Base image")]),
          step("Publish", [reported('base push "$IMAGE"', "Base image published")], true),
        ],
      });
    const stages = hasStages ? Array.from({ length: ci.stages }, (_, index) => index + 1) : [];
    const idOf = (stage: number): string => `packages-${arch}-${stage}`;
    for (const stage of stages)
      jobs.push({
        ...common,
        id: idOf(stage),
        title: `packages ${arch} ${stage}`,
        role: "packages",
        arch,
        stage,
        needs: [plan.id, ...bases, ...(stage === 1 ? [] : [idOf(stage - 1)])],
        secrets: secrets("caches", "sign", "pull"),
        takesPlan: true,
        keeps: keptForBuilding,
        artefacts: ["report"],
        steps: [
          ...withCredentials(secrets("caches", "sign", "pull")),
          step("Build packages", [reported('ci packages "$PACKAGE_JOB" --plan plan', "Packages")]),
        ],
      });
    const own = secrets("caches", ...(hasStages ? [] : (["sign"] as const)), "publish", "pull");
    jobs.push({
      ...common,
      id: `containers-${arch}`,
      title: `container ${arch}`,
      role: "containers",
      arch,
      needs: [plan.id, ...bases, ...stages.slice(-1).map(idOf)],
      secrets: own,
      takesPlan: true,
      keeps: keptForImages,
      artefacts: publishes ? ["report"] : ["report", "dist"],
      steps: [
        ...withCredentials(own),
        step("Build", [reported(`build "$NAME" --arch ${arch}${hasStages ? " --no-compile" : ""}`, "Build")]),
        ...(ci.test ? [step("Test", [reported(`test "$NAME" --arch ${arch}`, "Test")])] : []),
        ...(publishes || sif
          ? [
              step(
                "Publish",
                [
                  reported(
                    `ci publish "$NAME" --arch ${arch} --environment "$ENVIRONMENT"${hasStages ? " --no-compile" : ""}`,
                    "Publish",
                  ),
                ],
                true,
              ),
            ]
          : []),
      ],
    });
  }
  const rebase: PipelineJob | undefined =
    ci.rebase === undefined || !publishes
      ? undefined
      : {
          ...common,
          id: "rebase",
          title: "rebase",
          role: "rebase",
          arch: undefined,
          needs: [],
          secrets: secrets("publish", "pull"),
          keeps: keptForImages,
          steps: [
            ...withCredentials(secrets("publish", "pull")),
            step("Rebase", [reported('ci rebase --environment "$ENVIRONMENT"', "Rebase")], true),
          ],
        };
  const catalogue: PipelineJob | undefined = !ci.catalogue
    ? undefined
    : {
        ...common,
        id: "catalogue",
        title: "catalogue",
        role: "catalogue",
        arch: undefined,
        needs: [],
        secrets: secrets("publish", "pull"),
        keeps: keptForImages,
        artefacts: [],
        steps: [
          ...withCredentials(secrets("publish", "pull")),
          // Outside of a pipeline, nobody knows where the pages will be.
          step("Catalogue", [
            `${program} catalogue build --into public \${PAGES_URL:+--base-url "$PAGES_URL"}`,
          ]),
        ],
      };
  return {
    jobs,
    rebase,
    catalogue,
    architectures,
    containers: [
      ...new Set(definitions.filter(({ arch }) => arch !== undefined).map(({ name }) => name)),
    ].sort(),
    secrets: all,
  };
}

/** Commands that install the program on a runner. */
export function installCommands({ ci }: Pick<Configuration, "ci">, version: string): readonly string[] {
  return ci.install ?? [`npm install --global spacktainers@${version}`];
}

function quoted(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `'${text}'`;
}
