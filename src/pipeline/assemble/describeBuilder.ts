import type { BuilderDescription } from "../../supply/imageDescription.ts";
import { localBuilder } from "../../supply/provenance.ts";
import { hostEnvironment } from "../../util/surroundings.ts";

/**
 * Who builds: the workflow of GitHub Actions, the runner of GitLab, else somebody's machine, which is not named.
 */
export function describeBuilder(env: NodeJS.ProcessEnv = hostEnvironment()): BuilderDescription {
  if (env.GITHUB_ACTIONS === "true" && env.GITHUB_WORKFLOW_REF !== undefined) {
    const server = env.GITHUB_SERVER_URL ?? "https://github.com";
    const run = env.GITHUB_RUN_ID;
    return {
      id: `${server}/${env.GITHUB_WORKFLOW_REF}`,
      invocation:
        run === undefined
          ? undefined
          : `${server}/${env.GITHUB_REPOSITORY ?? ""}/actions/runs/${run}/attempts/${env.GITHUB_RUN_ATTEMPT ?? "1"}`,
    };
  }
  if (env.GITLAB_CI === "true" && env.CI_PROJECT_URL !== undefined && env.CI_RUNNER_ID !== undefined)
    return { id: `${env.CI_PROJECT_URL}/-/runners/${env.CI_RUNNER_ID}`, invocation: env.CI_JOB_URL };
  return { id: localBuilder, invocation: undefined };
}
