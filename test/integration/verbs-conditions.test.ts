/**
 * The smaller verbs under conditions that are not the developer's: another day, another user, limits, a full standard output, several
 * at once, folders that cannot be written. (The verbs that build images have tests of their own for each.)
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mapConcurrently } from "../../src/util/mapConcurrently.ts";
import { binary, type CommandResult, makeWorkplace, type Workplace } from "../support/cli.ts";
import { debrisIn } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { snapshot } from "../support/fileSnapshot.ts";

/** Root may write everywhere: where the tests run as root, somebody else tries. */
const uid = process.getuid?.() === 0 ? 65_534 : undefined;

/** Command lines, each with what it writes. */
const lines: readonly (readonly [line: string, written: string | undefined])[] = [
  ["cache list", undefined],
  ["cache verify", undefined],
  ["cache keys", undefined],
  ["cache copy cache copied --unsigned", "copied"],
  ["cache index --cache index", "index"],
  ["init new", "new"],
  ["add other ring", "container_definitions/amd64/other"],
  ["migrate old/Dockerfile", "container_definitions/amd64/old"],
  ["ci github", ".github"],
  ["ci gitlab", ".gitlab-ci.yml"],
  ["ci plan", undefined],
  ["reproduce oci:image", undefined],
  ["base list", undefined],
  ["list --remote", undefined],
  ["explain hello-mpi", undefined],
  ["schema", undefined],
  ["storage", undefined],
  ["keys signing", "signing.key"],
];

let home: Workplace;
const places: Workplace[] = [];
beforeAll(async () => {
  home = place();
  expect((await home.run(["build", "hello-mpi", "--output", "oci:image", "--quiet"])).status).toBe(0);
});
afterAll(() => {
  for (const one of places) {
    spawnSync("chmod", ["-R", "u+rwX", one.directory], { timeout: 30_000 });
    one.remove();
  }
});

/** A repository, with what the lines need; that of the first is built. */
function place(): Workplace {
  const made = makeWorkplace();
  places.push(made);
  makeDemoRepository(made);
  spawnSync("git", ["init", "--quiet"], { cwd: made.directory, timeout: 30_000 });
  cpSync(made.path("cache"), made.path("index"), { recursive: true });
  mkdirSync(made.path("old"));
  writeFileSync(
    made.path("old/Dockerfile"),
    "FROM spack/ubuntu-jammy:1.1 AS builder\nRUN spack install ring\nFROM ubuntu:22.04\nCOPY --from=builder /opt/software /opt/software\n",
  );
  if (places.length > 1) cpSync(home.path("image"), made.path("image"), { recursive: true });
  return made;
}

function giveAway(path: string): void {
  if (uid !== undefined) spawnSync("chown", ["-R", String(uid), path], { timeout: 30_000 });
}

/** Runs a line after commands of a shell. */
async function run(
  { directory, cacheHome }: Workplace,
  line: string,
  before: string,
  { env = {}, other = false }: { readonly env?: NodeJS.ProcessEnv; readonly other?: boolean } = {},
): Promise<CommandResult> {
  const child = spawn(
    "bash",
    ["-c", `${before}\nexec "$@"`, "sh", process.execPath, binary, ...line.split(" ")],
    {
      cwd: directory,
      env: { ...process.env, XDG_CACHE_HOME: cacheHome, COSIGN_PASSWORD: "x", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 60_000,
      ...(other && uid !== undefined ? { uid, gid: uid } : {}),
    },
  );
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
    });
  const status = await new Promise<number | null>((done, fail) => {
    child.once("error", fail).once("close", done);
  });
  return { status, ...text };
}

/** Verifies `copied`, which nobody signed. */
async function verifyUnsigned(work: Workplace): Promise<CommandResult> {
  writeFileSync(work.path("spacktainers.yaml"), "caches: [{url: copied, unsigned: true}]\n");
  return run(work, "cache verify", "");
}

/** A preload by which every clock of JavaScript is so many hours ahead. */
const aheadBy = (hours: number): string =>
  `data:text/javascript,${encodeURIComponent(
    `const Real = Date; const ahead = ${hours} * 3600e3; globalThis.Date = class extends Real { constructor(...all) { all.length === 0 ? super(Real.now() + ahead) : super(...all); } static now() { return Real.now() + ahead; } };`,
  )}`;

const expectNoFault = ({ status, stderr }: CommandResult): void => {
  expect(status).not.toBeNull();
  expect(stderr).not.toMatch(/INTERNAL|\n {4}at /);
};

describe("an ordinary user, under limits, with odd settings", () => {
  it.each([
    ["two hours later", 2, "ulimit -n 64", /^cache|^reproduce/],
    ["a day later", 25, "ulimit -n 64; umask 077", /./],
    ["forty days later", 24 * 40, "umask 077", /^cache|^reproduce/],
    ["a year later", 24 * 365, "ulimit -v 8000000", /./],
  ])("does everything: %s", async (_, hours, limit, which) => {
    const work = place();
    giveAway(work.directory);
    chmodSync(work.directory, 0o755);
    const env = {
      TZ: "Pacific/Kiritimati",
      LC_ALL: "tr_TR.UTF-8",
      NODE_OPTIONS: `--import ${aheadBy(hours)}`,
      XDG_CACHE_HOME: work.path("own-home"),
      HOME: work.path("own-home"),
    };
    await mapConcurrently(
      lines.filter(([line]) => which.test(line)),
      2,
      async ([line, written]) => {
        const result = await run(work, line, `exec 2>/dev/null; ${limit}; exec 2>&1`, { env, other: true });
        expect({ line, status: result.status, said: result.stdout }).toMatchObject({ status: 0 });
        if (written !== undefined) expect(existsSync(work.path(written))).toBe(true);
      },
    );
    expect(debrisIn(work.directory)).toEqual([]);
  });
});

describe("standard output that is full", () => {
  it.each([
    "cache list",
    "cache verify",
    "ci plan",
    "reproduce oci:image",
    "list --remote",
    "schema",
    "storage",
  ])("is told by everything: %s", async (line) => {
    const result = await run(home, line, "exec >/dev/full");
    expectNoFault(result);
    expect(result.stderr).toContain("DISK_FULL  standard output is incomplete: the disk is full");
    expect(result.status).toBe(1);
  });
});

describe("files that may not be large", () => {
  it("leave an index as it was, and say what to raise", async () => {
    const work = place();
    const before = snapshot(work.path("index"));
    const result = await run(work, "cache index --cache index", "ulimit -f 1");
    expect(result).toMatchObject({ status: 1, stderr: expect.stringContaining("ulimit -f unlimited") });
    expect(snapshot(work.path("index"))).toEqual(before);
  });

  it("and too few of them open say so", async () => {
    const result = await run(home, "cache list", "ulimit -n 20");
    expect(result).toMatchObject({ status: 1, stderr: expect.stringContaining("ulimit -n 1024") });
  });
});

describe("folders that cannot be written", () => {
  let work: Workplace;
  beforeAll(() => {
    work = place();
    spawnSync("chmod", ["-R", "a-w", work.directory], { timeout: 30_000 });
    chmodSync(work.directory, 0o555);
  });

  it.each(lines.filter(([, written]) => written !== undefined))(
    "are named, and nothing is half-written: %s",
    async (line) => {
      const before = snapshot(work.directory);
      const env = { XDG_CACHE_HOME: work.path("no-home"), HOME: work.path("no-home") };
      const result = await run(work, line, "", { env, other: true });
      expectNoFault(result);
      expect(result.status).toBe(4);
      expect(result.stderr).toMatch(/ {2}error {2}ACCESS_DENIED {2}/);
      expect(snapshot(work.directory)).toEqual(before);
    },
  );
});

describe("eight at once", () => {
  it.each([
    ["cache copy cache copied --unsigned", "copied", 8],
    ["cache index --cache index", "index", 8],
    ["ci github", ".github", 8],
    ["add other ring", "container_definitions/amd64/other", 1],
    ["keys signing", "signing.key", 1],
  ])("give what one gives: %s", async (line, written, succeed) => {
    const work = place();
    const results = await Promise.all(Array.from({ length: 8 }, () => run(work, line, "")));
    for (const result of results) expectNoFault(result);
    const good = results.filter(({ status }) => status === 0);
    expect(good).toHaveLength(succeed);
    for (const { status, stderr } of results)
      if (status !== 0) expect(stderr).toMatch(/ {2}error {2}OUTPUT_EXISTS {2}/);
    expect(debrisIn(work.directory)).toEqual([]);
    if (written === "copied") expect((await verifyUnsigned(work)).status).toBe(0);
    if (written === "signing.key")
      expect(readFileSync(join(work.directory, "signing.key"), "utf8")).toContain("ENCRYPTED");
  });
});
