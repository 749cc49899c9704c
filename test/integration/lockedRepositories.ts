import { readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { type DemoCache, makeDemoRepository } from "../support/demoCache.ts";
import { realSpack } from "../support/realSpack.ts";
import { makeKey, type TestKey } from "../support/signingKey.ts";

export const places: Workplace[] = [];

afterAll(() => {
  for (const place of places) place.remove();
});

export const definition = "container_definitions/amd64/hello-mpi";

export let key: TestKey;

export let cacheHome: string;

beforeAll(async () => {
  key = await makeKey();
  // Finished packages are made once for all tests.
  const shared = makeWorkplace();
  places.push(shared);
  cacheHome = shared.cacheHome;
});

/** A repository with the demonstration's container, and its locks where asked for. */
export async function repository(
  lock: boolean,
  configuration?: string,
): Promise<{ work: Workplace; cache: DemoCache }> {
  const work = makeWorkplace(undefined, cacheHome);
  places.push(work);
  const cache = makeDemoRepository(work, "cache", key);
  if (configuration !== undefined)
    edit(work.path("spacktainers.yaml"), (text) => text.replace(/^base: .*$/m, configuration));
  if (lock) expect((await work.run(["-q", "lock", "hello-mpi"])).stderr).toBe("");
  return { work, cache };
}

export function edit(path: string, change: (text: string) => string): void {
  const text = readFileSync(path, "utf8");
  const changed = change(text);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
}

export const frozen = ["-q", "build", "hello-mpi", "--frozen"];

/** A checkout of Spack to hold our locks against; and, where it is set, further repositories of recipes, separated by `:`. */
export const spackRoot = realSpack?.checkout;
