/**
 * The files in which Podman (`containers-auth.json(5)`) and Docker (`config.json`) keep credentials. Both have one format:
 * `auths` by registry or repository, `credHelpers` by registry, `credsStore` for all.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { isJsonObject, type JsonObject } from "../util/json.ts";
import { readBounded } from "../util/readBounded.ts";
import { askCredentialHelper } from "./credentialHelper.ts";
import { dockerHub, type RepositoryName } from "./reference.ts";
import type { Credentials } from "./types.ts";

/** Longer files are no credential files. */
const maxFileBytes = 4 * 2 ** 20;

/**
 * Credential files in the order in which they are read. `REGISTRY_AUTH_FILE` is the only one when it is set, as for Podman.
 */
export function credentialFiles(env: NodeJS.ProcessEnv): readonly string[] {
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE];
  const home = env.HOME || homeDirectory();
  const config = env.XDG_CONFIG_HOME || (home === undefined ? undefined : join(home, ".config"));
  return [
    env.DOCKER_CONFIG && join(env.DOCKER_CONFIG, "config.json"),
    env.XDG_RUNTIME_DIR && join(env.XDG_RUNTIME_DIR, "containers/auth.json"),
    config && join(config, "containers/auth.json"),
    !env.DOCKER_CONFIG && home && join(home, ".docker/config.json"),
  ].filter((path): path is string => typeof path === "string" && path !== "");
}

function homeDirectory(): string | undefined {
  try {
    return homedir();
  } catch {
    // A user without an entry in the user database, as in containers.
    return undefined;
  }
}

export interface CredentialFileOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks for the credentials of a repository in one file: of the registry's helper, of the store, then of the entries, the
 * longest that the repository's name begins with first. A file that is not there has none. A file that cannot be read (it is
 * another user's) and a helper that fails are warnings, since what is wanted may be public.
 *
 * @throws CONFIG_INVALID when the file is malformed; INTERRUPTED
 */
export async function findInCredentialFile(
  path: string,
  repository: RepositoryName,
  options: CredentialFileOptions,
): Promise<Credentials | undefined> {
  const file = await readCredentialFile(path, options.emit);
  if (file === undefined) return undefined;
  const helpers = isJsonObject(file.credHelpers) ? file.credHelpers : {};
  for (const helper of [helperFor(helpers, repository.host), file.credsStore]) {
    if (typeof helper !== "string" || helper === "") continue;
    const found = await askCredentialHelper(helper, serverName(repository.host), options).catch((thrown) => {
      const error = asSpacktainersError(thrown, { file: path });
      if (error.code === "INTERRUPTED") throw error;
      options.emit({ type: "warning", code: error.code, message: error.message, place: { file: path } });
      return undefined;
    });
    if (found !== undefined) return found;
  }
  const auths = isJsonObject(file.auths) ? file.auths : {};
  return entryFor(auths, repository, path);
}

async function readCredentialFile(path: string, emit: EmitEvent): Promise<JsonObject | undefined> {
  const bytes = await readBounded(path, maxFileBytes).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === "ENOENT" || thrown.code === "ENOTDIR") return null;
    const { code, message } = asSpacktainersError(thrown, { file: path });
    emit({ type: "warning", code, message: `credentials not read: ${message}`, place: { file: path } });
    return null;
  });
  if (bytes === null) return undefined;
  const malformed = (what: string): SpacktainersError =>
    // Nothing of the content is shown, and no cause: it is full of secrets.
    new SpacktainersError("CONFIG_INVALID", `the file with credentials ${what}`, { place: { file: path } });
  if (bytes === undefined) throw malformed("is too long");
  const text = bytes.toString("utf8").trim();
  if (text === "") return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw malformed("is not JSON");
  }
  if (!isJsonObject(json)) throw malformed("is not a JSON object");
  return json;
}

function helperFor(helpers: JsonObject, host: string): unknown {
  for (const [key, helper] of Object.entries(helpers)) if (normalizedKey(key) === host) return helper;
  return undefined;
}

function entryFor(auths: JsonObject, repository: RepositoryName, path: string): Credentials | undefined {
  const entries = new Map<string, JsonObject>();
  for (const [key, value] of Object.entries(auths)) {
    const name = normalizedKey(key);
    // The key as it is now written goes before the forms of old.
    if (isJsonObject(value) && (name === key || !entries.has(name))) entries.set(name, value);
  }
  const parts = repository.path.split("/");
  for (let length = parts.length; length >= 0; length--) {
    const key = [repository.host, ...parts.slice(0, length)].join("/");
    const entry = entries.get(key);
    const found = entry === undefined ? undefined : credentialsOf(entry, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Keys were URLs (`https://index.docker.io/v1/`) once; now they are `HOST` or `HOST/PATH`. */
function normalizedKey(key: string): string {
  const url = /^https?:\/\/([^/]*)/.exec(key);
  const name = url === null ? key.replace(/\/$/, "") : (url[1] ?? "");
  return name.replace(/^(index\.docker\.io|registry-1\.docker\.io)(?=\/|$)/, dockerHub);
}

function credentialsOf(entry: JsonObject, path: string): Credentials | undefined {
  const { auth, identitytoken, registrytoken, username, password } = entry;
  const origin = path;
  if (typeof identitytoken === "string" && identitytoken !== "")
    return { kind: "identity", token: identitytoken, origin };
  if (typeof registrytoken === "string" && registrytoken !== "")
    return { kind: "bearer", token: registrytoken, origin };
  if (typeof auth === "string" && auth !== "") {
    const pair = Buffer.from(auth, "base64").toString("utf8");
    const colon = pair.indexOf(":");
    // Docker once filled up with zero bytes.
    if (colon > 0)
      return {
        kind: "user",
        username: pair.slice(0, colon),
        password: pair.slice(colon + 1).replace(/\0+$/, ""),
        origin,
      };
    throw new SpacktainersError("CONFIG_INVALID", "an entry of the file with credentials is malformed", {
      place: { file: path },
      hint: "log in again",
    });
  }
  if (typeof username === "string" && typeof password === "string" && username !== "")
    return { kind: "user", username, password, origin };
  return undefined;
}

/** How helpers know a registry: by its host, Docker Hub by an old URL. */
function serverName(host: string): string {
  return host === dockerHub ? "https://index.docker.io/v1/" : host;
}
