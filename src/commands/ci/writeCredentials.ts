/** `ci credentials`: the documented variables of a pipeline, as the files that programs look for. */
import { appendFile, chmod, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipelineSecrets } from "../../ci/secrets.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { writeFileAtomically } from "../../util/atomicFile.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { makeDirectory } from "../../util/makeDirectory.ts";
import { shellWord } from "../../util/shellQuote.ts";

/** Profile of caches that name none. */
const cacheProfile = "spacktainers-cache";
/** Largest key that a variable may name the file of. */
const largestKey = 1 << 20;

/** What was written. */
export interface WrittenCredentials {
  /** Absolute folder. */
  readonly folder: string;
  /** Names of the variables that later steps have now. */
  readonly variables: readonly string[];
  /** Names of documented variables that are not set, though they are needed. */
  readonly missing: readonly string[];
}

/**
 * Writes what the variables of a pipeline hold into files that only this user can read: an AWS credentials file with a profile for
 * caches, a registry's credentials file. Later steps get the names of the files from `GITHUB_ENV`, if it is set, and from
 * `environment.sh` in the folder. Values are printed nowhere.
 *
 * @param output folder outside of the repository
 * @throws SpacktainersError CONFIG_INVALID, IO
 */
export async function writeCredentials({
  directory,
  output,
  env,
}: {
  readonly directory: string;
  readonly output: string;
  readonly env: NodeJS.ProcessEnv;
}): Promise<WrittenCredentials> {
  const { configuration } = await openSoundRepository(directory);
  const secrets = pipelineSecrets(configuration);
  await makeDirectory(output);
  await chmod(output, 0o700);
  const variables = new Map<string, string>();
  const given = (name: string): string | undefined => env[name] || undefined;
  const write = async (name: string, text: string): Promise<string> => {
    const path = join(output, name);
    await writeFileAtomically(path, text);
    await chmod(path, 0o600);
    return path;
  };

  const cache = pair(given("AWS_CACHE_ACCESS_KEY_ID"), given("AWS_CACHE_SECRET_ACCESS_KEY"));
  const infrastructure = pair(
    given("AWS_INFRASTRUCTURE_ACCESS_KEY_ID"),
    given("AWS_INFRASTRUCTURE_SECRET_ACCESS_KEY"),
  );
  const profiles = [
    ...(infrastructure === undefined ? [] : profile("default", infrastructure)),
    ...(cache === undefined ? [] : profile(cacheProfile, cache)),
    ...configuration.caches.flatMap(({ s3 }) =>
      cache === undefined ||
      s3.profile === undefined ||
      s3.profile === cacheProfile ||
      s3.profile === "default"
        ? []
        : profile(s3.profile, cache),
    ),
  ];
  if (profiles.length > 0)
    variables.set(
      "AWS_SHARED_CREDENTIALS_FILE",
      await write("aws", `${[...new Set(profiles)].join("\n")}\n`),
    );
  if (cache !== undefined) variables.set("AWS_CACHE_PROFILE", cacheProfile);

  const token = given("SPACKTAINERS_ID_TOKEN");
  if (token !== undefined) variables.set("AWS_WEB_IDENTITY_TOKEN_FILE", await write("aws-token", token));

  const auths = new Map<string, { readonly auth: string }>();
  for (const [host, user, password] of [
    ["ghcr.io", "GHCR_USER", "GHCR_TOKEN"],
    ["https://index.docker.io/v1/", "DOCKERHUB_USER", "DOCKERHUB_PASSWORD"],
  ] as const) {
    const [name, word] = [given(user), given(password)];
    if (name !== undefined && word !== undefined)
      auths.set(host, { auth: Buffer.from(`${name}:${word}`).toString("base64") });
  }
  if (auths.size > 0)
    variables.set(
      "REGISTRY_AUTH_FILE",
      await write("auth.json", `${JSON.stringify({ auths: Object.fromEntries(auths) }, undefined, 1)}\n`),
    );

  // Keys and passwords that the configuration names by variable. GitLab gives some of them as files.
  const documented = ["AWS_", "GHCR_", "DOCKERHUB_"];
  for (const { name, kind } of secrets) {
    const value = given(name);
    if (kind === "variable" || value === undefined || documented.some((prefix) => name.startsWith(prefix)))
      continue;
    variables.set(name, await contentsOf(value, name));
  }
  // These two are in a file already, unless the configuration names them itself.
  for (const { username, password } of configuration.registries)
    for (const reference of [username, password]) {
      const name = reference?.environmentVariable;
      const value = name === undefined ? undefined : given(name);
      if (name !== undefined && value !== undefined) variables.set(name, value);
    }

  await write(
    "environment.sh",
    [...variables].map(([name, value]) => `export ${name}=${shellWord(value)}\n`).join(""),
  );
  if (env.GITHUB_ENV) await appendFile(env.GITHUB_ENV, githubVariables(variables));
  return {
    folder: output,
    variables: [...variables.keys()],
    missing: secrets.flatMap(({ name, required }) => (required && isLacking(env, name) ? [name] : [])),
  };
}

/** Lines of a file of variables as GitHub reads it; values of several lines end with a word that is not in them. */
export function githubVariables(variables: ReadonlyMap<string, string>): string {
  return [...variables]
    .map(([name, value]) => {
      let end = "END";
      while (value.split(/\r?\n/).includes(end)) end += "_";
      return `${name}<<${end}\n${value}\n${end}\n`;
    })
    .join("");
}

/** GitHub gives a job the secrets that it names, empty where nobody set them; others are not its own. */
function isLacking(env: NodeJS.ProcessEnv, name: string): boolean {
  return env[name] === "" || (env[name] === undefined && env.GITHUB_ACTIONS !== "true");
}

function pair(id: string | undefined, secret: string | undefined): readonly [string, string] | undefined {
  if (id === undefined || secret === undefined) return undefined;
  for (const text of [id, secret])
    if (/[\r\n]/.test(text.trim()))
      throw new SpacktainersError("CONFIG_INVALID", "an AWS key has several lines", {
        hint: "set the variable again, without a line break in it",
      });
  return [id.trim(), secret.trim()];
}

function profile(name: string, [id, secret]: readonly [string, string]): readonly string[] {
  return [`[${name}]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`];
}

/** The value of a variable, or what is in the file that it names, as GitLab's variables of type `file` do. */
async function contentsOf(value: string, name: string): Promise<string> {
  if (!value.startsWith("/") || value.includes("\n")) return value;
  const found = await stat(value).catch(() => undefined);
  if (found?.isFile() !== true) return value;
  if (found.size > largestKey)
    throw new SpacktainersError("CONFIG_INVALID", `the file that ${name} names is too large for a key`);
  return readFile(value, "utf8");
}
