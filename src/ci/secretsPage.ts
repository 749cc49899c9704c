/** The page beside the workflows that says which secrets and variables they take. */
import type { Configuration } from "../definitions/configuration.ts";
import { buildLabels } from "./githubWorkflow.ts";
import type { Pipeline } from "./pipeline.ts";

/** Where the page lies, by who runs the pipelines. */
export const secretsPages = { github: ".github/spacktainers.md", gitlab: ".gitlab/spacktainers.md" } as const;

/** The page, as Markdown. */
export function secretsPage(
  host: keyof typeof secretsPages,
  pipeline: Pipeline,
  { ci }: Configuration,
): string {
  const where =
    host === "github"
      ? "Settings, Secrets and variables, Actions; those of one environment belong to the environment."
      : "Settings, CI/CD, Variables; masked, and protected where only protected branches publish. Keys can be of type file.";
  const request = host === "github" ? "pull request" : "merge request";
  const rows = [
    ...pipeline.secrets.map(
      ({ name, kind, purpose, required }) =>
        `| \`${name}\` | ${kind}${required ? "" : ", optional"} | ${purpose} |`,
    ),
    ...[...ci.secrets].map(
      ([name, purpose]) => `| \`${name}\` | secret of other workflows | ${cell(purpose)} |`,
    ),
  ];
  return `<!-- Written by \`spacktainers ci ${host}\`; \`spacktainers ci check\` compares. -->
# Pipelines

| Event | Effect |
|---|---|
| a ${request} is opened | the pipeline checks definitions and pipelines; a comment names the label that starts a build |
| it has the label \`${buildLabels.containers}\` | the pipeline builds and tests the containers that changed, and publishes them to ${ci.pullRequests} |
| it has the label \`${buildLabels.withBase}\` | the pipeline makes the builder and runtime images first |
| \`${ci.branch}\` changes | the pipeline publishes the base images and containers that changed to ${ci.main} |
| you start it manually | the pipeline publishes one container or all, to ${ci.environments.map(({ name }) => name).join(", ")} |
${ci.rebase === undefined ? "" : `| ${host === "github" ? `\`${ci.rebase}\` (UTC)` : "on the schedule"} | the pipeline puts published images on the newest base |\n`}${ci.catalogue ? cataloguePublished(host, ci.branch) : ""}
## Secrets and variables

${rows.length === 0 ? "This pipeline needs none." : `${where}\n\n| Name | Kind | Purpose |\n|---|---|---|\n${rows.join("\n")}`}
${ci.oidc === undefined ? "" : "\nJobs use AWS through OpenID Connect, so no AWS key is stored.\n"}`;
}

function cataloguePublished(host: keyof typeof secretsPages, branch: string): string {
  return host === "github"
    ? `| images may have been published from \`${branch}\` | the pipeline publishes the catalogue of the containers. In Settings, Pages, the source must be GitHub Actions |\n`
    : `| \`${branch}\` changes, and on the schedule | the pipeline publishes the catalogue of the containers on GitLab Pages. Settings, General, Visibility determines who may read it |\n`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
