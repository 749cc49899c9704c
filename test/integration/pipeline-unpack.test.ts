import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { makeWorkplace } from "../support/cli.ts";
import { corpusPath, hasCorpusCaches } from "../support/corpusCaches.ts";

interface Listed {
  readonly path: string;
  readonly mode: string;
  readonly type: "dir" | "file" | "link";
  readonly target?: string;
  readonly sha256?: string;
}

/** One recording of what real Spack installed. */
const recordings = [
  { folder: "installed", cache: "v2", place: "/opt/oracle" },
  { folder: "installed-v3", cache: "v3", place: "/opt/oracle11" },
] as const;

const work = makeWorkplace();
afterAll(() => work.remove());

function recorded(folder: string, list: string): readonly Listed[] {
  const text = gunzipSync(readFileSync(join(corpusPath, folder, `${list}.jsonl.gz`))).toString("utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Listed);
}

/** What is at a path, in the recording's words. */
function found(root: string, path: string): Listed | undefined {
  const file = join(root, path);
  const facts = lstatSync(file, { throwIfNoEntry: false });
  if (facts === undefined) return undefined;
  const mode = (facts.mode & 0o7777).toString(8);
  if (facts.isSymbolicLink()) return { path, mode, type: "link", target: readlinkSync(file) };
  if (facts.isDirectory()) return { path, mode, type: "dir" };
  return { path, mode, type: "file", sha256: createHash("sha256").update(readFileSync(file)).digest("hex") };
}

/** Every path below a directory. */
function* walk(root: string, path: string): Generator<string> {
  for (const item of readdirSync(join(root, path), { withFileTypes: true })) {
    const below = `${path}/${item.name}`;
    yield below;
    if (item.isDirectory()) yield* walk(root, below);
  }
}

function withoutSize({ path, mode, type, target, sha256 }: Listed): Listed {
  return {
    path,
    mode,
    type,
    ...(target === undefined ? {} : { target }),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

describe.skipIf(!hasCorpusCaches)(
  "unpack gives what real Spack installed (skipped without ../shared/corpus)",
  () => {
    it.each(recordings)("$folder from $cache", async ({ folder, cache, place }) => {
      const into = work.path(`into-${folder}`);
      const result = await work.run([
        ...["unpack", join(corpusPath, folder), "--into", into, "--no-strip", "--keep-metadata"],
        ...["--root", `${place}/software`, "--view", `${place}/view`],
        ...["--cache", join(corpusPath, cache), "--trust", join(corpusPath, "cache.pub")],
      ]);
      expect(result.stderr).not.toContain("error");
      expect(result.status).toBe(0);

      const software = recorded(folder, "software").filter(({ path }) => !path.includes("/.spack-db"));
      const differing = software.filter((wanted) => {
        // Times of an installation are those of that installation; sbang is our own program.
        if (wanted.path.endsWith("/.spack/install_times.json")) return false;
        const present = found(into, wanted.path);
        if (wanted.path === `${place}/software/bin/sbang`) return present?.mode !== wanted.mode;
        return JSON.stringify(present) !== JSON.stringify(withoutSize(wanted));
      });
      expect(differing).toEqual([]);
      const paths = new Set(software.map(({ path }) => path));
      expect([...walk(into, `${place}/software`)].filter((path) => !paths.has(path))).toEqual([]);

      const view = recorded(folder, "view");
      const viewDiffering = view.filter(
        (wanted) => JSON.stringify(found(into, wanted.path)) !== JSON.stringify(withoutSize(wanted)),
      );
      // Spack writes its hidden folder into scripts that it copies for Python; the public path is wanted there.
      for (const { path } of viewDiffering) {
        expect(readFileSync(join(into, path), "utf8")).toContain(`${place}/view`);
        expect(path).toMatch(/\/bin\/(activate|pyring)/i);
      }
      const viewPaths = new Set(view.map(({ path }) => path));
      expect([...walk(into, `${place}/view`)].filter((path) => !viewPaths.has(path))).toEqual([]);
    });

    it("leaves metadata and symbols out when not asked for, and replaces what is there", async () => {
      const into = work.path("into-twice");
      const args = [
        ...["unpack", join(corpusPath, "installed-v3"), "--into", into],
        ...["--cache", join(corpusPath, "v3"), "--trust", join(corpusPath, "cache.pub")],
      ];
      expect((await work.run(args)).status).toBe(0);
      const again = await work.run([...args, "--json"]);
      expect(again.status).toBe(0);
      const last = JSON.parse(again.stdout.trim().split("\n").at(-1) ?? "{}") as {
        packages: { prefix: string }[];
      };
      expect(last.packages.length).toBe(8);
      for (const { prefix } of last.packages) {
        expect(existsSync(join(into, prefix))).toBe(true);
        expect(existsSync(join(into, prefix, ".spack"))).toBe(false);
      }
      expect(readdirSync(join(into, "opt")).sort()).toEqual(["software", "view"]);
    });

    it("never lets a view take the place of other files, nor of its own packages", async () => {
      const into = work.path("into-others");
      mkdirSync(join(into, "data"), { recursive: true });
      writeFileSync(join(into, "data/precious"), "");
      const args = [
        ...["unpack", join(corpusPath, "installed-v3"), "--into", into, "--quiet"],
        ...["--cache", join(corpusPath, "v3"), "--trust", join(corpusPath, "cache.pub")],
      ];
      for (const [view, code, status] of [
        ["/data", "OUTPUT_EXISTS", 1],
        ["/opt", "USAGE", 2],
        ["/opt/software", "USAGE", 2],
        ["/", "USAGE", 2],
      ] as const) {
        const result = await work.run([...args, "--view", view]);
        expect(result.stderr).toContain(code);
        expect(result.status).toBe(status);
      }
      expect([...walk(into, "")]).toEqual(["/data", "/data/precious"]);
    });

    it.each([
      ["no key", [], 5, "KEY_UNKNOWN"],
      ["a prefix that is too long", ["--root", `/${"x".repeat(200)}`], 1, "PREFIX_TOO_LONG"],
      ["a relative root", ["--root", "opt"], 2, "USAGE"],
    ])("refuses %s and leaves nothing", async (_, more, status, code) => {
      const into = work.path(`into-refused-${code}`);
      const trust = code === "KEY_UNKNOWN" ? [] : ["--trust", join(corpusPath, "cache.pub")];
      const result = await work.run([
        ...["unpack", join(corpusPath, "installed-v3"), "--into", into],
        ...["--cache", join(corpusPath, "v3"), ...trust, ...more],
      ]);
      expect(result.stderr).toContain(code);
      expect(result.status).toBe(status);
      expect(existsSync(into)).toBe(false);
    });
  },
);
