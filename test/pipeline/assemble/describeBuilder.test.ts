import { expect, test } from "vitest";
import { describeBuilder } from "../../../src/pipeline/assemble/describeBuilder.ts";
import { localBuilder } from "../../../src/supply/provenance.ts";

test("a machine of somebody's is not named", () => {
  expect(describeBuilder({ HOSTNAME: "laptop" })).toEqual({ id: localBuilder, invocation: undefined });
});

test("a workflow of GitHub is named with its run and attempt", () => {
  expect(
    describeBuilder({
      GITHUB_ACTIONS: "true",
      GITHUB_WORKFLOW_REF: "group/images/.github/workflows/build.yml@refs/heads/main",
      GITHUB_REPOSITORY: "group/images",
      GITHUB_RUN_ID: "12",
      GITHUB_RUN_ATTEMPT: "2",
    }),
  ).toEqual({
    id: "https://github.com/group/images/.github/workflows/build.yml@refs/heads/main",
    invocation: "https://github.com/group/images/actions/runs/12/attempts/2",
  });
});

test("a runner of GitLab is named with its job", () => {
  expect(
    describeBuilder({
      GITLAB_CI: "true",
      CI_PROJECT_URL: "https://gitlab.example/group/images",
      CI_RUNNER_ID: "7",
      CI_JOB_URL: "https://gitlab.example/group/images/-/jobs/3",
    }),
  ).toEqual({
    id: "https://gitlab.example/group/images/-/runners/7",
    invocation: "https://gitlab.example/group/images/-/jobs/3",
  });
});
