import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { chooseFromCaches } from "../../src/concretize/chooseFromCaches.ts";
import { sourceOf } from "../../src/concretize/packageSource.ts";
import { includedRoots } from "../../src/environment/includedEnvironments.ts";
import { loadManifest } from "../../src/environment/load.ts";
import type { Dialect } from "../../src/spec/abstract.ts";
import { parseDagHash } from "../../src/spec/concrete.ts";
import { formatSpec } from "../../src/spec/format.ts";
import { parseSpec } from "../../src/spec/parse.ts";
import { readNode } from "../../src/spec/readSpecfile.ts";
import { SpacktainersError, SpacktainersErrors } from "../../src/util/errors.ts";
import { machineFor } from "../environment/machines.ts";
import { corpusIndex, corpusPath } from "../support/corpusCaches.ts";

/** What real Spack made of an environment; `judge.py` of the folder says what the fields mean. */
interface Answer {
  readonly spack: string;
  readonly host: { readonly platform: string; readonly os: string; readonly target: string };
  readonly environ?: Readonly<Record<string, string>>;
  readonly roots: readonly string[] | null;
  readonly included_roots?: readonly string[];
  readonly error: string | null;
  readonly solved: boolean | null;
  readonly would_build?: readonly string[];
  readonly root_hashes?: Readonly<Record<string, string>>;
}

const folder = join(corpusPath, "environment-folders");
/** Where we do not answer as Spack does: docs/differences.md says why. */
const differences = new Set(["061-unquoted-trailing-zero"]);

function cache(layout: 2 | 3) {
  const index = corpusIndex(layout);
  const available = new Set(Object.keys(index).filter((hash) => index[hash]?.in_buildcache));
  const specs = Object.entries(index).map(([hash, { spec }]) =>
    readNode(spec, {
      specfileVersion: layout === 2 ? 4 : 5,
      place: { file: "index" },
      hashIfMissing: parseDagHash(hash),
    }),
  );
  return sourceOf(specs, (hash) => available.has(hash));
}

const sources = new Map<2 | 3, ReturnType<typeof cache>>();

function sourceFor(dialect: Dialect) {
  const layout = dialect === "0.x" ? 2 : 3;
  const source = sources.get(layout) ?? cache(layout);
  sources.set(layout, source);
  return source;
}

describe.skipIf(!existsSync(folder))(
  "environments of several files (skipped without ../shared/corpus)",
  () => {
    const names = existsSync(folder)
      ? readdirSync(folder).filter((name) => existsSync(join(folder, name, "answer.json")))
      : [];

    it("are there", () => expect(names.length).toBeGreaterThan(80));

    it.each(names.filter((name) => !differences.has(name)))("%s", async (name) => {
      const answer: Answer = JSON.parse(readFileSync(join(folder, name, "answer.json"), "utf8"));
      const dialect: Dialect = answer.spack.startsWith("0.") ? "0.x" : "1.x";
      const variables = Object.fromEntries(
        Object.entries(answer.environ ?? {}).map(([key, value]) => [
          key,
          value.replaceAll("{case}", join(folder, name)),
        ]),
      );
      const home = variables.HOME ?? "/nowhere";
      const machine = machineFor({ ...answer.host, environment: variables, home });
      const reading = await loadManifest(join(folder, name, "spack.yaml"), { dialect, machine });
      if (answer.error !== null) {
        expect(reading.errors.length).toBeGreaterThan(0);
        for (const { code } of reading.errors) expect(code).not.toBe("NOT_SUPPORTED");
        return;
      }
      expect(reading.errors.map(({ message }) => message)).toEqual([]);
      const { environment } = reading;
      if (environment === undefined) throw new Error("no environment");
      const written = (text: string) => formatSpec(parseSpec(text, { dialect }), dialect);
      expect(environment.specs.map(({ text }) => written(text))).toEqual((answer.roots ?? []).map(written));
      expect(includedRoots(environment.included).map(({ request }) => written(request))).toEqual(
        (answer.included_roots ?? []).map(written),
      );
      if (answer.solved === null) return;
      const choose = () =>
        chooseFromCaches(environment, sourceFor(dialect), { target: answer.host.target, os: answer.host.os });
      if (!answer.solved || (answer.would_build ?? []).length > 0) {
        expect(choose).toThrow();
        try {
          choose();
        } catch (thrown) {
          const errors = thrown instanceof SpacktainersErrors ? thrown.errors : [thrown];
          for (const error of errors)
            expect(error instanceof SpacktainersError ? error.code : error).toBe("NO_SOLUTION");
        }
        return;
      }
      const expected = Object.entries(answer.root_hashes ?? {}).map(([text, hash]) => [written(text), hash]);
      expect(Object.fromEntries(choose().roots.map(({ request, hash }) => [written(request), hash]))).toEqual(
        Object.fromEntries(expected),
      );
    });
  },
);
