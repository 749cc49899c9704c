import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { chooseFromCaches } from "../../src/concretize/chooseFromCaches.ts";
import { sourceOf } from "../../src/concretize/packageSource.ts";
import { readManifest } from "../../src/environment/manifest.ts";
import { parseDagHash } from "../../src/spec/concrete.ts";
import { readNode } from "../../src/spec/readSpecfile.ts";

const corpus = new URL("../../../shared/corpus/", import.meta.url);

interface Recording {
  readonly "spack.yaml": string;
  readonly solved: boolean;
  readonly roots?: readonly { readonly hash: string }[];
  readonly missing?: readonly string[];
}

describe.skipIf(!existsSync(corpus))("what real Spack chose (skipped without ../shared/corpus)", () => {
  const folder = new URL("oracle/dev/environments/", corpus);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  const index = () => {
    const { database } = JSON.parse(readFileSync(new URL("v2/build_cache/index.json", corpus), "utf8"));
    const available = new Set<string>();
    const specs = Object.entries<{ spec: unknown; in_buildcache: boolean }>(database.installs).map(
      ([hash, record]) => {
        if (record.in_buildcache) available.add(hash);
        return readNode(record.spec, {
          specfileVersion: 4,
          place: { file: "index.json" },
          hashIfMissing: parseDagHash(hash),
        });
      },
    );
    return sourceOf(specs, (hash) => available.has(hash));
  };
  let source: ReturnType<typeof index> | undefined;

  it("has recordings", () => expect(names.length).toBeGreaterThan(0));

  it.each(names)("%s", (name) => {
    source ??= index();
    const recording: Recording = JSON.parse(readFileSync(new URL(name, folder), "utf8"));
    const { environment } = readManifest(recording["spack.yaml"], name, { dialect: "0.x" });
    const found = recording.solved && recording.missing?.length === 0;
    if (environment === undefined) {
      expect(found).toBe(false);
      return;
    }
    const from = source;
    const answer = () =>
      chooseFromCaches(environment, from, { target: "x86_64_v3" })
        .roots.map(({ hash }) => hash)
        .sort();
    if (found) expect(answer()).toEqual(recording.roots?.map(({ hash }) => hash).sort());
    else expect(answer).toThrow();
  });
});
