/** Which key may sign what is written to a cache: found out before anything is written. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { makeKey } from "../support/signingKey.ts";

const demo = join(import.meta.dirname, "../../demo");
let place: Workplace;
let attempts = 0;
beforeAll(async () => {
  place = makeWorkplace("{}\n");
  for (const name of ["mine", "other"]) {
    const key = await makeKey();
    writeFileSync(place.path(`${name}.pub`), key.armored);
    writeFileSync(place.path(`${name}.key`), key.privateKey.armor());
  }
});
afterAll(() => place.remove());

const copy = (to: string, sign: string) =>
  place.run([
    ...["cache", "copy", join(demo, "cache"), to, "ring", "--sign", sign],
    ...["--trust", join(demo, "cache.pub")],
  ]);

describe("a key that signs", () => {
  it("is trusted for a cache that no configuration speaks of, beside the keys of the cache that is read", async () => {
    const to = `new-${++attempts}`;
    const first = await copy(to, "mine.key");
    expect(first.status, first.stderr).toBe(0);
    const listed = await place.run(["cache", "verify", "--cache", to, "--trust", "mine.pub"]);
    expect(listed.status, listed.stderr + listed.stdout).toBe(0);
  });

  it("is refused before anything is written, where the configured cache trusts others", async () => {
    const to = `configured-${++attempts}`;
    writeFileSync(
      place.path("spacktainers.yaml"),
      `caches:\n- {url: ./${to}, trust: [mine.pub], push: true}\n`,
    );
    const refused = await copy(to, "other.key");
    expect(refused.status).toBe(5);
    expect(refused.stderr).toMatch(
      /error {2}KEY_UNKNOWN {2}the key \w+, which signs what is written to this cache/,
    );
    expect(refused.stderr).not.toContain("downloaded");
    expect(existsSync(place.path(to)) ? readdirSync(place.path(to)) : []).toEqual([]);
    expect((await copy(to, "mine.key")).status).toBe(0);
  });
});
