import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { builtProject } from "../support/builtProject.ts";
import { binary } from "../support/cli.ts";
import { oldNodes } from "../support/oldNodes.ts";

const run = (program: string, args: readonly string[]) => spawnSync(program, args, { encoding: "utf8" });
const nodes = oldNodes();
const projectRoot = resolve(import.meta.dirname, "../..");

const refusal = (version: string, program: string): string =>
  `error  NODE_TOO_OLD  spacktainers needs Node.js 22.12 or newer, or 20.19 or a later 20; this is v${version} (${program})\n  hint: https://nodejs.org/`;

describe("an old Node.js", () => {
  it.skipIf(nodes.length > 0)(
    "(skipped: there is none in .scratch/node: scripts/install-components.sh)",
    () => {},
  );

  it.each(nodes)("is refused in words by the program: $version", ({ version, program }) => {
    for (const args of [["--help"], ["list"], ["build", "hello-mpi"], ["exec", "x", "--", "ls", "--json"]]) {
      const { status, stdout, stderr } = run(program, [binary, ...args]);
      expect(stdout).toBe("");
      expect(stderr.startsWith(refusal(version, program)), stderr).toBe(true);
      expect(stderr.trimEnd().split("\n")).toHaveLength(2);
      expect(status).toBe(4);
    }
  });

  it.each(nodes)("is refused in JSON where that was asked for: $version", ({ version, program }) => {
    const { status, stdout, stderr } = run(program, [binary, "list", "--json"]);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual({
      type: "error",
      errors: [
        { code: "NODE_TOO_OLD", message: expect.stringContaining(`v${version}`), hint: expect.any(String) },
      ],
    });
    expect(status).toBe(4);
  });

  // Older ones cannot read its syntax.
  it.each(nodes.filter(({ version }) => Number.parseInt(version, 10) >= 18))(
    "is refused in words by the library: $version",
    ({ version, program }) => {
      const library = pathToFileURL(join(builtProject, "index.js")).href;
      const script = `import(${JSON.stringify(library)}).catch((error) => console.log(error.name, error.code, error.message))`;
      const { stdout } = run(program, ["-e", script]);
      expect(stdout).toMatch(/^SpacktainersError NODE_TOO_OLD spacktainers needs /);
      expect(stdout).toContain(`v${version}`);
    },
  );

  it.each(nodes.filter(({ version }) => Number.parseInt(version, 10) >= 18))(
    "is refused in words by the build: $version",
    ({ version, program }) => {
      const { status, stderr } = run(program, [join(projectRoot, "scripts/build.mjs")]);
      expect(stderr).toBe(`building needs Node.js ^20.19.0 || >=22.12.0; this is v${version} (${program})\n`);
      expect(status).toBe(1);
    },
  );
});

describe("a Node.js that says that it is an old one", () => {
  const disguise = (version: string): readonly string[] => [
    "--import",
    `data:text/javascript,Object.defineProperty(process,"version",{value:"${version}"})`,
  ];

  it("is refused before anything of ours is loaded", () => {
    for (const version of ["v18.19.0", "v21.7.3", "v22.11.0"]) {
      const { status, stdout, stderr } = run(process.execPath, [...disguise(version), binary, "--help"]);
      expect(stdout).toBe("");
      expect(stderr.startsWith(refusal(version.slice(1), process.execPath)), stderr).toBe(true);
      expect(status).toBe(4);
    }
  });

  it("may be any that we can run on", () => {
    for (const version of ["v20.19.0", "v22.12.0", "v99.0.0"])
      expect(run(process.execPath, [...disguise(version), binary, "--help"]).status).toBe(0);
  });
});
