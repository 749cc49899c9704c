import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openBuildCache } from "../../../src/buildcache/buildCache.ts";
import { openCacheWriter } from "../../../src/buildcache/formats/openWriter.ts";
import type { CacheConfiguration } from "../../../src/definitions/configuration.ts";
import { publisher, withPublisher } from "../../../src/pipeline/compile/publisher.ts";
import { readSpecFile } from "../../../src/spec/readSpecfile.ts";
import { SpacktainersError } from "../../../src/util/errors.ts";
import { ignoreEvents, type WorkEvent } from "../../../src/util/events.ts";
import { makeKey, type TestKey } from "../../support/signingKey.ts";
import { newPackage, type WrittenPackage } from "../../support/writerConformance.ts";

const root = mkdtempSync(join(tmpdir(), "spacktainers-publisher-"));
let key: TestKey;
let built: string;
let packages: readonly WrittenPackage[];
let round = 0;
beforeAll(async () => {
  key = await makeKey();
  writeFileSync(join(root, "key.pub"), key.armored);
  writeFileSync(join(root, "key.asc"), key.privateKey.armor());
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(async () => {
  vi.stubEnv("XDG_CACHE_HOME", join(root, `home${round++}`));
  built = mkdtempSync(join(root, "built-"));
  packages = [await newPackage(root, "v3", 1, [2]), await newPackage(root, "v3", 2)];
  const to = openCacheWriter(
    { url: built, keys: [], unsigned: true },
    { signer: undefined },
    { emit: ignoreEvents },
  );
  for (const { content } of packages) await to.put(content);
  await to.close();
});

const cache = (name: string, more: Partial<CacheConfiguration> = {}): CacheConfiguration => ({
  url: join(root, `${name}${round}`),
  trust: [{ path: join(root, "key.pub"), place: {} }],
  unsigned: false,
  push: true,
  sign: join(root, "key.asc"),
  layout: undefined,
  s3: {},
  place: { file: "spacktainers.yaml", line: 3 },
  ...more,
});
const specOf = ({ content }: WrittenPackage) => readSpecFile(JSON.parse(content.specFile), {}).root;
const tools = (emit: (event: WorkEvent) => void = ignoreEvents, env: NodeJS.ProcessEnv = {}) => ({
  emit,
  signal: new AbortController().signal,
  env,
});

/** Names of what a cache lists, and who signed each. */
async function contents({ url }: CacheConfiguration): Promise<Record<string, string | undefined>> {
  const reader = openBuildCache({ url, keys: [key.file], unsigned: false }, { emit: ignoreEvents });
  const [index] = await reader.indexes();
  const found: Record<string, string | undefined> = {};
  for (const name of index?.names() ?? [])
    for (const hash of index?.hashesOf(name) ?? []) {
      const spec = index?.spec(hash);
      if (spec === undefined || index?.has(hash) !== true) continue;
      const pkg = await reader.findPackage(spec);
      if (pkg !== undefined) found[name] = pkg.signedBy;
    }
  await reader.close();
  return found;
}

describe("publisher", () => {
  it("pushes what was built to every cache, signed, and lists it at the end", async () => {
    const caches = [cache("a"), cache("b", { sign: "env://SIGNING_KEY" })];
    const env = { SIGNING_KEY: key.privateKey.armor() };
    const using = publisher({ caches, registries: [] }, tools(ignoreEvents, env));
    for (const one of packages) await using?.publish.put(specOf(one), built);
    await using?.finish();
    for (const one of caches)
      expect(await contents(one)).toEqual({ part1: key.fingerprint, part2: key.fingerprint });
    const reader = openBuildCache(
      { url: caches[0]?.url ?? "", keys: [key.file], unsigned: false },
      { emit: ignoreEvents },
    );
    expect(await reader.keys()).toEqual([{ fingerprint: key.fingerprint, armored: expect.any(String) }]);
    await reader.close();
  });

  it("names the cache that fails, and pushes to the others all the same", async () => {
    writeFileSync(join(root, `broken${round}`), "a file");
    const caches = [cache("broken"), cache("a")];
    const using = publisher({ caches, registries: [] }, tools());
    const [one] = packages;
    if (one === undefined) throw new Error("no package");
    const work = withPublisher(using, async (publish) => publish?.put(specOf(one), built));
    await expect(work).rejects.toMatchObject({
      message: expect.stringContaining(`it was not pushed to ${caches[0]?.url}`),
      hint: expect.stringContaining("the next run pushes it"),
    });
    expect(await contents(caches[1] as CacheConfiguration)).toEqual({ part1: key.fingerprint });
    // The next run goes on there, though nothing has to be built for it.
    rmSync(join(root, `broken${round}`));
    await withPublisher(publisher({ caches, registries: [] }, tools()), async () => undefined);
    expect(await contents(caches[0] as CacheConfiguration)).toEqual({ part1: key.fingerprint });
  });

  it("lists at last what a run that was killed had pushed, and nothing that it had not", async () => {
    const to = cache("a");
    const killed = publisher({ caches: [to], registries: [] }, tools());
    const [one, other] = packages;
    if (one === undefined || other === undefined) throw new Error("no package");
    await killed?.publish.put(specOf(one), built);
    // Killed while the second one was on its way.
    const { openUnlisted } = await import("../../../src/pipeline/compile/unlisted.ts");
    await openUnlisted(`${to.url} `).add(other.content, join(root, "nowhere"));
    expect(await contents(to)).toEqual({});
    const next = publisher({ caches: [to], registries: [] }, tools());
    await next?.finish();
    expect(await contents(to)).toEqual({ part1: key.fingerprint });
    await next?.finish();
    const last = publisher({ caches: [to], registries: [] }, tools());
    await last?.publish.put(specOf(other), built);
    await last?.finish();
    expect(await contents(to)).toEqual({ part1: key.fingerprint, part2: key.fingerprint });
  });

  it("pushes the package that a spliced one was made of, too: Spack installs that one's archive", async () => {
    const origin = await newPackage(root, "v3", 3);
    const spliced = await newPackage(root, "v3", 4, [3]);
    const json = JSON.parse(spliced.content.specFile);
    json.spec.nodes[0].build_spec = { name: origin.name, hash: origin.hash };
    const one = { ...spliced, content: { ...spliced.content, specFile: JSON.stringify(json) } };
    const to = openCacheWriter(
      { url: built, keys: [], unsigned: true },
      { signer: undefined },
      { emit: ignoreEvents },
    );
    for (const { content } of [origin, one]) await to.put(content);
    await to.close();
    const target = cache("a");
    await withPublisher(publisher({ caches: [target], registries: [] }, tools()), async (publish) =>
      publish?.put(specOf(one), built),
    );
    expect(await contents(target)).toEqual({ part3: key.fingerprint, part4: key.fingerprint });
  });

  it("leaves a cache out whose key is not on this machine, and says so", async () => {
    const events: WorkEvent[] = [];
    const caches = [cache("a", { sign: "env://SIGNING_KEY" })];
    expect(
      publisher(
        { caches, registries: [] },
        tools((event) => events.push(event)),
      ),
    ).toBeUndefined();
    const none = cache("a", { sign: undefined });
    expect(
      publisher(
        { caches: [none], registries: [] },
        tools((event) => events.push(event)),
      ),
    ).toBeUndefined();
    expect(events).toMatchObject([
      { type: "warning", code: "KEY_INVALID", place: { line: 3 } },
      { type: "warning", code: "CONFIG_INVALID", place: { line: 3 } },
    ]);
    expect(publisher({ caches: [cache("a", { push: false })], registries: [] }, tools())).toBeUndefined();
  });

  it("refuses a key that readers do not trust before anything is built, and says so once", async () => {
    const other = await makeKey();
    writeFileSync(join(root, "other.asc"), other.privateKey.armor());
    const caches = [cache("a", { sign: join(root, "other.asc") }), cache("b")];
    const refused = withPublisher(publisher({ caches, registries: [] }, tools()), async (publish) =>
      publish?.prepare(),
    );
    await expect(refused).rejects.toMatchObject({
      code: "KEY_UNKNOWN",
      message: expect.stringContaining(
        `nothing is built, because it could not be pushed to ${caches[0]?.url}`,
      ),
      hint: expect.stringContaining("trust"),
    });
    const good = publisher({ caches: [cache("b")], registries: [] }, tools());
    await withPublisher(good, async (publish) => publish?.prepare());
    // Nothing was written for a build that pushed nothing.
    expect(existsSync(cache("b").url)).toBe(false);
  });

  it("warns of a cache that cannot be written to before anything is built", async () => {
    writeFileSync(join(root, `taken${round}`), "a file");
    const events: WorkEvent[] = [];
    const caches = [cache("taken"), cache("b")];
    const using = publisher(
      { caches, registries: [] },
      tools((event) => events.push(event)),
    );
    await withPublisher(using, async (publish) => publish?.prepare());
    expect(events).toMatchObject([
      {
        type: "warning",
        code: "IO",
        message: `what is built cannot be pushed to ${caches[0]?.url}: the folder cannot be written: a file is in its place`,
        hint: expect.stringContaining("a later run pushes it"),
      },
    ]);
  });

  it("tells all that went wrong", async () => {
    const using = {
      publish: { prepare: async () => {}, put: async () => {} },
      finish: () => Promise.reject(new SpacktainersError("IO", "index")),
    };
    const failing = withPublisher(using, () =>
      Promise.reject(new SpacktainersError("BUILD_FAILED", "build")),
    );
    await expect(failing).rejects.toMatchObject({ errors: [{ message: "build" }, { message: "index" }] });
    await expect(withPublisher(using, async () => 1)).rejects.toMatchObject({ message: "index" });
    expect(await withPublisher(undefined, async (publish) => publish === undefined)).toBe(true);
  });
});
