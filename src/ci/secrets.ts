/** The secrets and variables that jobs of a pipeline take from the host of the repository. */
import type { Configuration } from "../definitions/configuration.ts";

/** What a job does with a secret. */
export type SecretScope = "caches" | "sign" | "publish" | "pull";

/** A secret, or a variable that is none. */
export interface PipelineSecret {
  readonly name: string;
  readonly kind: "secret" | "variable";
  /** What it is, for people: continues "NAME: ". */
  readonly purpose: string;
  /** What the jobs do that need it. */
  readonly scopes: readonly SecretScope[];
  /** False: jobs do without where it is not set. */
  readonly required: boolean;
}

/**
 * What the pipelines of a configuration take: by documented names, and by those that the configuration uses itself
 * (`$NAME`, `env://NAME`).
 *
 * @returns each name once, in the order in which they are documented
 */
export function pipelineSecrets(configuration: Configuration): readonly PipelineSecret[] {
  const { ci, caches, registries, signing, base } = configuration;
  const found: PipelineSecret[] = [];
  const add = (
    scope: SecretScope,
    required: boolean,
    names: Readonly<Record<string, string>>,
    kind: PipelineSecret["kind"] = "secret",
  ): void => {
    for (const [name, purpose] of Object.entries(names)) {
      const at = found.findIndex((one) => one.name === name);
      const known = found[at];
      if (known === undefined) found.push({ name, kind, purpose, scopes: [scope], required });
      else if (!known.scopes.includes(scope)) found[at] = { ...known, scopes: [...known.scopes, scope] };
    }
  };
  const hasBuckets = caches.some(({ url, s3 }) => url.startsWith("s3:") && s3.anonymous !== true);
  const publishesToAws =
    registries.some(
      ({ type, url }) => type === "ecr" || /\.amazonaws\.com(?:[/:]|$)|\.on\.aws(?:[/:]|$)/.test(url),
    ) || ci.environments.some(({ sif }) => sif?.startsWith("s3:") === true);
  for (const scope of [
    ...(hasBuckets ? ["caches" as const] : []),
    ...(publishesToAws ? ["publish" as const] : []),
  ]) {
    if (ci.oidc?.region === undefined)
      add(scope, true, { AWS_REGION: "region of buckets and registries" }, "variable");
    if (ci.oidc !== undefined && ci.oidc.role === undefined)
      add(scope, true, { AWS_ROLE_ARN: "role that jobs assume through OpenID Connect" }, "variable");
  }
  if (hasBuckets && ci.oidc === undefined)
    add("caches", true, {
      AWS_CACHE_ACCESS_KEY_ID: "access to the buckets of build caches",
      AWS_CACHE_SECRET_ACCESS_KEY: "belongs to AWS_CACHE_ACCESS_KEY_ID",
    });
  if (publishesToAws && ci.oidc === undefined)
    add("publish", true, {
      AWS_INFRASTRUCTURE_ACCESS_KEY_ID: "access to ECR and to the bucket of SIF files",
      AWS_INFRASTRUCTURE_SECRET_ACCESS_KEY: "belongs to AWS_INFRASTRUCTURE_ACCESS_KEY_ID",
    });
  for (const name of namedVariables(caches)) add("sign", true, { [name]: purposeOf(name, "signs packages") });
  if (namedVariables(caches).length > 0)
    add("sign", false, { SPACKTAINERS_SIGNING_PASSPHRASE: "passphrase of the key that signs packages" });
  if (caches.some(({ url }) => /^oci(?:\+https?)?:\/\/ghcr\.io\//.test(url))) add("caches", true, ghcrAccess);
  for (const { url, type, username, password } of registries) {
    const ghcr = type === "ghcr" || /^ghcr\.io(?:\/|$)/.test(url);
    if (ghcr && username === undefined && password === undefined) add("publish", true, ghcrAccess);
    if (username !== undefined) add("publish", true, { [username.environmentVariable]: `user of ${url}` });
    if (password !== undefined)
      add("publish", true, { [password.environmentVariable]: `password for ${url}` });
  }
  for (const name of namedVariables(signing)) add("publish", true, { [name]: "signs images" });
  if (signing.key !== undefined)
    add("publish", false, { COSIGN_PASSWORD: "password of the key that signs images" });
  if (base.kind === "image" && isDockerHub(base.reference))
    add("pull", false, {
      DOCKERHUB_USER: "user of Docker Hub, for more downloads",
      DOCKERHUB_PASSWORD: "belongs to DOCKERHUB_USER",
    });
  return found;
}

const ghcrAccess = {
  GHCR_USER: "user of GitHub's container registry",
  GHCR_TOKEN: "token of that user that may write packages",
};

/** Whether a reference is one of Docker Hub. */
function isDockerHub(reference: string): boolean {
  const [first = "", second] = reference.split("/");
  return (
    second === undefined ||
    !/[.:]|^localhost$/.test(first) ||
    /^(?:registry-1\.|index\.)?docker\.io$/.test(first)
  );
}

function purposeOf(name: string, otherwise: string): string {
  if (name === "SPACK_DEPLOYMENT_KEY_PRIVATE") return "private OpenPGP key that signs packages";
  if (name === "SPACK_DEPLOYMENT_KEY_PUBLIC") return "public half of it";
  return otherwise;
}

/** Variables that values name as `env://NAME`. */
function namedVariables(value: unknown): readonly string[] {
  const names = new Set<string>();
  JSON.stringify(value, (_, inner: unknown) => {
    const name =
      typeof inner === "string" ? /^env:\/\/([A-Za-z_][A-Za-z0-9_]*)$/.exec(inner)?.[1] : undefined;
    if (name !== undefined) names.add(name);
    return inner;
  });
  return [...names];
}
