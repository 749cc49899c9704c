/**
 * Sessions of the documentation that are marked with `demo`: each runs in a repository of its own with the demo's cache, and prints
 * what the page says, apart from numbers, hashes and the machine's own paths. `…` stands for anything.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Block, blocksOf, demoStates, pages } from "../docs/blocks.ts";
import { binary, makeWorkplace, type Workplace } from "../support/cli.ts";
import { makeDemoRepository } from "../support/demoCache.ts";

const sessions = pages
  .flatMap(blocksOf)
  .filter(({ marks }) => marks.includes("demo"))
  .map((block) => [`${block.page}:${block.line} ${block.text.split("\n")[0]}`, block] as const);
const places: Workplace[] = [];
afterAll(() => {
  for (const place of places) place.remove();
});

/** Lines with what differs from run to run put aside. */
function shape(text: string): readonly string[] {
  return text
    .replace(/\/home\/me(?:\/spacktainers)?/g, "REPOSITORY")
    .replaceAll("/demo/cache", "/cache")
    .replace(/\b(?:[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b/g, "HASH")
    .replace(/\b[\d,]+(?:\.\d+)?\b/g, "N")
    .replace(/ ?\b(?:[kMG]?B|min|m?s)\b/g, " UNIT")
    .split("\n")
    .map((line) => line.replace(/[ \t]+/g, " ").trim())
    .filter((line) => line !== "");
}

/** What of a page's lines is not among those that were printed, in their order. */
function missingLines(told: readonly string[], printed: readonly string[]): readonly string[] {
  let at = 0;
  return told.filter((line) => {
    if (line === "…") return false;
    const parts = line.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    const pattern = new RegExp(`^${parts.join(".*")}$`);
    const found = printed.findIndex((one, index) => index >= at && pattern.test(one));
    if (found >= 0) at = found + 1;
    return found < 0;
  });
}

/** What was done before a session, by the words behind `demo`. */
const before: Readonly<Record<(typeof demoStates)[number], string>> = {
  locked: "spacktainers -q lock hello-mpi",
  built: "spacktainers -q build hello-mpi",
  sif: "spacktainers -q build hello-mpi && spacktainers -q sif hello-mpi",
  catalogue: "echo 'ci: { catalogue: true }' >>spacktainers.yaml",
  registry: "echo 'registries: [{ type: ghcr, url: ghcr.io/my-org }]' >>spacktainers.yaml",
};

/** Runs a session. @returns what was printed, standard output and standard error together */
function run({ text, marks }: Block): string {
  const work = makeWorkplace();
  places.push(work);
  makeDemoRepository(work);
  const folder = realpathSync(work.directory);
  mkdirSync(join(folder, "bin"));
  const program = join(folder, "bin/spacktainers");
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${binary}" "$@"\n`);
  chmodSync(program, 0o755);
  if (!existsSync(join(folder, "demo"))) {
    mkdirSync(join(folder, "demo"));
    spawnSync("ln", ["-s", "../cache", "demo/cache"], { cwd: folder });
    spawnSync("ln", ["-s", "../cache.pub", "demo/cache.pub"], { cwd: folder });
  }
  const commands = [...text.matchAll(/^\$ (.*(?:\\\n.*)*)$/gm)].map(([, command = ""]) => command);
  const prepared = [":", ...demoStates.flatMap((state) => (marks.includes(state) ? before[state] : []))];
  const { stdout } = spawnSync(
    "bash",
    ["-c", `exec 2>&1; { ${prepared.join("; ")}; } >/dev/null; ${commands.join("\n")}`],
    {
      cwd: folder,
      encoding: "utf8",
      timeout: 120_000,
      env: {
        ...process.env,
        PATH: `${folder}/bin:${process.env.PATH}`,
        XDG_CACHE_HOME: work.path("cache-home"),
        NO_COLOR: "1",
      },
    },
  );
  return stdout.replaceAll(folder, "REPOSITORY");
}

describe("sessions of the documentation", () => {
  it("would be missed where they say what is not printed", () => {
    expect(missingLines(shape("a 1\n…\nb … 2 kB\nc"), shape("a 7\nx\nb of 3.5 MB\nd"))).toEqual(["c"]);
  });

  it.each(sessions)("%s", (_, block) => {
    const told = shape(block.text.replace(/^\$ .*(?:\\\n.*)*$/gm, ""));
    expect(told.length).toBeGreaterThan(0);
    const printed = run(block);
    expect(missingLines(told, shape(printed)), printed).toEqual([]);
  });
});
