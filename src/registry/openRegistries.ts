/** Registries by their hosts, with what is configured of them. */
import { asSpacktainersError, SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { parseRegistryEndpoint, registryOrigin } from "./address.ts";
import type { RegistryHost, RepositoryName } from "./reference.ts";
import { type ImageRepository, openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import { type RegistrySettings, settingsOf } from "./registrySettings.ts";
import type { UserCredentials } from "./types.ts";

/** Registries, each opened once. */
export interface Registries {
  /** A repository: with what the configuration says of its registry, else with the machine's own credentials. */
  repository(name: RepositoryName): ImageRepository;
  close(): Promise<void>;
}

/** What opening registries takes. */
export interface RegistriesOptions {
  readonly configured: readonly RegistrySettings[];
  /**
   * Nothing will be written. Where a variable that the configuration names for a secret is not set, the machine's own credentials
   * are used, with a warning: who publishes has these variables, who asks need not. Default false.
   */
  readonly readOnly?: boolean;
  /** Environment variables; default those of the process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * Opens registries as they are asked for. Nothing is sent before something is asked of a repository.
 *
 * @throws SpacktainersError CONFIG_INVALID when a variable that the configuration names for a secret is not set (by
 *   `repository`; not when `readOnly`)
 */
export function openRegistries({
  configured,
  readOnly = false,
  env = hostEnvironment(),
  emit,
  signal,
}: RegistriesOptions): Registries {
  const opened = new Map<RegistryHost, Registry>();
  const secretsOf = (settings: RegistrySettings): UserCredentials | undefined => {
    try {
      return credentialsOf(settings, env);
    } catch (error) {
      const { code, message } = asSpacktainersError(error);
      if (!readOnly || code !== "CONFIG_INVALID") throw error;
      emit({
        type: "warning",
        code,
        message: `${message}: the credentials of this machine are used, if there are any`,
      });
      return undefined;
    }
  };
  const open = (host: RegistryHost): Registry => {
    const known = opened.get(host);
    if (known !== undefined) return known;
    const registry = openRegistry({ host, env, emit, signal, ...optionsOf(host, configured, secretsOf) });
    opened.set(host, registry);
    return registry;
  };
  return {
    repository: ({ host, path }) => open(host).repository(path),
    async close() {
      await Promise.all([...opened.values()].map((registry) => registry.close()));
    },
  };
}

/**
 * Whether a registry is reached by plain HTTP: when its URL in the configuration begins with `http://`, or when it is on this
 * machine and its URL does not begin with `https://`.
 */
export function usesPlainHttp(
  host: RegistryHost,
  configured: readonly Pick<RegistrySettings, "url">[],
): boolean {
  const settings = settingsOf(host, configured);
  const scheme = settings && parseRegistryEndpoint(settings.url).scheme;
  return registryOrigin(host, scheme).startsWith("http:");
}

function optionsOf(
  host: RegistryHost,
  configured: readonly RegistrySettings[],
  secretsOf: (settings: RegistrySettings) => UserCredentials | undefined,
): Pick<RegistryOptions, "type" | "scheme" | "credentials"> {
  const settings = settingsOf(host, configured);
  if (settings === undefined) return {};
  const { scheme } = parseRegistryEndpoint(settings.url);
  return { type: settings.type, scheme, credentials: secretsOf(settings) };
}

function credentialsOf(
  { url, username, password }: RegistrySettings,
  env: NodeJS.ProcessEnv,
): UserCredentials | undefined {
  if (username === undefined || password === undefined) return undefined;
  const [user, secret] = [username, password].map(({ environmentVariable }) => {
    const value = env[environmentVariable];
    if (value !== undefined && value !== "") return value;
    throw new SpacktainersError(
      "CONFIG_INVALID",
      `the variable ${environmentVariable}, which the configuration names for ${url}, is not set`,
      { hint: "set it, or remove username and password: the files of Podman and Docker are then used" },
    );
  });
  return user === undefined || secret === undefined ? undefined : { username: user, password: secret };
}
