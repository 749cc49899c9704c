/** Holds our answers against everything that real Spack answered in the corpus, with the harness that users run. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const corpus = resolve(root, "../shared/corpus");
const recordings = join(corpus, "oracle");
const harness = join(root, "scripts/oracle.mjs");

interface Run {
  readonly status: number;
  readonly output: string;
}

async function run(...parameters: readonly string[]): Promise<Run> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [harness, ...parameters], {
      timeout: 120_000,
    });
    return { status: 0, output: stdout };
  } catch (thrown) {
    const { code, stdout, stderr } = thrown as { code: number; stdout: string; stderr: string };
    return { status: code, output: stdout + stderr };
  }
}

const present = existsSync(recordings);
if (!present) process.stderr.write(`spec-oracle: no recordings in ${recordings}, nothing to compare with\n`);

describe.skipIf(!present)("recordings of real Spack", () => {
  const folders = present ? readdirSync(recordings).sort() : [];
  it.each(folders)("%s: every line agrees", async (folder) => {
    const { output } = await run(join(recordings, folder), "--show", "3");
    const counts = [...output.matchAll(/^(\w+)\.jsonl (\d+)\/(\d+)/gm)];
    expect(counts.map(([, kind]) => kind)).toEqual(["versions", "parse", "concrete", "abstract"]);
    for (const [line, , agreeing, all] of counts) expect(agreeing, `${line}\n${output}`).toBe(all);
  });

  it("recipes: all changes of the environment agree, or have their notice", async () => {
    const own = join(corpus, "run-environment/own-recipes");
    const { status, output } = await run(
      own,
      "--recipes",
      join(own, "spack_repo/runenv/packages"),
      "--show",
      "9",
    );
    expect(status, output).toBe(0);
    const [, agreeing, all] = /records (\d+)\/(\d+): /.exec(output) ?? [];
    // One request was recorded twice with the same nodes, and its changes are in another order each time.
    expect(output).toMatch(/^ {2}of 1 that differ: 0 noticed, 1 in the order of another file, 0 silent;/m);
    expect(Number(all) - Number(agreeing), output).toBe(1);
    expect(Number(agreeing)).toBeGreaterThanOrEqual(32);
    expect(output).toContain(" 0 silent;");
  });

  it("a wrong recording is found and shown", async () => {
    const folder = await mkdtemp(join(tmpdir(), "spec-oracle-"));
    try {
      await writeFile(join(folder, "meta.json"), JSON.stringify({ dialect: "1.x" }));
      const lines = [
        { text: "zlib+x", ok: true, format: "zlib+x" },
        { text: "zlib+x", ok: true, format: "zlib~x" },
        { text: "zlib@", ok: true, format: "zlib" },
      ];
      await writeFile(join(folder, "parse.jsonl"), lines.map((line) => JSON.stringify(line)).join("\n"));
      const { status, output } = await run(folder, "--corpus", corpus);
      expect(status).toBe(1);
      expect(output).toContain("parse.jsonl 1/3");
      expect(output).toContain('"format":"zlib~x"');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
