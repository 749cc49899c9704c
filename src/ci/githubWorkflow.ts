/** Pipelines as workflows of GitHub Actions. */
import { stringify } from "yaml";
import type { CiConfiguration, Runner } from "../definitions/ciConfiguration.ts";
import type { Configuration } from "../definitions/configuration.ts";
import { catalogueWorkflow } from "./githubCatalogue.ts";
import { installCommands, type Pipeline, type PipelineJob } from "./pipeline.ts";

/** Where the workflows lie in a repository. */
export const githubFiles = {
  containers: ".github/workflows/spacktainers.yml",
  rebase: ".github/workflows/spacktainers-rebase.yml",
  catalogue: ".github/workflows/spacktainers-catalogue.yml",
  labels: ".github/actionlint.yaml",
} as const;

/** Actions that are used, at their major versions. */
const actions = {
  checkout: "actions/checkout@v4",
  node: "actions/setup-node@v4",
  cache: "actions/cache@v4",
  upload: "actions/upload-artifact@v4",
  download: "actions/download-artifact@v4",
  aws: "aws-actions/configure-aws-credentials@v4",
} as const;

/** Labels of pull requests that have something built. */
export const buildLabels = { containers: "build", withBase: "build-with-base" } as const;

/** The first line of each file. */
const head =
  "# Written by `spacktainers ci github`. Change `ci:` in spacktainers.yaml, not this file: `spacktainers ci check` compares.\n";

type Step = Readonly<Record<string, unknown>>;

const isPullRequest = "github.event_name == 'pull_request'";
const hasLabel = (label: string): string => `contains(github.event.pull_request.labels.*.name, '${label}')`;
const isAsked = `github.event_name != 'pull_request' || ${hasLabel(buildLabels.containers)} || ${hasLabel(buildLabels.withBase)}`;
const isOurs = "github.event_name != 'pull_request' || !github.event.pull_request.head.repo.fork";

/**
 * The workflows by path.
 *
 * @param version of this program, which jobs install
 */
export function githubWorkflows(
  pipeline: Pipeline,
  configuration: Configuration,
  version: string,
): ReadonlyMap<string, string> {
  const files = new Map([
    [githubFiles.containers as string, containersWorkflow(pipeline, configuration, version)],
  ]);
  if (pipeline.rebase !== undefined)
    files.set(githubFiles.rebase, rebaseWorkflow(pipeline.rebase, configuration, version));
  if (pipeline.catalogue !== undefined) {
    const { ci } = configuration;
    const after = ["containers", ...(pipeline.rebase === undefined ? [] : ["rebase"])];
    const job = jobOf(pipeline.catalogue, configuration, version);
    const workflow = catalogueWorkflow(job, { ci, deployer: runsOn(ci.runners.small), after });
    files.set(githubFiles.catalogue, print(workflow));
  }
  const labels = ownLabels(configuration.ci);
  if (labels.length > 0)
    files.set(githubFiles.labels, head + stringify({ "self-hosted-runner": { labels } }, { lineWidth: 0 }));
  return files;
}

/** Labels of runners that are not GitHub's, for actionlint. */
function ownLabels({ runners }: CiConfiguration): readonly string[] {
  const known = /^(?:ubuntu|windows|macos)-|^(?:self-hosted|linux|x64|arm|arm64)$/i;
  const all = Object.values(runners).flatMap((runner) =>
    runner.kind === "labels"
      ? runner.labels
      : runner.size === undefined
        ? []
        : [`instance-size:${runner.size}`],
  );
  return [...new Set(all)].filter((label) => !known.test(label) && !label.includes("${{")).sort();
}

function containersWorkflow(pipeline: Pipeline, configuration: Configuration, version: string): string {
  const { ci } = configuration;
  const names = ci.environments.map(({ name }) => name);
  return print({
    name: "containers",
    on: {
      push: { branches: [ci.branch] },
      pull_request: { types: ["opened", "reopened", "labeled", "synchronize", "edited"] },
      workflow_dispatch: {
        inputs: {
          container: {
            description: "Container to build",
            type: "choice",
            options: ["all", ...pipeline.containers],
            default: "all",
          },
          base: { description: "Build the base images first", type: "boolean", default: false },
          environment: {
            description: "Where to publish",
            type: "choice",
            options: names,
            default: ci.pullRequests,
          },
        },
      },
    },
    permissions: { contents: "read" },
    concurrency: {
      group: `containers-${expression("github.event.pull_request.number || github.run_id")}`,
      "cancel-in-progress": expression(isPullRequest),
    },
    defaults: { run: { shell: "bash" } },
    env: { FORCE_COLOR: "0" },
    jobs: Object.fromEntries(
      pipeline.jobs.map((job) => [
        job.id,
        job.role === "notice" ? noticeJob(job, ci) : jobOf(job, configuration, version),
      ]),
    ),
  });
}

function rebaseWorkflow(job: PipelineJob, configuration: Configuration, version: string): string {
  const { ci } = configuration;
  return print({
    name: "rebase",
    on: { schedule: [{ cron: ci.rebase }], workflow_dispatch: {} },
    permissions: { contents: "read" },
    concurrency: { group: "rebase", "cancel-in-progress": false },
    defaults: { run: { shell: "bash" } },
    env: { FORCE_COLOR: "0" },
    jobs: { [job.id]: jobOf(job, configuration, version) },
  });
}

function jobOf(
  job: PipelineJob,
  configuration: Configuration,
  version: string,
): Step & { readonly steps: readonly Step[] } {
  const { ci } = configuration;
  const { role } = job;
  const publishes = role === "bases" || role === "containers" || role === "rebase";
  const usesAws = ci.oidc !== undefined && job.secrets.length + (publishes ? 1 : 0) > 0;
  const matrix = matrixOf(job);
  const condition = conditionOf(job);
  return {
    name: matrix === undefined ? job.title : `${job.title}: \${{ ${matrix.title} }}`,
    ...(job.needs.length === 0 ? {} : { needs: [...job.needs] }),
    ...(condition === undefined ? {} : { if: expression(condition) }),
    "runs-on": runsOn(
      job.arch === undefined || role === "plan" ? smallRunner(job, ci) : ci.runners[job.arch],
    ),
    ...(usesAws || publishes
      ? {
          permissions: {
            contents: "read",
            ...(usesAws ? { "id-token": "write" } : {}),
            ...(publishes ? { packages: "write" } : {}),
          },
        }
      : {}),
    // Secrets may be those of the environment.
    ...(publishes || (role === "catalogue" && job.secrets.length > 0)
      ? { environment: environmentOf(ci, role) }
      : {}),
    ...(matrix === undefined
      ? {}
      : { strategy: { "fail-fast": false, matrix: { [matrix.key]: `\${{ fromJSON(${matrix.from}) }}` } } }),
    // A run that waits is given up for a newer one: of a container that is right, of a whole run it would lose what changed in between.
    ...(role === "containers"
      ? {
          concurrency: {
            group: `${job.id}-${expression("matrix.container")}-${expression("github.ref")}`,
            "cancel-in-progress": false,
          },
        }
      : {}),
    ...(role === "plan" ? { outputs: outputsOf(ci) } : {}),
    ...withEnv(variablesOf(job, ci)),
    steps: [
      {
        uses: actions.checkout,
        with: {
          ...(role === "plan" || role === "catalogue" ? { "fetch-depth": 0 } : {}),
          "persist-credentials": false,
        },
      },
      { uses: actions.node, with: { "node-version": ci.node } },
      { name: "Install", run: lines(installCommands(configuration, version)) },
      ...(job.takesPlan ? planSteps(job) : []),
      ...(job.keeps.length === 0 ? [] : [cacheStep(job)]),
      ...(usesAws ? [awsStep(ci)] : []),
      ...job.steps.map((step, index) => ({
        name: step.name,
        ...(step.publishes ? { if: expression(isOurs) } : {}),
        ...(role === "plan" && step.name === "Plan" ? { id: "plan" } : {}),
        ...(index === 0 && step.name === "Credentials" ? { env: secretsOf(job) } : {}),
        run: lines(step.run),
      })),
      ...artefactSteps(job),
    ],
  };
}

/** A plan lets Spack choose where caches cannot: it needs a machine of its architecture, but no large one. */
function smallRunner(job: PipelineJob, ci: CiConfiguration): Runner {
  return job.arch === undefined || job.arch === "amd64" ? ci.runners.small : ci.runners[job.arch];
}

function conditionOf(job: PipelineJob): string | undefined {
  const plan = `needs.plan-${job.arch}`;
  const bases = job.needs
    .filter((id) => id.startsWith("bases-"))
    .map((id) => `needs.${id}.result != 'failure'`);
  // `!cancelled()`: what a failed job should have made others may do without.
  const after = (output: string): string =>
    ["!cancelled()", `${plan}.result == 'success'`, ...bases, `${plan}.outputs.${output} != '[]'`].join(
      " && ",
    );
  switch (job.role) {
    case "plan":
      return isAsked;
    case "bases":
      return `${plan}.outputs.bases != '[]'`;
    case "packages":
      return after(`packages-${job.stage}`);
    case "containers":
      return after("containers");
    default:
      return undefined;
  }
}

function matrixOf(
  job: PipelineJob,
): { readonly key: string; readonly from: string; readonly title: string } | undefined {
  const output = (name: string): string => `needs.plan-${job.arch}.outputs.${name}`;
  switch (job.role) {
    case "bases":
      return { key: "image", from: output("bases"), title: "matrix.image" };
    case "packages":
      return { key: "job", from: output(`packages-${job.stage}`), title: "matrix.job.packages" };
    case "containers":
      return { key: "container", from: output("containers"), title: "matrix.container" };
    default:
      return undefined;
  }
}

function outputsOf({ stages }: CiConfiguration): Readonly<Record<string, string>> {
  const names = [
    "bases",
    "containers",
    ...Array.from({ length: stages }, (_, index) => `packages-${index + 1}`),
  ];
  return Object.fromEntries(names.map((name) => [name, `\${{ steps.plan.outputs.${name} }}`]));
}

function variablesOf(job: PipelineJob, ci: CiConfiguration): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const { name, kind } of job.secrets) if (kind === "variable") variables[name] = `\${{ vars.${name} }}`;
  if (ci.oidc?.region !== undefined && job.secrets.length > 0) variables.AWS_REGION = ci.oidc.region;
  if (job.role === "plan") {
    variables.CONTAINER = expression("inputs.container != 'all' && inputs.container || ''");
    variables.CHANGED_SINCE = `\${{ ${isPullRequest} && github.event.pull_request.base.sha || github.event_name == 'push' && github.event.before || '' }}`;
    variables.BASES = `\${{ github.event_name == 'push' && 'changed' || (inputs.base || ${hasLabel(buildLabels.withBase)}) && 'always' || 'never' }}`;
  }
  if (job.role === "containers") variables.NAME = expression("matrix.container");
  if (job.role === "bases") variables.IMAGE = expression("matrix.image");
  if (job.role === "packages") variables.PACKAGE_JOB = expression("matrix.job.id");
  if (job.role === "containers" || job.role === "rebase") variables.ENVIRONMENT = environmentOf(ci, job.role);
  return variables;
}

/** The expression that names the environment. */
function environmentOf(ci: CiConfiguration, role: PipelineJob["role"]): string {
  if (role === "rebase" || role === "catalogue") return ci.main;
  return `\${{ inputs.environment || ${isPullRequest} && '${ci.pullRequests}' || '${ci.main}' }}`;
}

/** Secrets are seen by one step, which makes files of them that no other user can read. */
function secretsOf(job: PipelineJob): Readonly<Record<string, string>> {
  return {
    CREDENTIALS: `${expression("runner.temp")}/credentials`,
    ...Object.fromEntries(
      job.secrets
        .filter(({ kind }) => kind === "secret")
        .map(({ name }) => [name, `\${{ secrets.${name} }}`]),
    ),
  };
}

function planSteps(job: PipelineJob): readonly Step[] {
  return [
    { uses: actions.download, with: { name: `plan-${job.arch}`, path: "plan" } },
    { name: "Locks", run: "if [ -d plan/locks ]; then cp -R plan/locks/. .; fi" },
  ];
}

function cacheStep(job: PipelineJob): Step {
  const kind = job.role === "plan" || job.role === "packages" ? "building" : "images";
  const prefix = `spacktainers-${kind}-${job.arch ?? "any"}-`;
  return {
    uses: actions.cache,
    with: {
      path: lines(job.keeps.map((folder) => `~/.cache/spacktainers/${folder}`)),
      key: `${prefix}\${{ hashFiles('spacktainers.yaml', '**/spack.yaml', '**/spack.lock') }}`,
      "restore-keys": prefix,
    },
  };
}

function awsStep({ oidc }: CiConfiguration): Step {
  return {
    uses: actions.aws,
    with: {
      "role-to-assume": oidc?.role ?? expression("vars.AWS_ROLE_ARN"),
      "aws-region": oidc?.region ?? expression("vars.AWS_REGION"),
    },
  };
}

function artefactSteps(job: PipelineJob): readonly Step[] {
  const matrix = {
    bases: "matrix.image",
    packages: "matrix.job.id",
    containers: "matrix.container",
  } as const;
  const suffix = job.role in matrix ? `-\${{ ${matrix[job.role as keyof typeof matrix]} }}` : "";
  return job.artefacts.map((folder) => ({
    uses: actions.upload,
    if: folder === "report" ? expression("!cancelled()") : expression("success()"),
    with: {
      name: folder === "plan" ? job.id : `${folder}-${job.id}${suffix}`,
      path: folder,
      "if-no-files-found": "ignore",
    },
  }));
}

function noticeJob(job: PipelineJob, ci: CiConfiguration): Step {
  const text = [
    "Nothing is built for this pull request yet. To start a build, add a label:",
    "",
    `- \`${buildLabels.containers}\`: the containers that changed, published to ${ci.pullRequests}`,
    `- \`${buildLabels.withBase}\`: the builder and runtime images first, then these containers`,
  ].join("\n");
  return {
    name: job.title,
    if: `\${{ ${isPullRequest} && (github.event.action == 'opened' || github.event.action == 'reopened') && !${hasLabel(buildLabels.containers)} && !${hasLabel(buildLabels.withBase)} && !github.event.pull_request.head.repo.fork }}`,
    "runs-on": runsOn(ci.runners.small),
    permissions: { "pull-requests": "write" },
    env: {
      GH_TOKEN: expression("github.token"),
      NUMBER: expression("github.event.pull_request.number"),
      BODY: text,
    },
    steps: [{ name: "Comment", run: 'gh pr comment "$NUMBER" --repo "$GITHUB_REPOSITORY" --body "$BODY"' }],
  };
}

function withEnv(env: Readonly<Record<string, string>>): Step {
  return Object.keys(env).length === 0 ? {} : { env };
}

/** Something that GitHub works out. */
function expression(text: string): string {
  return `\${{ ${text} }}`;
}

/** `runs-on`: a label, or several. */
function runsOn(runner: Runner): string | readonly string[] {
  if (runner.kind === "codebuild") {
    const label = `codebuild-${runner.project}-\${{ github.run_id }}-\${{ github.run_attempt }}`;
    return runner.size === undefined ? label : [label, `instance-size:${runner.size}`];
  }
  const [only, ...others] = runner.labels;
  return only !== undefined && others.length === 0 ? only : runner.labels;
}

function lines(texts: readonly string[]): string {
  return texts.join("\n");
}

function print(workflow: object): string {
  return head + stringify(workflow, { lineWidth: 0, aliasDuplicateObjects: false });
}
