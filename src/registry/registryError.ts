/** What a registry says when it refuses, in its own words and as our error. */
import type { HttpAnswer } from "../net/exchange.ts";
import { hostOf } from "../net/failure.ts";
import { parseRetryAfter, TransientFailure } from "../net/retry.ts";
import { type ErrorCode, type ErrorDetails, SpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";
import { isJsonObject } from "../util/json.ts";
import { redactSecrets, redactUrl } from "../util/redact.ts";

/** Most bytes read of the answer to a refused request. */
const maxErrorBytes = 65_536;
const maxShown = 400;
/** Longest time given to a server for its excuse, in milliseconds. */
const errorBodyMs = 10_000;

/** The body of a refusal (OCI distribution specification, "Error Codes"). */
export interface RegistryProblem {
  /** Such as `NAME_UNKNOWN`; empty when the registry gives none. */
  readonly code: string;
  /** The registry's message on one line, safe to show; empty when there is none. */
  readonly message: string;
}

interface RefusalDetails extends ErrorDetails {
  readonly status: number;
  /** See {@link RegistryProblem.code}. */
  readonly registryCode: string;
}

/** A refusal with what the registry said, for those who can do something about it. */
export class RegistryRefusal extends SpacktainersError {
  readonly status: number;
  /** See {@link RegistryProblem.code}. */
  readonly registryCode: string;

  constructor(code: ErrorCode, message: string, { status, registryCode, ...details }: RefusalDetails) {
    super(code, message, details);
    this.status = status;
    this.registryCode = registryCode;
  }
}

/** Reads the body of a refusal, at most 64 KiB and 10 s of it. Never fails. */
export async function readProblem(answer: HttpAnswer, secrets: Iterable<string>): Promise<RegistryProblem> {
  const iterator = answer.body[Symbol.asyncIterator]();
  let ended = false;
  const chunks: Uint8Array[] = [];
  let length = 0;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), errorBodyMs);
  });
  try {
    while (length < maxErrorBytes) {
      const next = await Promise.race([iterator.next(), late]);
      ended = next?.done === true;
      if (next === undefined || next.done) break;
      chunks.push(next.value);
      length += next.value.length;
    }
  } catch {
    // A body that breaks off says no more.
  } finally {
    clearTimeout(timer);
  }
  if (!ended) answer.cancel();
  return parseProblem(Buffer.concat(chunks).subarray(0, maxErrorBytes).toString("utf8"), secrets);
}

/** Takes the first error out of a body; of a body that is no JSON, nothing. */
export function parseProblem(text: string, secrets: Iterable<string> = []): RegistryProblem {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { code: "", message: "" };
  }
  if (!isJsonObject(json)) return { code: "", message: "" };
  const first: unknown = Array.isArray(json.errors) ? json.errors[0] : json;
  if (!isJsonObject(first)) return { code: "", message: "" };
  const shown = (value: unknown): string => {
    if (typeof value !== "string") return "";
    const line = escapeControlsInLine(redactSecrets(value.slice(0, maxErrorBytes), secrets));
    return line.length > maxShown ? `${line.slice(0, maxShown)}…` : line;
  };
  const code = typeof first.code === "string" && /^[A-Za-z0-9_.-]{1,64}$/.test(first.code) ? first.code : "";
  // Token servers say `details` or, by OAuth 2.0, `error_description`.
  return { code, message: shown(first.message ?? first.error_description ?? first.details ?? first.error) };
}

/**
 * The error (or passing failure) that a refusal stands for.
 *
 * @param what what was asked for, such as `the manifest of 12`
 * @param hint what a user can do about it
 */
export function refusal(
  answer: HttpAnswer,
  problem: RegistryProblem,
  what: string,
  hint: string | undefined,
): RegistryRefusal | TransientFailure {
  const { status } = answer;
  const own = [problem.code, problem.message].filter((part) => part !== "").join(": ");
  const message = `${hostOf(answer.url)} refuses ${what}${own === "" ? "" : `: ${own}`} (HTTP ${status})`;
  const error = (code: ErrorCode, advice?: string): RegistryRefusal => {
    const details = {
      place: { url: redactUrl(answer.url) },
      hint: advice,
    };
    return new RegistryRefusal(code, message, { ...details, status, registryCode: problem.code });
  };
  if (status === 401 || status === 403) return error("ACCESS_DENIED", hint);
  if (status === 404 || status === 410) return error("NOT_FOUND", hint);
  if (status === 407) return error("ACCESS_DENIED", "the proxy asks for credentials");
  const passing = status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501);
  if (problem.code === "DIGEST_INVALID" && status < 500)
    return error("CHECKSUM_MISMATCH", "the data changed on its way or on disk; make the file again");
  if (status === 413)
    return error("REGISTRY_REFUSED", "the registry, or a proxy before it, limits the size of one request");
  if (!passing) return error("REGISTRY_REFUSED", hint ?? "the registry's log may say more");
  const advice =
    status === 429
      ? `the registry limits the rate of requests; ${hint ?? "wait"}`
      : "the registry, or a proxy in front of it, has a problem; try again later: spacktainers does not send again what the registry already has";
  const retryAfter = parseRetryAfter(answer.header("retry-after"), Date.now());
  return new TransientFailure(error("NETWORK", advice), retryAfter);
}
