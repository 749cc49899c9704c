/** Pipelines as GitLab reads them: the one that is committed, and the child of each architecture that it makes while it runs. */
import { stringify } from "yaml";
import type { CiConfiguration } from "../definitions/ciConfiguration.ts";
import type { Architecture, Configuration } from "../definitions/configuration.ts";
import type { CiPlan } from "./ciPlan.ts";
import { buildLabels } from "./githubWorkflow.ts";
import { installCommands, type Pipeline, type PipelineJob, type PipelineStep } from "./pipeline.ts";

/** Where the pipeline lies in a repository. */
export const gitlabFile = ".gitlab-ci.yml";

/** Most jobs that a job may wait for. */
const mostNeeds = 50;

type Entry = Readonly<Record<string, unknown>>;

const label = (name: string): string => `$CI_MERGE_REQUEST_LABELS =~ /(^|,)${name}(,|$)/`;
const isMergeRequest = '$CI_PIPELINE_SOURCE == "merge_request_event"';
const isSchedule = '$CI_PIPELINE_SOURCE == "schedule"';
const isMain = "$CI_COMMIT_BRANCH == $MAIN_BRANCH";
const byHand = '$CI_PIPELINE_SOURCE == "web" || $CI_PIPELINE_SOURCE == "api"';

/**
 * The committed pipeline.
 *
 * @param version of this program, which jobs install
 */
export function gitlabPipeline(pipeline: Pipeline, configuration: Configuration, version: string): string {
  const { ci } = configuration;
  const jobs: Record<string, Entry> = {};
  for (const job of pipeline.jobs) {
    if (job.role === "check")
      jobs[job.id] = { stage: "check", rules: notScheduled(), ...scriptOf(job, job.steps, ci) };
    if (job.role === "notice") jobs[job.id] = noticeJob(ci);
    if (job.role !== "plan" || job.arch === undefined) continue;
    const { arch } = job;
    const child = `${ci.program} ci gitlab --child plan > plan/pipeline.yml`;
    const steps = [...job.steps, { name: "Child", run: [child], publishes: false }];
    jobs[job.id] = {
      stage: "plan",
      needs: [],
      rules: asked(),
      ...tagsOf(ci, arch),
      ...scriptOf(job, steps, ci),
    };
    jobs[`build-${arch}`] = {
      stage: "build",
      needs: [job.id],
      rules: asked(),
      // What the child has to know is written in it: defaults of this pipeline would count more there than what was chosen.
      trigger: {
        include: [{ artifact: "plan/pipeline.yml", job: job.id }],
        strategy: "depend",
        forward: { yaml_variables: false },
      },
    };
  }
  const { rebase, catalogue } = pipeline;
  if (rebase !== undefined)
    jobs[rebase.id] = {
      stage: "build",
      rules: [{ if: isSchedule }],
      resource_group: "rebase",
      environment: { name: ci.main },
      ...scriptOf(rebase, rebase.steps, ci),
    };
  if (catalogue !== undefined) {
    // GitLab publishes what a job of this name leaves in `public`.
    const { artifacts: _, ...written } = scriptOf(catalogue, catalogue.steps, ci, {
      PAGES_URL: "$CI_PAGES_URL",
    });
    jobs.pages = {
      stage: "pages",
      rules: [{ if: isMain }],
      resource_group: "pages",
      ...written,
      artifacts: { paths: ["public"] },
    };
  }
  return print({
    stages: ["check", "plan", "build", ...(catalogue === undefined ? [] : ["pages"])],
    workflow: {
      auto_cancel: { on_new_commit: "interruptible" },
      rules: [
        {
          if: `${isMergeRequest} && ${label(buildLabels.withBase)}`,
          variables: {
            CHANGED_SINCE: "$CI_MERGE_REQUEST_DIFF_BASE_SHA",
            BASES: "always",
            ENVIRONMENT: ci.pullRequests,
          },
        },
        {
          if: isMergeRequest,
          variables: { CHANGED_SINCE: "$CI_MERGE_REQUEST_DIFF_BASE_SHA", ENVIRONMENT: ci.pullRequests },
        },
        { if: isSchedule, variables: { ENVIRONMENT: ci.main } },
        { if: byHand },
        {
          if: isMain,
          variables: { CHANGED_SINCE: "$CI_COMMIT_BEFORE_SHA", BASES: "changed", ENVIRONMENT: ci.main },
        },
      ],
    },
    variables: {
      MAIN_BRANCH: ci.branch,
      // The whole history: what changed is known from it.
      GIT_DEPTH: "0",
      CHANGED_SINCE: "",
      CONTAINER: {
        value: "",
        options: ["", ...pipeline.containers],
        description: "Container to build; empty: all.",
      },
      BASES: {
        value: "never",
        options: ["never", "changed", "always"],
        description: "Whether the base images are built first.",
      },
      ENVIRONMENT: {
        value: ci.pullRequests,
        options: ci.environments.map(({ name }) => name),
        description: "Where to publish.",
      },
    },
    default: defaults(configuration, version),
    ...jobs,
  });
}

/** What a child pipeline is made of. */
export interface ChildPipeline {
  readonly plan: CiPlan;
  readonly version: string;
  readonly parent: { readonly pipeline: string; readonly environment: string };
}

/**
 * The child pipeline of one architecture: a job a package, following the graph, then a job a container.
 *
 * @param plan what `ci plan` found out
 * @param parent the pipeline that has the plan as an artefact, and the environment that it publishes to
 */
export function gitlabChild(
  pipeline: Pipeline,
  configuration: Configuration,
  { plan, version, parent }: ChildPipeline,
): string {
  const { ci } = configuration;
  const { arch } = plan;
  const jobOf = (role: PipelineJob["role"]): PipelineJob | undefined =>
    pipeline.jobs.find((job) => job.role === role && job.arch === arch);
  const fromParent = { pipeline: parent.pipeline, job: `plan-${arch}` };
  const jobs: Record<string, Entry> = {};
  const bases: string[] = [];
  const baseJob = jobOf("bases");
  for (const { image } of baseJob === undefined ? [] : plan.bases) {
    bases.push(`base ${image}`);
    jobs[`base ${image}`] = {
      stage: "bases",
      needs: [fromParent],
      ...tagsOf(ci, arch),
      resource_group: `base-${image}-${arch}`,
      ...scriptOf(baseJob, baseJob?.steps ?? [], ci, { IMAGE: image }),
    };
  }
  const packages = plan.stages.flat().flatMap((job) => job.packages);
  const names = new Map(packages.map((one) => [one.hash, `package ${one.label}`]));
  const template = jobOf("packages");
  for (const one of template === undefined ? [] : packages) {
    const name = names.get(one.hash) ?? one.hash;
    const before = one.after.flatMap((hash) => names.get(hash) ?? []);
    jobs[name] = {
      stage: "packages",
      needs: [fromParent, ...gathered(jobs, name, [...bases, ...before])],
      interruptible: true,
      ...tagsOf(ci, arch),
      ...scriptOf(template, [locks, ...(template?.steps ?? [])], ci, { PACKAGE_JOB: one.hash }),
    };
  }
  const containerJob = jobOf("containers");
  for (const { name, packages: own } of containerJob === undefined ? [] : plan.containers) {
    const before = template === undefined ? [] : own.flatMap((hash) => names.get(hash) ?? []);
    const title = `container ${name}`;
    jobs[title] = {
      stage: "containers",
      needs: [fromParent, ...gathered(jobs, title, [...bases, ...before])],
      ...tagsOf(ci, arch),
      environment: { name: parent.environment, action: "prepare" },
      resource_group: `container-${name}-${arch}`,
      ...scriptOf(containerJob, [locks, ...(containerJob?.steps ?? [])], ci, { NAME: name }),
    };
  }
  // A pipeline without jobs is an error to GitLab.
  if (Object.keys(jobs).length === 0)
    jobs["nothing to do"] = {
      stage: "containers",
      variables: { GIT_STRATEGY: "none" },
      before_script: [],
      script: [`echo 'Nothing changed for ${arch}.'`],
    };
  return print({
    stages: ["bases", "packages", "containers"],
    variables: { GIT_DEPTH: "1", ENVIRONMENT: parent.environment },
    default: defaults(configuration, version),
    ...jobs,
  });
}

const locks: PipelineStep = {
  name: "Locks",
  run: ["if [ -d plan/locks ]; then cp -R plan/locks/. .; fi"],
  publishes: false,
};

/** Names of jobs to wait for; where there are too many, jobs that wait for some of them each are added. */
function gathered(jobs: Record<string, Entry>, name: string, before: readonly string[]): readonly string[] {
  // One is for the plan.
  if (before.length < mostNeeds) return before;
  const size = Math.ceil(before.length / Math.ceil(before.length / (mostNeeds - 1)));
  return Array.from({ length: Math.ceil(before.length / size) }, (_, index) => {
    const gate = `before ${name} ${index + 1}`;
    jobs[gate] = {
      stage: "packages",
      needs: before.slice(index * size, (index + 1) * size),
      variables: { GIT_STRATEGY: "none" },
      before_script: [],
      script: ["true"],
    };
    return gate;
  });
}

function scriptOf(
  job: PipelineJob | undefined,
  steps: readonly PipelineStep[],
  ci: CiConfiguration,
  variables: Readonly<Record<string, string>> = {},
): Entry {
  const usesAws = ci.oidc !== undefined && (job?.secrets.length ?? 0) > 0;
  const given = {
    ...variables,
    ...(steps.some(({ name }) => name === "Credentials")
      ? { CREDENTIALS: "$CI_PROJECT_DIR.tmp/credentials" }
      : {}),
    ...(ci.oidc?.role === undefined || !usesAws ? {} : { AWS_ROLE_ARN: ci.oidc.role }),
    ...(ci.oidc?.region === undefined || !usesAws ? {} : { AWS_REGION: ci.oidc.region }),
  };
  return {
    ...(Object.keys(given).length === 0 ? {} : { variables: given }),
    ...(usesAws ? { id_tokens: { SPACKTAINERS_ID_TOKEN: { aud: "sts.amazonaws.com" } } } : {}),
    ...((job?.keeps.length ?? 0) === 0 ? {} : { cache: cacheOf(job) }),
    script: steps.flatMap(({ name, run }) =>
      name === "Credentials" ? [...run, '. "$CREDENTIALS/environment.sh"'] : run,
    ),
    artifacts: {
      when: "always",
      paths: [...(job?.artefacts ?? [])],
      expire_in: "1 week",
      reports: { codequality: "report/code-quality.json" },
    },
  };
}

/** GitLab keeps what is below the project only. */
function cacheOf(job: PipelineJob | undefined): Entry {
  const kind = job?.role === "plan" || job?.role === "packages" ? "building" : "images";
  return {
    key: `spacktainers-${kind}-${job?.arch ?? "any"}`,
    paths: (job?.keeps ?? []).map((folder) => `.cache/spacktainers/${folder}`),
    policy: "pull-push",
  };
}

function defaults(configuration: Configuration, version: string): Entry {
  return {
    image: configuration.ci.gitlab.image,
    before_script: [
      "set -o pipefail",
      'export XDG_CACHE_HOME="$CI_PROJECT_DIR/.cache"',
      ...installCommands(configuration, version),
    ],
  };
}

function noticeJob(ci: CiConfiguration): Entry {
  return {
    stage: "check",
    needs: [],
    variables: { GIT_STRATEGY: "none" },
    before_script: [],
    rules: [
      { if: `${isMergeRequest} && ${label(buildLabels.containers)}`, when: "never" },
      { if: `${isMergeRequest} && ${label(buildLabels.withBase)}`, when: "never" },
      { if: isMergeRequest },
    ],
    script: [
      "echo 'Nothing is built for this merge request yet. To start a build, add a label:'",
      `echo '  ${buildLabels.containers}: the containers that changed, published to ${ci.pullRequests}'`,
      `echo '  ${buildLabels.withBase}: the builder and runtime images first, then these containers'`,
    ],
  };
}

/** Merge requests only with a label. */
function asked(): readonly Entry[] {
  return [
    { if: isSchedule, when: "never" },
    { if: `${isMergeRequest} && ${label(buildLabels.containers)}` },
    { if: `${isMergeRequest} && ${label(buildLabels.withBase)}` },
    { if: isMergeRequest, when: "never" },
    { when: "on_success" },
  ];
}

function notScheduled(): readonly Entry[] {
  return [{ if: isSchedule, when: "never" }, { when: "on_success" }];
}

function tagsOf({ gitlab }: CiConfiguration, arch: Architecture): Entry {
  const tags = gitlab.tags[arch];
  return tags.length === 0 ? {} : { tags: [...tags] };
}

function print(pipeline: object): string {
  const head =
    "# Written by `spacktainers ci gitlab`. Change `ci:` in spacktainers.yaml, not this file: `spacktainers ci check` compares.\n";
  return head + stringify(pipeline, { lineWidth: 0, aliasDuplicateObjects: false });
}
