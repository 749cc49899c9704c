/** Requests to one registry: authenticated, repeated where that may help, refused in clear words. */
import type { OpenBytes } from "../net/byteStream.ts";
import type { Exchanges, HttpAnswer, HttpHeaders, HttpRequest } from "../net/exchange.ts";
import { openedBytes, rangeHeaders } from "../net/openedBytes.ts";
import { type RetryPolicy, TransientFailure, withRetries } from "../net/retry.ts";
import type { SpacktainersError } from "../util/errors.ts";
import { acceptUrl } from "./address.ts";
import type { Access, Authorizer } from "./authorizer.ts";
import type { CredentialSource } from "./credentials.ts";
import { type RegistryProblem, readProblem, refusal } from "./registryError.ts";

/** A request to a registry. */
export interface RegistryRequest {
  readonly method: HttpRequest["method"];
  /** Path below the registry (`/v2/…`), or a URL that the registry named. */
  readonly url: string;
  readonly access: Access;
  /** What is asked for, to say what was refused: `the manifest of 12`. */
  readonly what: string;
  readonly headers?: HttpHeaders;
  /** Called again each time the body is sent. */
  readonly body?: (() => Uint8Array | AsyncIterable<Uint8Array>) | undefined;
  /** Statuses beside 2xx that the caller deals with. */
  readonly expected?: readonly number[];
  /** Milliseconds to wait for the answer once the body is sent. */
  readonly answerTimeoutMs?: number | undefined;
}

/** The way to one registry. Answers are 2xx, or of a status that the caller expects. */
export interface RegistrySession {
  /** Its URL, such as `https://ghcr.io`, without a slash at the end. */
  readonly origin: string;
  readonly policy: RetryPolicy;
  /**
   * Sends a request once, and again when the registry asks for credentials first.
   *
   * @throws TransientFailure; ACCESS_DENIED, NOT_FOUND, REGISTRY_REFUSED, NETWORK, INTERRUPTED
   */
  attempt(request: RegistryRequest): Promise<HttpAnswer>;
  /** As {@link RegistrySession.attempt}, repeated after passing failures. */
  send(request: RegistryRequest): Promise<HttpAnswer>;
  /**
   * Opens what a GET answers at an offset, for reading that survives broken connections.
   *
   * @param size of the whole, in bytes
   * @param wrongSize the error when another is announced; then nothing is read
   */
  opener(
    request: Omit<RegistryRequest, "method" | "body">,
    size: number,
    wrongSize: (announced: number) => SpacktainersError,
  ): OpenBytes;
}

export interface SessionParts {
  readonly origin: string;
  readonly exchanges: Exchanges;
  readonly policy: RetryPolicy;
  readonly authorizer: Authorizer;
  readonly source: CredentialSource;
}

/** Answers of 401 after which a request is given up. */
const maxRefusals = 2;
/** How often a repository that was just made may still be unknown. */
const maxCreations = 1;

export function openSession({
  origin,
  exchanges,
  policy,
  authorizer,
  source,
}: SessionParts): RegistrySession {
  let introduction: Promise<unknown> | undefined;

  /** The first request alone finds out how the registry wants to be asked; the others need not be refused as well. */
  async function introduced<T>(send: () => Promise<T>): Promise<T> {
    if (authorizer.introduced) return send();
    if (introduction !== undefined) {
      await introduction.catch(() => {});
      return send();
    }
    const first = send();
    introduction = first;
    return first;
  }

  async function attempt(request: RegistryRequest): Promise<HttpAnswer> {
    const url = acceptUrl(request.url, `${origin}/`, "a place");
    const own = new URL(url).origin === origin;
    let authorization = own ? await authorizer.authorization(request.access) : undefined;
    for (let refusals = 0, creations = 0; ; ) {
      const answer = await exchanges.send({
        method: request.method,
        url,
        headers: { ...request.headers, ...(authorization === undefined ? {} : { authorization }) },
        body: request.body?.(),
        answerTimeoutMs: request.answerTimeoutMs,
      });
      const { status } = answer;
      if ((status >= 200 && status < 300) || request.expected?.includes(status) === true) return answer;
      // Where a redirect led is none of our credentials' business.
      const ours = own && new URL(answer.url).origin === origin;
      const problem = await readProblem(answer, authorizer.secrets);
      if (status === 401 && ours && refusals++ < maxRefusals) {
        const header = answer.header("www-authenticate");
        const next = await authorizer.answer(request.access, header, authorization);
        if (next !== undefined) {
          authorization = next;
          continue;
        }
      }
      const missing = source.create !== undefined && isMissingRepository(status, problem, request);
      if (missing && creations++ < maxCreations) {
        await source.create?.(request.access.repository);
        continue;
      }
      const wantsHint = ours && [401, 403, 404, 429].includes(status);
      const hint = wantsHint ? await authorizer.hint(request.access) : plainHttpHint(status, url);
      const refused = refusal(answer, problem, request.what, hint);
      // It was made, but not everybody there knows yet.
      throw missing && !(refused instanceof TransientFailure) ? new TransientFailure(refused) : refused;
    }
  }

  const once = (request: RegistryRequest): Promise<HttpAnswer> => introduced(() => attempt(request));
  return {
    origin,
    policy,
    attempt: once,
    send: (request) => withRetries(policy, new URL(request.url, origin).href, () => once(request)),
    opener: (request, size, wrongSize) => async (offset, validator) => {
      const answer = await once({
        ...request,
        method: "GET",
        headers: { ...request.headers, ...rangeHeaders(offset, validator, size) },
        expected: [416],
      });
      const opened = await openedBytes(answer, answer.url, offset, policy.signal);
      if (opened.total === undefined || opened.total === size) return opened;
      answer.cancel();
      throw wrongSize(opened.total);
    },
  };
}

/** Whether a push failed because ECR does not make repositories by itself. */
function isMissingRepository(status: number, problem: RegistryProblem, { access }: RegistryRequest): boolean {
  return status === 404 && access.actions !== "pull" && problem.code === "NAME_UNKNOWN";
}

/** Servers that expect HTTPS answer plain HTTP with this status. */
function plainHttpHint(status: number, url: string): string | undefined {
  return status === 400 && url.startsWith("http:")
    ? "the request used plain HTTP; if the registry supports HTTPS, write https:// before its address"
    : undefined;
}
