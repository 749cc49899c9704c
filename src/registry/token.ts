/** Fetching one token from a token server. */
import type { Exchanges, HttpAnswer, HttpRequest } from "../net/exchange.ts";
import { type RetryPolicy, withRetries } from "../net/retry.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import { redactUrl } from "../util/redact.ts";
import { acceptUrl } from "./address.ts";
import { readBody } from "./readBody.ts";
import { readProblem, refusal } from "./registryError.ts";
import type { Credentials } from "./types.ts";

/** The way to token servers. */
export interface TokenTransport {
  readonly exchanges: Exchanges;
  readonly policy: RetryPolicy;
}

export interface TokenRequest {
  /** URL of the token server, as the registry names it. */
  readonly realm: string;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  /** URL of the registry. */
  readonly registry: string;
  readonly credentials: Credentials | undefined;
  /** What must not be shown. */
  readonly secrets: ReadonlySet<string>;
}

export interface GivenToken {
  readonly token: string;
  /** Seconds for which it is valid. */
  readonly seconds: number;
  /** To be used instead of the credentials from now on. */
  readonly refreshToken: string | undefined;
}

const maxTokenBytes = 262_144;
/** What the specification says when the server does not. */
const defaultSeconds = 60;

/**
 * Fetches a token: by GET, with Basic credentials or none; with a refresh token by POST (OAuth 2.0). Nothing secret goes
 * to a server that is less secure than the registry, nor along a redirect to another one.
 *
 * @throws ACCESS_DENIED when the server refuses the credentials; NETWORK
 */
export async function fetchToken(request: TokenRequest, transport: TokenTransport): Promise<GivenToken> {
  const realm = acceptUrl(request.realm, request.registry, "a token server");
  const { credentials } = request;
  const http =
    credentials?.kind === "identity" ? byPost(realm, request, credentials.token) : byGet(realm, request);
  return withRetries(transport.policy, realm, async () => {
    const answer = await transport.exchanges.send(http);
    if (answer.status !== 200) {
      const problem = await readProblem(answer, request.secrets);
      const from =
        credentials === undefined
          ? "a token without credentials"
          : `the credentials from ${credentials.origin}`;
      throw refusal(answer, problem, from, credentials === undefined ? "log in" : "log in again");
    }
    return readToken(answer, realm, transport.policy.signal);
  });
}

function byGet(realm: string, { service, scopes, credentials }: TokenRequest): HttpRequest {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (credentials?.kind !== "user") return { method: "GET", url: url.href };
  url.searchParams.set("account", credentials.username);
  const pair = `${credentials.username}:${credentials.password}`;
  const authorization = `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
  return { method: "GET", url: url.href, headers: { authorization } };
}

function byPost(realm: string, { service, scopes }: TokenRequest, token: string): HttpRequest {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: "spacktainers",
    scope: scopes.join(" "),
    refresh_token: token,
    ...(service === undefined ? {} : { service }),
  });
  return {
    method: "POST",
    url: realm,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: Buffer.from(form.toString()),
  };
}

async function readToken(
  answer: HttpAnswer,
  realm: string,
  signal: AbortSignal | undefined,
): Promise<GivenToken> {
  const bytes = await readBody(answer, realm, maxTokenBytes, signal);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    json = undefined;
  }
  const fields = isJsonObject(json) ? json : {};
  const token = fields.token ?? fields.access_token;
  // It goes into a header as it is.
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token))
    throw new SpacktainersError("NETWORK", "the token server's answer holds no token", {
      place: { url: redactUrl(realm) },
    });
  const seconds = fields.expires_in;
  const refresh = fields.refresh_token;
  return {
    token,
    seconds: typeof seconds === "number" && seconds > 0 ? Math.min(seconds, 86_400) : defaultSeconds,
    refreshToken: typeof refresh === "string" && refresh !== "" ? refresh : undefined,
  };
}
