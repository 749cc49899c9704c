import { describe, expect, it } from "vitest";
import type { Container, Definition } from "../../../src/definitions/container.ts";
import {
  forEachContainer,
  forEachOf,
  namedErrors,
  outcomeErrors,
  resultsOf,
} from "../../../src/pipeline/workspace/outcomes.ts";
import { SpacktainersError, SpacktainersErrors } from "../../../src/util/errors.ts";
import { ignoreEvents } from "../../../src/util/events.ts";
import { nameEvents } from "../../../src/util/nameEvents.ts";

const options = (over: { readonly failFast?: boolean; readonly signal?: AbortSignal } = {}) => ({
  events: nameEvents(ignoreEvents),
  signal: new AbortController().signal,
  failFast: false,
  ...over,
});

const invalid = (line: number) =>
  new SpacktainersError("MANIFEST_INVALID", `line ${line} is wrong`, { place: { file: "b.yaml", line } });
const away = () =>
  new SpacktainersError("NETWORK", "the cache does not answer", { place: { url: "https://c" } });

/** `a` and `d` work; `b` has two errors, `c` cannot reach a cache. */
async function work(name: string): Promise<string> {
  if (name === "b") throw new SpacktainersErrors([invalid(2), invalid(3)]);
  if (name === "c") throw away();
  return name.toUpperCase();
}

const each = (names: readonly string[], over = {}) => forEachOf(names, (name) => name, options(over), work);

describe("work for several", () => {
  it("goes on after a failure, and keeps every result and every error, in order", async () => {
    const outcomes = await each(["b", "a", "c", "d"]);
    expect(outcomes.map(({ name, state }) => `${name} ${state}`)).toEqual([
      "b failed",
      "a done",
      "c failed",
      "d done",
    ]);
    expect(resultsOf(outcomes)).toEqual(["A", "D"]);
    expect(outcomeErrors(outcomes)).toMatchObject([
      { code: "MANIFEST_INVALID", place: { file: "b.yaml", line: 2, containers: ["b"] } },
      { code: "MANIFEST_INVALID", place: { file: "b.yaml", line: 3, containers: ["b"] } },
      { code: "NETWORK", place: { url: "https://c", containers: ["c"] } },
    ]);
    expect(new SpacktainersErrors(outcomeErrors(outcomes)).exitStatus).toBe(3);
    expect(new SpacktainersErrors(outcomeErrors(await each(["c", "b"]))).exitStatus).toBe(4);
  });

  it("names no container where there is only one", async () => {
    const [error] = outcomeErrors(await each(["c"]));
    expect(error?.place).toEqual({ url: "https://c" });
  });

  it("says once what is wrong for several", () => {
    const found = ["x", "y", "z"].map((name) => ({ name, error: away() }));
    const errors = namedErrors([...found, { name: "z", error: invalid(1) }], { several: true });
    expect(errors.map(({ code, place }) => [code, place.containers])).toEqual([
      ["NETWORK", ["x", "y", "z"]],
      ["MANIFEST_INVALID", ["z"]],
    ]);
  });

  it("stops at the first failure where that is asked for", async () => {
    const outcomes = await each(["a", "b", "c", "d"], { failFast: true });
    expect(outcomes.map(({ state }) => state)).toEqual(["done", "failed", "skipped", "skipped"]);
  });

  it("takes for a failure what the work says is one", async () => {
    const judged = { ...options({ failFast: true }), failed: (result: string) => result === "A" };
    const outcomes = await forEachOf(["a", "d"], (name) => name, judged, work);
    expect(outcomes.map(({ state }) => state)).toEqual(["done", "skipped"]);
  });

  it("ends at once when it is interrupted, whatever else failed then", async () => {
    const abort = new AbortController();
    const reason = new SpacktainersError("INTERRUPTED", "interrupted");
    const tried: string[] = [];
    const running = forEachOf(
      ["a", "b", "d"],
      (name) => name,
      options({ signal: abort.signal }),
      async (name) => {
        tried.push(name);
        if (name === "b") abort.abort(reason);
        return work(name);
      },
    );
    await expect(running).rejects.toBe(reason);
    expect(tried).toEqual(["a", "b"]);
  });

  it("takes a mistake of the program for the failure of one, too", async () => {
    const outcomes = await forEachOf(
      ["a", "b"],
      (name) => name,
      options(),
      async (name) => {
        if (name === "a") throw new TypeError("undefined is not a function");
        return name;
      },
    );
    expect(outcomes).toMatchObject([
      { state: "failed", errors: [{ code: "INTERNAL", message: "undefined is not a function" }] },
      { state: "done" },
    ]);
  });
});

it("does no work for a definition that is broken, and says what is wrong with it", async () => {
  const sound: Container = {
    name: "sound",
    arch: "amd64",
    kind: "spack",
    path: "/r/amd64/sound/spack.yaml",
    lock: undefined,
    epilogue: undefined,
    tests: undefined,
    parked: false,
  };
  const broken: Definition = {
    kind: "broken",
    name: "empty",
    arch: "amd64",
    path: "/r/amd64/empty",
    container: undefined,
    errors: [invalid(1), invalid(2)],
  };
  const worked: string[] = [];
  const outcomes = await forEachContainer([broken, sound], options(), async ({ name }) => worked.push(name));
  expect(worked).toEqual(["sound"]);
  expect(outcomes).toMatchObject([
    { name: "amd64/empty", state: "failed", errors: broken.errors },
    { name: "amd64/sound", state: "done" },
  ]);
});
