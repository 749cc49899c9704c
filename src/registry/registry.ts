/** A registry, and repositories in it: what all requests start from. */
import { openExchanges } from "../net/exchange.ts";
import type { RetryPolicy } from "../net/retry.ts";
import { ignoreEvents } from "../util/events.ts";
import { isLoopback, registryOrigin } from "./address.ts";
import { openAuthorizer } from "./authorizer.ts";
import { type CredentialOptions, openCredentials } from "./credentials.ts";
import type { RegistryHost, RepositoryName, RepositoryPath } from "./reference.ts";
import { openSession, type RegistrySession } from "./session.ts";

export interface RegistryOptions extends CredentialOptions {
  readonly host: RegistryHost;
  /** `http` allows plain HTTP. Default: HTTPS, or plain HTTP for a registry on this machine. */
  readonly scheme?: "http" | "https" | undefined;
  readonly userAgent?: string;
  /** Further attempts after a passing failure; default 4. */
  readonly retries?: number;
  /** First pause in milliseconds, doubled each time; default 300. */
  readonly retryDelayMs?: number;
  /** Milliseconds to wait for a connection; default 15 000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds of silence after which a connection counts as broken; default 30 000. */
  readonly idleTimeoutMs?: number;
}

/** A registry. Nothing is sent before something is asked of a repository. */
export interface Registry {
  readonly host: RegistryHost;
  /** Its API's URL, such as `https://registry-1.docker.io`. */
  readonly origin: string;
  repository(path: RepositoryPath): ImageRepository;
  /** Closes its connections. */
  close(): Promise<void>;
}

/** A repository: the first argument of everything that can be asked of one. */
export interface ImageRepository extends RepositoryName {
  readonly session: RegistrySession;
}

/** Opens a registry. Connections, tokens and credentials are shared by all its repositories. */
export function openRegistry(options: RegistryOptions): Registry {
  const { host } = options;
  const policy: RetryPolicy = {
    retries: options.retries ?? 4,
    delayMs: options.retryDelayMs ?? 300,
    emit: options.emit ?? ignoreEvents,
    signal: options.signal,
  };
  const origin = registryOrigin(host, options.scheme);
  // What may be plain HTTP because it does not leave this machine must not leave it through a proxy.
  const { hostname } = new URL(origin);
  const exchanges = openExchanges({ ...options, direct: isLoopback(hostname) ? [hostname] : [] });
  const source = openCredentials(host, options);
  const authorizer = openAuthorizer(`${origin}/`, source, { exchanges, policy });
  const session = openSession({ origin, exchanges, policy, authorizer, source });
  return {
    host,
    origin,
    repository: (path) => ({ host, path, session }),
    async close() {
      source.close();
      await exchanges.close();
    },
  };
}
