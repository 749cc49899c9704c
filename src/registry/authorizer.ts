/**
 * The `Authorization` of requests to one registry: none, Basic, or bearer tokens fetched when they are needed, for what
 * they are needed ("Token Authentication" of the distribution project, and its OAuth 2.0 variant).
 */
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { CredentialSource } from "./credentials.ts";
import { formatRepository, type RepositoryName } from "./reference.ts";
import { fetchToken, type TokenTransport } from "./token.ts";
import type { Credentials } from "./types.ts";

/** What a request needs to be allowed to do. */
export interface Access {
  readonly repository: RepositoryName;
  readonly actions: "pull" | "pull,push" | "pull,push,delete";
  /** Another repository to be read, for mounting from it. */
  readonly from?: RepositoryName | undefined;
}

export interface Authorizer {
  /** Whether the registry has said how it wants to be asked. */
  readonly introduced: boolean;
  /** The header to begin with: what the registry wanted before, as far as it is known; undefined: none. */
  authorization(access: Access): Promise<string | undefined>;
  /**
   * The header that answers a 401, undefined when there is no other than the one refused.
   *
   * @param header its `WWW-Authenticate`
   * @param refused the `Authorization` that was sent
   */
  answer(
    access: Access,
    header: string | undefined,
    refused: string | undefined,
  ): Promise<string | undefined>;
  /** Everything that must not be shown. */
  readonly secrets: ReadonlySet<string>;
  /** What to advise somebody who was refused. */
  hint(access: Access): Promise<string>;
}

interface KnownToken {
  readonly scopes: readonly string[];
  readonly header: string;
  /** Milliseconds of `performance.now()`. */
  readonly expiresAt: number;
}

/** Most tokens remembered; a run uses a handful. */
const maxTokens = 256;

/**
 * Answers the challenges of one registry.
 *
 * @param registry URL of its API: a token server must not be less secure than it is
 */
export function openAuthorizer(
  registry: string,
  source: CredentialSource,
  transport: TokenTransport,
): Authorizer {
  const secrets = new Set<string>();
  let challenge: Challenge | undefined;
  const tokens: KnownToken[] = [];
  const fetching = new Map<string, Promise<string | undefined>>();
  /** Refresh tokens that token servers gave in exchange. */
  const exchanged = new Map<string, string>();

  async function credentialsFor(access: Access, renew = false): Promise<Credentials | undefined> {
    const found = await source.find(access.repository, renew);
    for (const secret of found === undefined ? [] : secretsOf(found)) secrets.add(secret);
    return found;
  }

  function knownToken(scopes: readonly string[]): string | undefined {
    const now = performance.now();
    return tokens.find((token) => token.expiresAt > now && scopes.every((scope) => covers(token, scope)))
      ?.header;
  }

  /** A token for these scopes; several who ask at once share one. */
  function token(access: Access, { parameters }: Challenge, scopes: readonly string[]) {
    const key = [access.repository.path, ...scopes].join(" ");
    let running = fetching.get(key);
    if (running === undefined) {
      running = newToken(access, parameters, scopes).finally(() => fetching.delete(key));
      fetching.set(key, running);
    }
    return running;
  }

  async function newToken(
    access: Access,
    parameters: ReadonlyMap<string, string>,
    scopes: readonly string[],
  ): Promise<string | undefined> {
    const found = await credentialsFor(access);
    if (found?.kind === "bearer") return `Bearer ${found.token}`;
    const realm = parameters.get("realm");
    if (realm === undefined) return undefined;
    const name = formatRepository(access.repository);
    const refreshed = exchanged.get(name);
    const credentials: Credentials | undefined =
      refreshed === undefined || found === undefined
        ? found
        : { kind: "identity", token: refreshed, origin: found.origin };
    const begin = performance.now();
    const request = { realm, service: parameters.get("service"), scopes, registry };
    const readOnly = access.actions === "pull" && access.from === undefined;
    const given = await fetchToken({ ...request, credentials, secrets }, transport).catch((thrown) => {
      if (found?.ambient !== true || !readOnly) throw thrown;
      return fetchToken({ ...request, credentials: undefined, secrets }, transport);
    });
    secrets.add(given.token);
    if (given.refreshToken !== undefined) {
      secrets.add(given.refreshToken);
      exchanged.set(name, given.refreshToken);
    }
    const header = `Bearer ${given.token}`;
    // Renewed a little early, so that it does not end on the way.
    const usable = given.seconds - Math.min(10, given.seconds / 5);
    tokens.push({ scopes, header, expiresAt: begin + usable * 1000 });
    if (tokens.length > maxTokens) tokens.shift();
    return header;
  }

  async function basic(
    access: Access,
    refused: string | undefined,
    renew: boolean,
  ): Promise<string | undefined> {
    const found = await credentialsFor(access, renew);
    if (found?.kind === "bearer") return `Bearer ${found.token}`;
    if (found?.kind !== "user") return undefined;
    const header = `Basic ${Buffer.from(`${found.username}:${found.password}`, "utf8").toString("base64")}`;
    return header === refused ? undefined : header;
  }

  return {
    secrets,
    get introduced() {
      return challenge !== undefined;
    },
    async authorization(access) {
      if (challenge === undefined) return undefined;
      if (challenge.scheme === "basic") return basic(access, undefined, false);
      const scopes = scopesOf(access);
      return knownToken(scopes) ?? token(access, challenge, scopes);
    },
    async answer(access, header, refused) {
      const offered = parseChallenges(header ?? "");
      const bearer = offered.find((one) => one.scheme === "bearer" && one.parameters.has("realm"));
      const chosen = bearer ?? offered.find((one) => one.scheme === "basic");
      if (chosen === undefined) return undefined;
      challenge = chosen;
      if (chosen.scheme === "basic") {
        const next = await basic(access, refused, false);
        // A password that was good may have ended: ECR's do.
        return next ?? (refused === undefined ? undefined : basic(access, refused, true));
      }
      const dropped = tokens.findIndex((one) => one.header === refused);
      if (dropped >= 0) tokens.splice(dropped, 1);
      const scopes = mergedScopes(scopesOf(access), chosen.parameters.get("scope"));
      const known = knownToken(scopes);
      const next = known !== undefined && known !== refused ? known : await token(access, chosen, scopes);
      return next === refused ? undefined : next;
    },
    async hint(access) {
      return source.hint(await credentialsFor(access).catch(() => undefined));
    },
  };
}

function secretsOf(credentials: Credentials): readonly string[] {
  if (credentials.kind !== "user") return [credentials.token];
  const { username, password } = credentials;
  return [password, Buffer.from(`${username}:${password}`, "utf8").toString("base64")];
}

/** Scopes of tokens: `repository:PATH:ACTIONS`. */
function scopesOf({ repository, actions, from }: Access): readonly string[] {
  const own = `repository:${repository.path}:${actions}`;
  return from === undefined ? [own] : [own, `repository:${from.path}:pull`];
}

/** Our scopes, and those that the registry asks for beside. */
function mergedScopes(own: readonly string[], asked: string | undefined): readonly string[] {
  const scopes = [...own];
  for (const scope of (asked ?? "").split(" ")) {
    if (scope === "" || scope.length > 512 || scopes.length >= 8) continue;
    if (!scopes.some((known) => coversScope(known, scope))) scopes.push(scope);
  }
  return scopes;
}

function covers(token: KnownToken, scope: string): boolean {
  return token.scopes.some((known) => coversScope(known, scope));
}

/** Whether `known` allows at least what `wanted` does. */
function coversScope(known: string, wanted: string): boolean {
  if (known === wanted) return true;
  const [a, b] = [known.lastIndexOf(":"), wanted.lastIndexOf(":")];
  if (known.slice(0, a) !== wanted.slice(0, b)) return false;
  const actions = known.slice(a + 1).split(",");
  return (
    actions.includes("*") ||
    wanted
      .slice(b + 1)
      .split(",")
      .every((action) => actions.includes(action))
  );
}
