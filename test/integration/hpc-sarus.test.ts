import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandResult, makeWorkplace } from "../support/cli.ts";
import { hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { writeSarusStandIn } from "../support/sarusStandIn.ts";

interface Call {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input?: string;
}

describe("Sarus, by a stand-in that checks its arguments", () => {
  const work = makeWorkplace(
    "registries:\n- {type: ghcr, url: ghcr.io/My-Org, repository: 'spack-{name}', username: $SARUS_USER, password: $SARUS_PASSWORD}\n",
  );
  const log = work.path("calls");
  let taken = 0;
  const calls = (): readonly Call[] => {
    const lines = readFileSync(log, "utf8").trim().split("\n");
    const fresh = lines.slice(taken).map((line) => JSON.parse(line) as Call);
    taken = lines.length;
    return fresh;
  };
  const spacktainers = (...args: readonly string[]): Promise<CommandResult> =>
    work.run(args, {
      env: {
        PATH: `${work.path("bin")}:${process.env.PATH}`,
        SARUS_USER: "me",
        SARUS_PASSWORD: "hunter2",
        MINE: "here",
      },
    });

  beforeAll(async () => {
    mkdirSync(work.path("bin"));
    mkdirSync(work.path("data"));
    writeSarusStandIn(work.path("bin"), log);
    writeFileSync(log, "");
    await writeTestLayout(work.path("image"), {
      layers: [hostPrograms(["sh"])],
      config: { Entrypoint: ["/bin/sh", "-c", "$*", "--"] },
    });
    mkdirSync(work.path("container_definitions/amd64/hello"), { recursive: true });
    writeFileSync(work.path("container_definitions/amd64/hello/spack.yaml"), "spack: {specs: [zlib]}\n");
  });
  afterAll(() => work.remove());

  it("loads the image and runs it with the words of the user guide", async () => {
    const ran = await spacktainers(
      ...["exec", "--with", "sarus", "--mpi", "host", "--bind", "data:/data:ro", "--workdir", "/data"],
      ...["--env", "MINE", "--env", "A=1", "image", "--", "ring", "a b"],
    );
    expect(ran.stderr).not.toContain("ERROR");
    expect(ran.stdout).toMatch(/^sarus: load\/library\/spacktainers:[0-9a-f]{16} ring a b$/m);
    const [images, again, load, run] = calls();
    // Asked once more when nobody else can be loading it.
    for (const asked of [images, again]) expect(asked?.argv).toEqual(["images"]);
    expect(load?.argv).toEqual([
      "load",
      expect.stringMatching(/^\/.*\.tar$/),
      expect.stringMatching(/^spacktainers:[0-9a-f]{16}$/),
    ]);
    expect(run?.argv).toEqual([
      ...[
        "run",
        `--mount=type=bind,source=${join(work.directory, "data")},destination=/data,readonly`,
        "--mpi",
      ],
      ...["--env=MINE", "--env=A", "--workdir=/data", "--entrypoint", ""],
      ...[expect.stringContaining("load/library/"), "ring", "a b"],
    ]);
    expect(run?.env).toEqual({ MINE: "here", A: "1" });
  });

  it("shows the command instead, and asks for graphics processors by the hook's variable", async () => {
    const printed = await spacktainers(
      "run",
      "-q",
      "--with",
      "sarus",
      "--gpu",
      "--print",
      "image",
      "--",
      "x",
    );
    expect(printed.stdout).toContain(
      "run --env=NVIDIA_VISIBLE_DEVICES --workdir=/ --entrypoint '' load/library/",
    );
    calls();
  });

  it("pulls by reference, the password on standard input only", async () => {
    const pulled = await spacktainers("pull", "hello", "--with", "sarus");
    expect(pulled.stdout).toBe("ghcr.io/my-org/spack-hello:latest is in sarus's store\n");
    expect(calls()).toEqual([
      {
        argv: ["pull", "-u", "me", "--password-stdin", "ghcr.io/my-org/spack-hello:latest"],
        env: {},
        input: "hunter2",
      },
    ]);
  });
});
