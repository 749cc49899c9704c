/** Repeating what failed for a passing reason: exponential back-off with jitter, bounded, interruptible. */
import { setTimeout as sleep } from "node:timers/promises";
import { SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
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
  /** What to report when no attempt is left. */
  readonly final: SpacktainersError;

  constructor(final: SpacktainersError, retryAfterMs?: number) {
    super(final.message, { cause: final });
    this.final = final;
    this.retryAfterMs = retryAfterMs;
  }
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
 * Waits before the next attempt after a {@link TransientFailure}, and reports a `retry` event.
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
  if (attempt > policy.retries) throw failure.final;
  const asked = failure.retryAfterMs ?? 0;
  if (asked > longestRetryAfterMs) throw failure.final;
  const delayMs = Math.max(asked, retryDelay(attempt, policy.delayMs));
  policy.emit({ type: "retry", url: redactUrl(url), attempt, reason: failure.message, delayMs });
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

/** The error for work stopped by a signal: the signal's own reason when that is one of ours. */
export function interruption(signal: AbortSignal | undefined, url: string): SpacktainersError {
  if (signal?.reason instanceof SpacktainersError) return signal.reason;
  return new SpacktainersError("INTERRUPTED", "interrupted", { place: { url: redactUrl(url) } });
}
