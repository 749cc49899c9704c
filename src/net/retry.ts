/** Repeating what failed for a passing reason: exponential back-off with jitter, bounded, interruptible. */
import { setTimeout as sleep } from "node:timers/promises";
import { SpacktainersError } from "../util/errors.ts";
import { type EmitEvent, ignoreEvents } from "../util/events.ts";
import { redactUrl } from "../util/redact.ts";

/** How often and how long to try again. */
export interface RetryPolicy {
  /** Further attempts after the first one. */
  readonly retries: number;
  /** Delay before the first retry in milliseconds; doubled each time, at most {@link longestDelayMs}. */
  readonly delayMs: number;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal | undefined;
}

/** Longest pause we choose ourselves. A server may ask for more with `Retry-After`, up to {@link longestRetryAfterMs}. */
export const longestDelayMs = 20_000;
/** A server that asks to wait longer than this is reported as unavailable instead. */
export const longestRetryAfterMs = 120_000;

/** A failure that may pass: the network, an overloaded server. Becomes {@link TransientFailure.final} when it does not. */
export class TransientFailure extends Error {
  /** Pause that the server asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The host, when there was no connection to it at all. */
  readonly unreached: UnreachedHost | undefined;
  /** What to report when no attempt is left. */
  readonly final: SpacktainersError;

  constructor(final: SpacktainersError, retryAfterMs?: number, unreached?: UnreachedHost) {
    super(final.message, { cause: final });
    this.final = final;
    this.retryAfterMs = retryAfterMs;
    this.unreached = unreached;
  }
}

/** A host that takes no connections. */
export interface UnreachedHost {
  /** With its port. */
  readonly host: string;
  /** It said no: somebody is there, and no server. */
  readonly refused: boolean;
}

/** Further attempts where a host refuses connections: enough for a server that is being started again. */
const retriesWhenRefused = 2;

/** What is known of a host that takes no connections. */
interface Outage {
  /** The pause that all who want something of this host share. */
  pause: Promise<void> | undefined;
  /** That it is tried again was said. */
  isTold: boolean;
  /** Somebody has given up: who asks once more gets one attempt. */
  isLasting: boolean;
}

/** By the policy that requests share - that of a cache, of a registry -, then by host: remembered as long as the policy is used. */
const outages = new WeakMap<RetryPolicy, Map<string, Outage>>();

function outageOf(policy: RetryPolicy, host: string): Outage {
  const known = outages.get(policy) ?? new Map<string, Outage>();
  outages.set(policy, known);
  const outage = known.get(host) ?? { pause: undefined, isTold: false, isLasting: false };
  known.set(host, outage);
  return outage;
}

/** The pause before attempt `attempt` + 1 (attempts count from 1), in milliseconds, with jitter. */
export function retryDelay(attempt: number, delayMs: number): number {
  const ceiling = Math.min(longestDelayMs, delayMs * 2 ** (attempt - 1));
  return Math.round(ceiling * (0.5 + Math.random() / 2));
}

/**
 * `Retry-After` in milliseconds (RFC 9110, 10.2.3: seconds, or a date), or undefined when absent or unreadable.
 *
 * @param now milliseconds since 1970
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/**
 * Waits before the next attempt after a {@link TransientFailure}, and reports a `retry` event. Where a host takes no connections,
 * all requests to it wait together, and one event says so; once one of them has given up, the others try no more.
 *
 * @param attempt number of attempts that failed so far
 * @throws the failure's final error when no attempt is left or the server asks for too long a pause;
 *   INTERRUPTED when the signal fires
 */
export async function pauseBeforeRetry(
  policy: RetryPolicy,
  failure: TransientFailure,
  attempt: number,
  url: string,
): Promise<void> {
  const { unreached } = failure;
  if (unreached === undefined) {
    if (attempt > policy.retries) throw failure.final;
    return pause(policy, { failure, attempt, url, emit: policy.emit });
  }
  const outage = outageOf(policy, unreached.host);
  const most = unreached.refused ? Math.min(policy.retries, retriesWhenRefused) : policy.retries;
  outage.isLasting ||= attempt > most;
  if (outage.isLasting) throw failure.final;
  const emit = outage.isTold ? ignoreEvents : policy.emit;
  outage.isTold = true;
  outage.pause ??= pause(policy, { failure, attempt, url, emit }).finally(() => {
    outage.pause = undefined;
  });
  return outage.pause;
}

/** What failed. */
interface Attempt {
  readonly failure: TransientFailure;
  readonly attempt: number;
  readonly url: string;
  readonly emit: EmitEvent;
}

async function pause(policy: RetryPolicy, { failure, attempt, url, emit }: Attempt): Promise<void> {
  const asked = failure.retryAfterMs ?? 0;
  if (asked > longestRetryAfterMs) throw failure.final;
  const delayMs = Math.max(asked, retryDelay(attempt, policy.delayMs));
  emit({ type: "retry", url: redactUrl(url), attempt, reason: failure.message, delayMs });
  await sleep(delayMs, undefined, policy.signal === undefined ? {} : { signal: policy.signal }).catch(() => {
    throw interruption(policy.signal, url);
  });
}

/** Runs `attempt` until it succeeds, fails for good, or has failed `retries` + 1 times. */
export async function withRetries<T>(
  policy: RetryPolicy,
  url: string,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failed = 1; ; failed++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TransientFailure)) throw error;
      await pauseBeforeRetry(policy, error, failed, url);
    }
  }
}

/** The error for work stopped by a signal: the signal's own reason when that is a SpacktainersError. */
export function interruption(signal: AbortSignal | undefined, url: string): SpacktainersError {
  if (signal?.reason instanceof SpacktainersError) return signal.reason;
  return new SpacktainersError("INTERRUPTED", "interrupted", { place: { url: redactUrl(url) } });
}
