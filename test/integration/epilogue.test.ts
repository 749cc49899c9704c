/** Containers with a `Dockerfile.epilogue`, by the command line: built, checked, published, and by users of every kind. */
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { writeTar } from "../../src/archive/writeTar.ts";
import {
  type CommandResult,
  debianTrouble,
  demoRepository,
  makeWorkplace,
  type Workplace,
} from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { directory, file, hostPrograms } from "../support/hostImage.ts";
import { makeOrdinaryUser, type OrdinaryUser, ordinaryUserTrouble } from "../support/ordinaryUser.ts";

const definition = "container_definitions/amd64/hello-mpi";

/** A base with a shell, from this machine. */
async function writeBase(path: string): Promise<void> {
  const entries = [
    ...hostPrograms(["sh", "bash", "cat", "chown", "echo", "id", "mkdir", "rm", "touch"]),
    directory("etc/apt"),
    file(
      "var/lib/dpkg/status",
      "Package: base\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n",
    ),
    ...["dev", "proc", "sys", "run"].map((name) => directory(name)),
  ];
  const chunks: Buffer[] = [];
  const stream = (async function* all() {
    yield* entries;
  })();
  for await (const chunk of writeTar(stream, { trailer: true })) chunks.push(Buffer.from(chunk));
  writeFileSync(path, Buffer.concat(chunks));
}

async function makeRepository(work: Workplace): Promise<void> {
  makeDemoRepository(work);
  await writeBase(work.path("base.tar"));
  const configuration = work.path("spacktainers.yaml");
  writeFileSync(
    configuration,
    readFileSync(configuration, "utf8").replace("{scratch: true}", "{rootfs: base.tar}"),
  );
}

interface Built {
  readonly digest: string;
  readonly layers: number;
}

function resultOf(result: CommandResult): Built {
  expect(result.status, result.stdout + result.stderr).toBe(0);
  return jsonLines(result).at(-1) as unknown as Built;
}

/** The configuration of the image in a layout. */
function imageConfig(layout: string): Record<string, never> & {
  readonly config: Record<string, unknown>;
  readonly history: readonly { readonly created_by: string }[];
} {
  const read = (digest: string) =>
    JSON.parse(readFileSync(join(layout, "blobs/sha256", digest.slice("sha256:".length)), "utf8"));
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  return read(read(index.manifests[0].digest).config.digest);
}

const text = `# What users of this image expect.
ARG WHO=world
ENV GREETING="hello $WHO" PATH=/opt/local/bin:$PATH
COPY --chmod=755 files/greet /opt/local/bin/
COPY *.txt /srv/
RUN greet > /greeting && id -u >> /greeting && rm /etc/group
LABEL greeted=$WHO
WORKDIR /srv
CMD ["greet"]
`;

function writeEpilogue(work: Workplace, epilogue = text): void {
  mkdirSync(work.path(definition, "files"), { recursive: true });
  writeFileSync(work.path(definition, "Dockerfile.epilogue"), epilogue);
  writeFileSync(work.path(definition, "files/greet"), '#!/bin/sh\necho "$GREETING"\n');
  writeFileSync(work.path(definition, "notes.txt"), "notes\n");
}

describe("a container with an epilogue", () => {
  let work: Workplace;
  beforeEach(async () => {
    work = makeWorkplace();
    await makeRepository(work);
    writeEpilogue(work);
  });
  afterEach(() => work.remove());

  const build = (...more: readonly string[]) => work.run(["--json", "build", "hello-mpi", ...more]);
  const layout = () => work.path("dist/amd64/hello-mpi");

  it("gets its files, its settings, and what its commands made", async () => {
    resultOf(await build());
    const { config, history } = imageConfig(layout());
    expect(config).toMatchObject({ Cmd: ["greet"], WorkingDir: "/srv", Labels: { greeted: "world" } });
    expect(config.Env).toContain("GREETING=hello world");
    expect((config.Env as string[])[0]).toMatch(/^PATH=\/opt\/local\/bin:\/opt\/view\/bin:/);
    expect(history.slice(-3).map((line) => line.created_by)).toEqual([
      "spacktainers: COPY --chmod=755 files/greet /opt/local/bin/",
      "spacktainers: COPY *.txt /srv/",
      "spacktainers: RUN greet > /greeting && id -u >> /greeting && rm /etc/group",
    ]);
    const ran = await work.run([
      "run",
      "hello-mpi",
      "--",
      "sh",
      "-c",
      "cat /greeting /srv/notes.txt; greet; test -e /etc/group || echo gone",
    ]);
    // A runtime that starts it for an ordinary user makes the file again, with the user's group.
    const gone = process.getuid?.() === 0 ? "gone\n" : "";
    expect(ran.stdout.replace(/gone\n$/, gone)).toBe(`hello world\n0\nnotes\nhello world\n${gone}`);
  });

  it("is not made again as long as nothing that decides it changes, and the same when it is", async () => {
    const first = resultOf(await build());
    const again = await work.run(["build", "hello-mpi"]);
    expect(again.stdout + again.stderr).toMatch(/up to date/);
    const elsewhere = work.path("elsewhere");
    const second = await work.run(["--json", "build", "hello-mpi", "--force"], {
      env: { XDG_CACHE_HOME: elsewhere },
    });
    expect(resultOf(second).digest).toBe(first.digest);
    writeFileSync(work.path(definition, "files/unused"), "nobody copies it\n");
    expect(resultOf(await build()).digest).toBe(first.digest);
    chmodSync(work.path(definition, "notes.txt"), 0o600);
    const third = resultOf(await build());
    expect(third.digest).not.toBe(first.digest);
    const fourth = resultOf(await build("--build-arg", "WHO=moon"));
    expect(fourth.digest).not.toBe(third.digest);
    expect(imageConfig(layout()).config.Labels).toMatchObject({ greeted: "moon" });
  });

  it.each([
    ["FROM debian\n", 1, /has no FROM/],
    ["RUN true\nONBUILD RUN true\n", 2, /ONBUILD/],
    ["COPY missing /x\n", 1, /there is no "missing" in the folder of the definition/],
    ["COPY ../spack.yaml /x\n", 1, /leads out of the folder/],
    ["ENV A=1\nADD https://example.invalid/x /x\n", 2, /no checksum/],
    ["RUN --network=host true\n", 1, /needs the network, which is not allowed/],
    ["RUN --mount=type=secret,id=x true\n", 1, /no secret/],
    ["RUN true\nRUN echo oh no; exit 3\n", 2, /status 3: oh no/],
    ["COPY --chown=nobodyhere notes.txt /x\n", 1, /no user nobodyhere/],
  ])("refuses %j at its line", async (epilogue, line, message) => {
    writeEpilogue(work, epilogue);
    const failed = await work.run(["build", "hello-mpi"]);
    expect(failed.status).not.toBe(0);
    expect(failed.stderr).toMatch(new RegExp(`Dockerfile\\.epilogue:${line}:\\d+ {2}error`));
    expect(failed.stderr).toMatch(message);
    expect(existsSync(layout())).toBe(false);
    expect(readdirSync(work.directory).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
  });

  it("has no network unless it is allowed", async () => {
    const probe = 'RUN cat /proc/net/dev | while read -r name rest; do echo "$name" >> /interfaces; done\n';
    writeEpilogue(work, probe);
    resultOf(await build());
    const interfaces = async () => (await work.run(["run", "hello-mpi", "--", "cat", "/interfaces"])).stdout;
    expect((await interfaces()).match(/^\w+:$/gm)).toEqual(["lo:"]);
  });

  it("lists what its commands installed", async () => {
    writeEpilogue(
      work,
      "RUN cat >> /var/lib/dpkg/status <<EOF\n\nPackage: added\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2-1\nEOF\n",
    );
    resultOf(await build());
    const { stdout } = await work.run(["sbom", "hello-mpi"]);
    const names = JSON.parse(stdout).packages.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["base", "added", "ring"]));
  });

  it("is planned", async () => {
    const plan = await work.run(["plan", "hello-mpi"]);
    expect(plan.stdout).toMatch(/epilogue/);
  });
});

describe("a published container with an epilogue", () => {
  let registry: FakeRegistry;
  let work: Workplace;
  beforeEach(async () => {
    registry = await startFakeRegistry();
    work = makeWorkplace();
    await makeRepository(work);
    writeEpilogue(work);
    appendFileSync(work.path("spacktainers.yaml"), `registries: [{url: "${registry.host}/org"}]\n`);
  });
  afterEach(async () => {
    work.remove();
    await registry.close();
  });

  it("is found there by another machine, its commands not run again", async () => {
    const first = await work.run(["--json", "push", "hello-mpi"]);
    expect(first.status, first.stderr).toBe(0);
    const other = work.path("other-machine");
    mkdirSync(other);
    const again = await work.run(["--json", "push", "hello-mpi"], { env: { XDG_CACHE_HOME: other } });
    expect(again.status, again.stderr).toBe(0);
    expect(jsonLines(again).at(-1)).toMatchObject({ upToDate: true, bytesSent: 0 });
    // Settings only: all layers stay where they are.
    writeEpilogue(work, text.replace("LABEL greeted=$WHO", "LABEL greeted=somebody"));
    const changed = await work.run(["--json", "push", "hello-mpi"], { env: { XDG_CACHE_HOME: other } });
    expect(changed.status, changed.stderr).toBe(0);
    expect(jsonLines(changed).filter(({ kind }) => kind === "run")).toEqual([]);
    expect(jsonLines(changed).at(-1)).toMatchObject({
      upToDate: false,
      layers: { uploaded: 0 },
    });
  });

  it("is not put on another base: its commands ran on the one it has", async () => {
    expect((await work.run(["push", "hello-mpi"])).status).toBe(0);
    const rebased = await work.run(["rebase", "hello-mpi"]);
    expect(rebased.status).not.toBe(0);
    expect(rebased.stderr).toMatch(/has an epilogue, which ran on the base/);
  });
});

const userTrouble = ordinaryUserTrouble();

describe.skipIf(userTrouble !== undefined)(
  `an epilogue by ordinary users${userTrouble === undefined ? "" : ` (skipped: ${userTrouble})`}`,
  () => {
    let user: OrdinaryUser;
    let work: Workplace;
    beforeAll(async () => {
      user = makeOrdinaryUser();
      work = makeWorkplace();
      await makeRepository(work);
      chmodSync(work.directory, 0o777);
      chmodSync(work.path("cache"), 0o755);
    });
    afterAll(() => {
      work?.remove();
      user?.remove();
    });

    const epilogue =
      "RUN id -u > /who && touch /theirs && chown 33:44 /theirs && mkdir -m 700 /closed && touch /closed/in\n";

    it.each([
      ["with subordinate numbers", [], "33:44"],
      // Programs cannot change users: newuidmap neither.
      ["without any tool that changes users", ["setpriv", "--no-new-privs", "--"], "0:0"],
    ] as const)("%s", async (name, before, owner) => {
      const { spawnSync } = await import("node:child_process");
      writeEpilogue(work, epilogue);
      const out = join(user.home, name.replaceAll(" ", "-"));
      const [program = "", ...rest] = [...user.become, ...before, process.execPath];
      const built = spawnSync(
        program,
        [
          ...rest,
          join(demoRepository, "dist/cli/main.js"),
          "-C",
          work.directory,
          "build",
          "hello-mpi",
          "--output",
          `oci:${out}`,
        ],
        {
          encoding: "utf8",
          env: { ...process.env, ...user.environment, NO_COLOR: "1", XDG_CACHE_HOME: `${out}-cache` },
        },
      );
      expect(built.status, built.stdout + built.stderr).toBe(0);
      const { openLayout } = await import("../../src/image/openLayout.ts");
      const { layerSource } = await import("../../src/pipeline/epilogue/layerSource.ts");
      const { seenFiles } = await import("../support/epilogueBase.ts");
      const image = await openLayout(out, {
        platforms: [{ architecture: "amd64", os: "linux" }],
        reference: undefined,
      });
      const seen = await seenFiles((await image.layers()).map(layerSource));
      expect(seen.get("theirs")).toMatchObject({ type: "file", mode: "644", owner });
      expect(seen.get("closed")).toMatchObject({ type: "directory", mode: "700", owner: "0:0" });
      expect(seen.get("closed/in")).toBeDefined();
      expect(seen.get("who")?.owner).toBe("0:0");
    });
  },
);

const archiveTrouble = debianTrouble();

describe.skipIf(archiveTrouble !== undefined)(
  `epilogues that install packages${archiveTrouble === undefined ? "" : ` (skipped: ${archiveTrouble})`}`,
  () => {
    let work: Workplace;
    beforeAll(() => {
      work = makeWorkplace();
      makeDemoRepository(work);
      writeFileSync(
        work.path("spacktainers.yaml"),
        "caches:\n- {url: cache, trust: [cache.pub]}\nbase: {debian: bookworm}\n",
      );
    });
    afterAll(() => work?.remove());

    it("are those of the neurodamus containers: users compile in them", async () => {
      const original = join(
        demoRepository,
        "container_definitions/amd64/neurodamus-neocortex/Dockerfile.epilogue",
      );
      cpSync(original, work.path(definition, "Dockerfile.epilogue"));
      const refused = await work.run(["build", "hello-mpi"]);
      expect(refused.stderr).toMatch(/epilogue: network: true/);
      const built = await work.run(["--json", "build", "hello-mpi", "--epilogue-network"]);
      expect(built.status, built.stdout + built.stderr).toBe(0);
      writeFileSync(work.path("a.c"), "int main(void) { return 42; }\n");
      const compiled = await work.run([
        "run",
        "--bind",
        `${work.path("a.c")}:/a.c`,
        "hello-mpi",
        "--",
        "sh",
        "-c",
        "gcc /a.c -o /tmp/a; /tmp/a; echo $?; make --version",
      ]);
      expect(compiled.stdout).toMatch(/^42\nGNU Make/);
      const bill = JSON.parse((await work.run(["sbom", "hello-mpi"])).stdout);
      const names = bill.packages.map(({ name }: { name: string }) => name);
      expect(names).toEqual(expect.arrayContaining(["gcc-12", "g++-12", "make", "libc6", "mpich"]));
      const listing = await work.run([
        "run",
        "hello-mpi",
        "--",
        "sh",
        "-c",
        "ls /var/lib/apt/lists /var/cache/apt/archives; ls /var/log",
      ]);
      expect(listing.stdout).not.toMatch(/Packages|\.deb|dpkg\.log/);
    });
  },
);
