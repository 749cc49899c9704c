import { afterEach, describe, expect, it, vi } from "vitest";
import { statusFailure, transportFailure } from "../../src/net/failure.ts";
import {
  longestDelayMs,
  longestRetryAfterMs,
  parseRetryAfter,
  retryDelay,
  TransientFailure,
  withRetries,
} from "../../src/net/retry.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import type { WorkEvent } from "../../src/util/events.ts";

const hour = 3_600_000;
const now = Date.parse("2026-01-02T03:04:05Z");
afterEach(() => vi.useRealTimers());

it("reads how long a server asks to wait, in seconds or as a date, by the clock given", () => {
  expect(parseRetryAfter("7", now)).toBe(7000);
  expect(parseRetryAfter("Fri, 02 Jan 2026 03:04:35 GMT", now)).toBe(30_000);
  // By a clock that is ahead, the time is over; by one that is behind, it is far away.
  for (const [ahead, expected] of [
    [hour, 0],
    [365 * 24 * hour, 0],
    [-hour, hour + 30_000],
  ] as const)
    expect(parseRetryAfter("Fri, 02 Jan 2026 03:04:35 GMT", now + ahead)).toBe(expected);
  for (const other of [undefined, "", "soon"]) expect(parseRetryAfter(other, now)).toBeUndefined();
});

it("waits longer each time, with jitter, and never too long", () => {
  for (let attempt = 1; attempt < 60; attempt++) {
    const most = Math.min(longestDelayMs, 300 * 2 ** (attempt - 1));
    const delay = retryDelay(attempt, 300);
    expect(delay).toBeGreaterThanOrEqual(Math.floor(most / 2));
    expect(delay).toBeLessThanOrEqual(most);
  }
});

describe("an answer that asks to wait until a date", () => {
  const events: WorkEvent[] = [];
  const policy = {
    retries: 3,
    delayMs: 1,
    emit: (event: WorkEvent) => events.push(event),
    signal: undefined,
  };
  const asking = (date: Date): unknown => statusFailure(429, "https://server.example/x", date.toUTCString());

  it.each([
    ["the clock is right", 0, 20_000],
    ["the clock is an hour ahead", hour, 0],
    ["the clock is a year ahead", 365 * 24 * hour, 0],
  ])("is waited for when %s", async (_, ahead, waits) => {
    vi.useFakeTimers({ toFake: ["Date"], now: now + ahead });
    const failure = asking(new Date(now + 20_000));
    expect(failure).toBeInstanceOf(TransientFailure);
    expect((failure as TransientFailure).retryAfterMs).toBe(waits);
  });

  it("is not waited for by a clock that is a day behind: it is reported", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: now - 24 * hour });
    const failure = asking(new Date(now + 20_000)) as TransientFailure;
    expect(failure.retryAfterMs).toBeGreaterThan(longestRetryAfterMs);
    await expect(
      withRetries(policy, "https://server.example/x", () => Promise.reject(failure)),
    ).rejects.toBeInstanceOf(SpacktainersError);
    expect(events).toEqual([]);
  });

  it("does not end early or late when the clock is set meanwhile", async () => {
    let attempts = 0;
    const started = performance.now();
    await withRetries(policy, "https://server.example/x", async () => {
      attempts++;
      // Somebody sets the clock while we wait.
      vi.useFakeTimers({ toFake: ["Date"], now: now + attempts * 1000 * hour });
      if (attempts < 3) throw new TransientFailure(new SpacktainersError("NETWORK", "no"));
    });
    expect(attempts).toBe(3);
    expect(performance.now() - started).toBeLessThan(60_000);
  });
});

describe("a host that takes no connections", () => {
  const refusing = (code: string, host = "server.example:5000"): unknown =>
    transportFailure(Object.assign(new Error(code), { code }), `https://${host}/x`, undefined);
  const policyOf = (events: WorkEvent[], retries = 4) => ({
    retries,
    delayMs: 5,
    emit: (event: WorkEvent) => events.push(event),
    signal: undefined,
  });

  it("is tried three times by all requests together, said once, and not waited for any more afterwards", async () => {
    const events: WorkEvent[] = [];
    const policy = policyOf(events);
    let attempts = 0;
    const ask = () =>
      withRetries(policy, "https://server.example:5000/x", async () => {
        attempts++;
        throw refusing("ECONNREFUSED");
      });
    const results = await Promise.allSettled(Array.from({ length: 20 }, ask));
    for (const result of results)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "NETWORK" } });
    expect(attempts).toBe(60);
    expect(events).toMatchObject([
      { type: "retry", attempt: 1, reason: expect.stringMatching(/connection refused/) },
    ]);
    await expect(ask()).rejects.toMatchObject({ code: "NETWORK" });
    expect(attempts).toBe(61);
    expect(events).toHaveLength(1);
  });

  it("is one of several: others are waited for, and it is asked again when it is there again", async () => {
    const events: WorkEvent[] = [];
    const policy = policyOf(events, 1);
    const ask = (host: string, works: boolean) =>
      withRetries(policy, `https://${host}/x`, async () => {
        if (!works) throw refusing("ECONNREFUSED", host);
        return host;
      });
    await expect(ask("one.example", false)).rejects.toMatchObject({ code: "NETWORK" });
    await expect(ask("two.example", false)).rejects.toMatchObject({ code: "NETWORK" });
    expect(events).toHaveLength(2);
    expect(await ask("one.example", true)).toBe("one.example");
  });

  it("is tried again, in case it comes back: five times where it cannot be reached, three times where it refuses", async () => {
    for (const [code, expected] of [
      ["ECONNREFUSED", 3],
      ["EHOSTUNREACH", 5],
      ["UND_ERR_CONNECT_TIMEOUT", 5],
      ["ECONNRESET", 5],
    ] as const) {
      let attempts = 0;
      const asked = withRetries(policyOf([]), "https://server.example/x", async () => {
        attempts++;
        throw refusing(code);
      });
      await expect(asked).rejects.toMatchObject({ code: "NETWORK" });
      expect(attempts, code).toBe(expected);
    }
  });
});
