/** What a registry can be shown to say who asks, and where the program looks for it. */
import { type EmitEvent, ignoreEvents } from "../util/events.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { credentialFiles, findInCredentialFile } from "./credentialFile.ts";
import { ecrAuthority, isEcr } from "./ecr.ts";
import type { RegistryHost, RepositoryName } from "./reference.ts";
import type { Credentials, RegistryType, UserCredentials } from "./types.ts";

export interface CredentialOptions {
  readonly type?: RegistryType | undefined;
  /** These and no others. */
  readonly credentials?: UserCredentials | undefined;
  /** Environment variables; default those of the process. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly emit?: EmitEvent | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly retries?: number;
  readonly retryDelayMs?: number;
}

/** Knows the credentials of one registry. */
export interface CredentialSource {
  /**
   * The credentials for a repository, undefined when there are none: those given; for ECR those that AWS gives; those of
   * Podman's and Docker's files and their helpers; for GHCR `GITHUB_TOKEN`. Looked up once, and again when they have expired.
   *
   * @param renew those found before were refused: look for newer ones
   */
  find(repository: RepositoryName, renew?: boolean): Promise<Credentials | undefined>;
  /** Makes a repository that is not there; undefined when this registry makes repositories by itself. */
  readonly create: ((repository: RepositoryName) => Promise<void>) | undefined;
  /** What a user can do who was refused. */
  hint(found: Credentials | undefined): string;
  close(): void;
}

/** Credentials are renewed so long before they end, in milliseconds. */
const renewalMs = 60_000;

/** Opens the credentials of a registry. Nothing is read before they are asked for. */
export function openCredentials(host: RegistryHost, options: CredentialOptions): CredentialSource {
  const { credentials, env = hostEnvironment(), emit = ignoreEvents } = options;
  const ecr = options.type === "ecr" || isEcr(host) ? ecrAuthority(host, { ...options, emit }) : undefined;
  const ghcr = options.type === "ghcr" || host === "ghcr.io";
  const known = new Map<string, Promise<Credentials | undefined>>();

  async function search(repository: RepositoryName): Promise<Credentials | undefined> {
    if (credentials !== undefined) return { kind: "user", ...credentials, origin: "the configuration" };
    const fromAws = await ecr?.credentials();
    if (fromAws !== undefined) return fromAws;
    for (const file of credentialFiles(env)) {
      const found = await findInCredentialFile(file, repository, { env, emit, signal: options.signal });
      if (found !== undefined) return found;
    }
    const token = env.GITHUB_TOKEN;
    if (!ghcr || token === undefined || token === "") return undefined;
    // GHCR looks at the token alone, but wants a name.
    const username = env.GITHUB_ACTOR || "token";
    return { kind: "user", username, password: token, origin: "GITHUB_TOKEN", ambient: true };
  }

  return {
    async find(repository, renew = false) {
      const before = renew ? undefined : known.get(repository.path);
      const found = await before;
      if (before !== undefined && !(found?.expiresAt !== undefined && expired(found.expiresAt))) return found;
      if (renew) ecr?.forget();
      const searching = search(repository);
      known.set(repository.path, searching);
      searching.catch(() => known.delete(repository.path));
      return searching;
    },
    create: ecr?.create,
    hint(found) {
      if (found !== undefined) return `the credentials are from ${found.origin}`;
      if (ecr !== undefined)
        return "no AWS credentials were found: set AWS_PROFILE, or log in with `aws sso login`";
      const login = `log in with \`podman login ${host}\` or \`docker login ${host}\``;
      return `${login}, or name the variables with user name and password in the configuration`;
    },
    close: () => ecr?.close(),
  };

  function expired(at: number): boolean {
    return Date.now() > at - renewalMs;
  }
}
