import { givenEnvironment } from "../util/surroundings.ts";

/** Who the AWS SDK is to be, and where. What is left out it finds by itself. */
export interface SdkIdentity {
  readonly region?: string;
  readonly profile?: string;
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/**
 * The AWS SDK looks at the variables of the process only. Where the work has variables of its own, this is what they say: keys, else
 * a profile, and the region.
 */
export function sdkIdentity(env = givenEnvironment()): SdkIdentity {
  if (env === undefined) return {};
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  const { AWS_SESSION_TOKEN: sessionToken, AWS_PROFILE: profile } = env;
  const region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION;
  return {
    ...(region ? { region } : {}),
    ...(accessKeyId && secretAccessKey
      ? { credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } }
      : profile
        ? { profile }
        : {}),
  };
}
