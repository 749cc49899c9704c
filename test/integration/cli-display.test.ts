/** What people see while several containers are built, in a real terminal (tmux), in a pipe, and where colour is not wanted. */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { binary, makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { startOnTerminal, terminalTrouble } from "../support/terminalSession.ts";

const trouble = commandExists("tmux") ? undefined : "tmux is not installed";
const escapeCharacter = "\u001b";

let work: Workplace;
let attempts = 0;
beforeAll(() => {
  work = makeWorkplace();
  makeDemoRepository(work);
  for (const name of ["other", "a-container-with-quite-a-long-name"]) {
    mkdirSync(work.path("container_definitions/amd64", name), { recursive: true });
    writeFileSync(work.path("container_definitions/amd64", name, "spack.yaml"), "spack: {specs: [ring]}\n");
  }
  // One fails at once.
  writeFileSync(
    work.path("container_definitions/amd64/other/spack.yaml"),
    "spack: {specs: [nosuchpackage]}\n",
  );
});
afterAll(() => work?.remove());

/** Builds everything, from a cold cache, in a terminal of this width. @returns what was written to it, and what stays */
async function inTerminal(columns: number, variables: string): Promise<{ raw: string; screen: string }> {
  const folder = work.path(`terminal-${++attempts}`);
  mkdirSync(folder);
  const script = `${folder}/run.sh`;
  // It begins when everything that it writes is recorded.
  writeFileSync(
    script,
    `cd ${work.directory}; until [ -e ${folder}/go ]; do sleep 0.1; done\n` +
      `env XDG_CACHE_HOME=${folder}/cache ${variables} ${process.execPath} ${binary} build -o 'oci:${folder}/{name}'\n` +
      `echo "ended $?"; touch ${folder}/ended; sleep 600\n`,
  );
  const tmux = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(
      "tmux",
      ["-S", `${folder}/socket`, "-f", "/dev/null", ...args],
      {
        encoding: "utf8",
        env: { ...process.env, TERM: "xterm-256color", LC_ALL: "C.UTF-8" },
      },
    );
    if (status !== 0) throw new Error(`tmux ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  tmux("new-session", "-d", "-x", String(columns), "-y", "60", `sh ${script}`);
  try {
    tmux("pipe-pane", "-o", `cat >${folder}/raw`);
    writeFileSync(`${folder}/go`, "");
    const ended = (): string => readFileSync(`${folder}/ended`, "utf8");
    await vi.waitFor(ended, { timeout: 240_000, interval: 200 });
    const seen = (): string => {
      const raw = readFileSync(`${folder}/raw`, "utf8");
      if (!raw.includes("ended 3")) throw new Error(`not recorded yet: ${raw}`);
      return raw;
    };
    const raw = await vi.waitFor(seen, { timeout: 20_000, interval: 100 });
    return { raw, screen: tmux("capture-pane", "-p") };
  } finally {
    tmux("kill-server");
  }
}

describe.skipIf(trouble !== undefined)(
  `the display in a terminal${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    it.each([40, 80, 120])("of %i columns: counts, containers and one overall line", async (columns) => {
      const { raw, screen } = await inTerminal(columns, "");
      // The others may be over too soon to be drawn.
      expect(raw).toContain("0 of 3 containers");
      const lines = screen.split("\n").map((line) => line.trimEnd());
      const ends = lines.filter((line) => / {2}(done|failed) /.test(line));
      expect(ends).toHaveLength(3);
      expect(ends.filter((line) => line.includes("failed"))).toHaveLength(1);
      // Nothing of what moved stays, and what stays is on one line.
      expect(screen).not.toMatch(/of 3 containers|[█░]/);
      for (const line of ends) expect(line).toMatch(/^amd64\/.* \d+(\.\d)? s$/);
      const installed = lines.filter((line) => line.includes("  Installing"));
      expect(installed).toHaveLength(2);
      expect(installed[0]).toMatch(/^amd64\/a-con/);
      expect(installed[1]).toMatch(/^amd64\/hello-?(mpi|…) {2}Installing/);
      if (columns > 40) expect(installed[1]).toContain("3 of 3, 3 reused");
    });

    it("has no colour with NO_COLOR, and moves all the same", async () => {
      const { raw } = await inTerminal(80, "NO_COLOR=1");
      expect(raw).toContain("0 of 3 containers");
      expect(raw).toContain(`${escapeCharacter}[J`);
      const isStyle = new RegExp(`${escapeCharacter}\\[\\d*(;\\d+)*m`);
      // Of tmux itself nothing is recorded: these are the program's.
      expect(raw).not.toMatch(isStyle);
    });
  },
);

describe("the display in a pipe", () => {
  it.each([{}, { CI: "true" }, { FORCE_COLOR: "1" }])("is lines that stay: %o", async (variables) => {
    const folder = work.path(`pipe-${++attempts}`);
    const { stderr } = await work.run(["build", "-o", `oci:${folder}/{name}`], {
      env: { ...variables, XDG_CACHE_HOME: `${folder}/cache` },
    });
    const lines = stderr.split("\n");
    for (const [at, name] of ["a-container-with-quite-a-long-name", "hello-mpi", "other"].entries())
      expect(lines).toContain(`amd64/${name}  ${at + 1} of 3`);
    expect(lines).toContain("amd64/hello-mpi  Installing packages (3)");
    expect(lines.filter((line) => /^ {2}installed mpich@/.test(line))).toHaveLength(1);
    expect(stderr).not.toContain(`${escapeCharacter}[J`);
    expect(stderr).not.toMatch(/of 3 containers/);
  });
});

describe.skipIf(terminalTrouble() !== undefined)("bars of bytes", () => {
  /** What `plan` shows on a terminal of this width. */
  async function onTerminal(columns: number, env: Readonly<Record<string, string>>): Promise<string> {
    const session = startOnTerminal(
      [
        "sh",
        "-c",
        `stty cols ${columns}; exec "$0" "$@"`,
        process.execPath,
        binary,
        "-q",
        "plan",
        "hello-mpi",
      ],
      { cwd: work.directory, env: { ...process.env, XDG_CACHE_HOME: work.path("bars-cache"), ...env } },
    );
    expect(await session.ended()).toBe(0);
    return session.shown().replaceAll("\r", "");
  }
  const barLines = (text: string): readonly string[] =>
    text.split("\n").filter((line) => /^(mpich|gcc-runti|ring)\S+ .*[█░]/.test(line));

  it.each([40, 80, 120])("fill a terminal of %i columns", async (columns) => {
    const lines = barLines(await onTerminal(columns, { NO_COLOR: "1" }));
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^mpich@4\.0\.2 +2\.\d MB +9\d % +[█░]+$/);
    expect(lines[0]).toHaveLength(columns - 1);
  });

  it("have colours on a terminal, and are drawn into a pipe only when asked for", async () => {
    expect(await onTerminal(80, {})).toContain(`${escapeCharacter}[3`);
    const piped = await work.run(["-q", "plan", "hello-mpi"]);
    expect(piped.stdout).not.toMatch(/[█░]/);
    const asked = await work.run(["-q", "plan", "hello-mpi", "--bars"]);
    expect(barLines(asked.stdout)).toHaveLength(3);
    expect(asked.stdout).not.toContain(escapeCharacter);
    expect(asked.stdout.startsWith(piped.stdout)).toBe(true);
    const json = await work.run(["-q", "plan", "hello-mpi", "--bars", "--json"]);
    expect(json.stdout).not.toMatch(/[█░]/);
  });
});
