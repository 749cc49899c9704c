import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { shellWord } from "../../src/util/shellQuote.ts";
import { binary, makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";

/** A shell, and how it is asked what it would propose for a line that ends where the cursor is. */
interface Shell {
  readonly name: "bash" | "zsh" | "fish";
  readonly script: (file: string, line: string) => readonly string[];
  /** The words in what it prints. */
  readonly words: (output: string) => readonly string[];
}

const lines = (output: string): readonly string[] =>
  output
    .split("\n")
    .map((line) => line.replace(/\t.*/, "").trim())
    .filter((line) => line !== "");

const shells: readonly Shell[] = [
  {
    name: "bash",
    // What readline does: words broken at the characters of COMP_WORDBREAKS.
    script: (file, line) => [
      "--norc",
      "-c",
      `source ${shellWord(file)}; COMP_LINE=${shellWord(line)}; COMP_POINT=\${#COMP_LINE}; COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'; _spacktainers; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ],
    words: lines,
  },
  {
    name: "zsh",
    // The real completion system, on a terminal of its own; what it proposes is told instead of shown.
    script: (file, line) => [
      "-f",
      "-c",
      `zmodload zsh/zpty; zpty it zsh -f -i
ask() { zpty -w it "$1"; }
ask 'PROMPT=; stty -echo -onlcr; autoload -U compinit; compinit -u -D; source ${file}; zstyle ":completion:*" list-grouped false; compadd() { [[ \${@[1,(i)(-|--)]} == *-(O|A|D)* ]] && { builtin compadd "$@"; return }; local -a found; builtin compadd -O found "$@"; print -rl -- "<<"\${^found}">>"; builtin compadd "$@" }; zle -C tell complete-word told; told() { _main_complete; print "@@end" }; bindkey "^X" tell; print "@@ready"'
read_until() { local text all=; while zpty -r it text; do all+=$text; [[ $all == *$1* ]] && break; done; print -r -- $all; }
read_until '@@ready' >/dev/null
zpty -w -n it ${shellWord(line)}$'\\x18'
read_until '@@end'`,
    ],
    words: (output) => [...output.matchAll(/<<([^<>\r\n]+)>>/g)].map(([, word]) => word ?? ""),
  },
  {
    name: "fish",
    script: (file, line) => ["--no-config", "-c", `source ${file}; complete -C ${shellWord(line)}`],
    words: lines,
  },
];

describe.each(shells)("completion in $name", ({ name, script, words }) => {
  const trouble = commandExists(name) ? undefined : `${name} is not installed`;
  let work: Workplace;
  let file: string;
  beforeAll(async () => {
    if (trouble !== undefined) return;
    work = makeWorkplace(
      "spacktainers: 1\ncaches:\n  - { url: 's3://bucket/one', unsigned: true }\nsites: { jed: {} }\n",
    );
    for (const container of ["amd64/neuron", "amd64/nest", "arm64/touch"]) addContainer(work, container);
    file = work.path("completion");
    writeFileSync(file, (await work.run(["completion", name])).stdout);
    const program = work.path("bin", "spacktainers");
    mkdirSync(dirname(program));
    writeFileSync(program, `#!/bin/sh\nexec ${shellWord(process.execPath)} ${shellWord(binary)} "$@"\n`);
    chmodSync(program, 0o755);
  });
  afterAll(() => work?.remove());

  const propose = (line: string): readonly string[] => {
    const { stdout, stderr } = spawnSync(name, script(file, line), {
      cwd: work.directory,
      encoding: "utf8",
      timeout: 60_000,
      env: {
        ...process.env,
        HOME: work.directory,
        XDG_CACHE_HOME: work.cacheHome,
        PATH: `${join(work.directory, "bin")}:${process.env.PATH}`,
        TERM: "dumb",
      },
    });
    const found = words(stdout);
    expect(found.length, `${line}: ${stdout}${stderr}`).toBeGreaterThan(0);
    return [...new Set(found)].sort();
  };

  it.skipIf(trouble === undefined)(`(skipped: ${trouble})`, () => {});

  it.skipIf(trouble !== undefined)("proposes verbs", () => {
    expect(propose("spacktainers pu")).toEqual(expect.arrayContaining(["pull", "push"]));
    expect(propose("spacktainers --json -C . ver")).toEqual(expect.arrayContaining(["verify", "version"]));
    expect(propose("spacktainers sif ver")).toEqual(expect.arrayContaining(["verify"]));
  });

  it.skipIf(trouble !== undefined)("proposes options of the verb, and the values that they may have", () => {
    expect(propose("spacktainers build --ou")).toContain("--output");
    expect(propose("spacktainers list --ar")).not.toContain("--output");
    expect(propose("spacktainers build --arch ")).toEqual(["amd64", "arm64"]);
    expect(propose("spacktainers completion ")).toEqual(["bash", "fish", "zsh"]);
  });

  it.skipIf(trouble !== undefined)("proposes names that the repository has", () => {
    expect(propose("spacktainers build ne")).toEqual(expect.arrayContaining(["nest", "neuron"]));
    expect(propose("spacktainers build --arch amd64 neuron t")).toContain("touch");
    expect(propose("spacktainers job neuron --site ")).toEqual(["jed"]);
    const [cache = ""] = propose("spacktainers build --cache s3");
    // Bash takes what stands before the colon for a word of its own.
    expect(["s3://bucket/one", "//bucket/one"]).toContain(cache);
  });

  it.skipIf(trouble !== undefined)("proposes files where files are meant", () => {
    writeFileSync(work.path("cache.pub"), "");
    expect(propose("spacktainers build --trust cache.p")).toEqual(["cache.pub"]);
    expect(
      propose("spacktainers exec neuron -- ./spack").some((word) => word.includes("spacktainers.yaml")),
    ).toBe(true);
  });

  it.skipIf(trouble !== undefined)("takes the repository from --directory", () => {
    const other = work.path("other");
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, "spacktainers.yaml"), "spacktainers: 1\nsites: { eiger: {} }\n");
    expect(propose("spacktainers -C other job x --site ")).toEqual(["eiger"]);
  });
});

function addContainer(work: Workplace, path: string): void {
  const folder = work.path("container_definitions", path);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "spack.yaml"), "spack:\n  specs: [zlib]\n");
}
