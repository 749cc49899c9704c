import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuilderEngine, builderEngines } from "../../../src/definitions/executorNames.ts";
import { builderBinds } from "../../../src/spack/container/builderContainer.ts";
import { engineCommand } from "../../../src/spack/container/engineCommands.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-engines-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const command = (engine: BuilderEngine) =>
  engineCommand(
    {
      engine,
      program: `/usr/bin/${engine}`,
      reference: "local_builder",
      name: "ours-1",
      binds: [
        { source: folder, target: folder, readOnly: false },
        { source: "/usr/share", target: "/usr/share", readOnly: true },
        { source: "/is/not/there", target: "/is/not/there", readOnly: true },
      ],
      temporary: folder,
      user: ["--user=7:8"],
    },
    {
      argv: ["/usr/bin/python3", "spack", "install", "/abc"],
      env: { PATH: "/usr/bin", HOME: "/cache/user", HTTPS_PROXY: "http://me:canary@proxy" },
      cwd: folder,
    },
  );

describe("the command line of an engine", () => {
  it.each(builderEngines)(
    "of %s shows what it is to, hides what may be secret, and ends with the command",
    (engine) => {
      const { argv, variables } = command(engine);
      expect(argv[0]).toBe(`/usr/bin/${engine}`);
      expect(argv.slice(-6)).toEqual(["sh", "/cache/user", "/usr/bin/python3", "spack", "install", "/abc"]);
      const line = argv.join(" ");
      expect(line).not.toContain("canary");
      expect(line).not.toContain("/is/not/there");
      expect(line).toMatch(/\/usr\/share(?:,readonly|,ro|:ro)/);
      expect(line).toContain("local_builder");
      const inherited = variables.HTTPS_PROXY ?? variables[`${engine.toUpperCase()}ENV_HTTPS_PROXY`];
      if (engine !== "buildah") expect(inherited).toBe("http://me:canary@proxy");
    },
  );

  it("of Buildah reads secrets from a file that nobody else can read", () => {
    const { argv } = command("buildah");
    const file = argv.find((word) => word.startsWith(`${folder}/.`)) ?? "";
    expect(readFileSync(file, "utf8")).toBe("export HTTPS_PROXY=http://me:canary@proxy\n");
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("of Podman and Docker says how to end what they started, as whom it runs, and keeps no log of its own", () => {
    for (const engine of ["podman", "docker"] as const) {
      const { argv, cleanup } = command(engine);
      expect(cleanup?.slice(0, 3)).toEqual([`/usr/bin/${engine}`, "rm", "--force"]);
      expect(cleanup?.at(-1)).toBe("ours-1");
      for (const word of ["--rm", "--name=ours-1", "--user=7:8", "--log-driver=none", "--entrypoint=/bin/sh"])
        expect(argv).toContain(word);
    }
    expect(command("apptainer").cleanup).toBeUndefined();
  });
});

describe("builderBinds", () => {
  it("shows Spack's home to write to, and the rest once, to read", () => {
    const places = { home: "/c/spack", temporary: "/c/spack/tmp", read: ["/src/spack", "/src/recipes"] };
    expect(builderBinds(places, ["/src/recipes/sub", "/d/include.yaml", "/c/spack/environments/e"])).toEqual([
      { source: "/c/spack", target: "/c/spack", readOnly: false },
      { source: "/d/include.yaml", target: "/d/include.yaml", readOnly: true },
      { source: "/src/recipes", target: "/src/recipes", readOnly: true },
      { source: "/src/spack", target: "/src/spack", readOnly: true },
    ]);
  });
});
