import { expect, it } from "vitest";
import { sdkIdentity } from "../../src/net/sdkIdentity.ts";
import { withSurroundings } from "../../src/util/surroundings.ts";

it("leaves everything to the SDK where the work has no variables of its own", () => {
  expect(sdkIdentity()).toEqual({});
});

it("says what the variables of the work say: keys before a profile", () => {
  const env = { AWS_PROFILE: "lab", AWS_DEFAULT_REGION: "eu-west-1" };
  const keys = { AWS_ACCESS_KEY_ID: "AKIA", AWS_SECRET_ACCESS_KEY: "s", AWS_SESSION_TOKEN: "t" };
  const identity = (variables: NodeJS.ProcessEnv) =>
    withSurroundings({ env: variables, cacheDirectory: undefined }, () => sdkIdentity());
  expect(identity(env)).toEqual({ region: "eu-west-1", profile: "lab" });
  expect(identity({ ...env, ...keys, AWS_REGION: "us-west-2" })).toEqual({
    region: "us-west-2",
    credentials: { accessKeyId: "AKIA", secretAccessKey: "s", sessionToken: "t" },
  });
  expect(identity({ AWS_ACCESS_KEY_ID: "AKIA" })).toEqual({});
});
