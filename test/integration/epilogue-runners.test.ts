/** The commands of a Dockerfile, run by whatever can run them: our sandbox, Buildah, Podman. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compressionSettings } from "../../src/archive/layerCompression.ts";
import { openBuildContext } from "../../src/dockerfile/buildContext.ts";
import type { CommandRunner } from "../../src/dockerfile/commandRunner.ts";
import { engineRunner } from "../../src/dockerfile/engineRunner.ts";
import { evaluate } from "../../src/dockerfile/evaluate.ts";
import { parseDockerfile } from "../../src/dockerfile/parseDockerfile.ts";
import { sandboxRunner } from "../../src/dockerfile/sandboxRunner.ts";
import { openFragmentStore } from "../../src/image/fragmentStore.ts";
import { applyEpilogue, fragmentSource } from "../../src/pipeline/epilogue/applyEpilogue.ts";
import { digestOf } from "../../src/util/digest.ts";
import { SpacktainersError } from "../../src/util/errors.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { baseSettings, makeEpilogueBase, type SeenFile, seenFiles } from "../support/epilogueBase.ts";
import { podmanEnvironment, podmanTrouble } from "../support/podman.ts";

const isRoot = process.getuid?.() === 0;

const runners = {
  sandbox:
    isRoot || commandExists("newuidmap")
      ? undefined
      : "newuidmap is not installed: there is only one number for files",
  buildah: !isRoot
    ? "the tests' set-up is for root"
    : commandExists("buildah")
      ? undefined
      : "buildah is not installed",
  podman: podmanTrouble(),
} as const;

const text = `ARG GREETING
ENV GREETING=hi
RUN <<EOF
set -e
echo one > /l1
echo "two $GREETING" > /l2
mkdir -m 711 -p /opt/made/deep
touch /opt/made/deep/x
ln /l1 /l3
ln -s /l1 /l4
chown 1000:100 /l2
rm /etc/motd
rm -r /opt/tool/data
rm -r /opt/tool && mkdir /opt/tool && touch /opt/tool/new
mkdir -p /var/lib/apt/lists /var/log/apt
touch /var/lib/apt/lists/big /var/log/apt/term.log
EOF
RUN <<'EOF'
#!/bin/sh
echo "$0 $GREETING" > /script
EOF
RUN --mount=type=bind,source=dir,target=/mnt/dir cat /mnt/dir/one > /bound
RUN --mount=type=cache,target=/cache,id=c echo kept >> /cache/file && cat /cache/file > /cached
RUN --mount=type=tmpfs,target=/scratch echo gone > /scratch/file
RUN cat > /f1 <<A && cat > /f2 <<'B'
x $GREETING
A
y $GREETING
B
USER ada:staff
WORKDIR /home/ada
RUN id -u > who && id -g >> who && pwd > where
`;

/** What has to be there in the end, and what must not. */
const expected: Readonly<Record<string, string | undefined>> = {
  l1: "file 644 0:0",
  l2: "file 644 1000:100",
  l3: "file 644 0:0",
  l4: "symlink  0:0",
  opt: "directory 755 0:0",
  "opt/made": "directory 755 0:0",
  "opt/made/deep": "directory 711 0:0",
  "opt/tool": "directory 755 0:0",
  "opt/tool/new": "file 644 0:0",
  "opt/tool/run": undefined,
  "opt/tool/data": undefined,
  "etc/motd": undefined,
  "etc/passwd": "file 644 0:0",
  "var/lib/apt/lists/big": undefined,
  "var/log/apt/term.log": undefined,
  script: "file 644 0:0",
  bound: "file 644 0:0",
  mnt: undefined,
  cache: undefined,
  scratch: undefined,
  cached: "file 644 0:0",
  f1: "file 644 0:0",
  f2: "file 644 0:0",
  tmp: "directory 1777 0:0",
  "home/ada": "directory 750 1000:100",
  "home/ada/who": "file 644 1000:50",
  "home/ada/where": "file 644 1000:50",
};

const contents: Readonly<Record<string, string>> = {
  l2: "two hi\n",
  script: "/run/.pipes/EOF hi\n",
  bound: "1\n",
  cached: "kept\n",
  f1: "x hi\n",
  f2: "y $GREETING\n",
  "home/ada/who": "1000\n50\n",
  "home/ada/where": "/home/ada\n",
};

describe.each(Object.entries(runners))("commands by %s", (name, trouble) => {
  describe.skipIf(trouble !== undefined)(`${trouble === undefined ? "here" : `skipped: ${trouble}`}`, () => {
    let work: Workplace;
    let base: Awaited<ReturnType<typeof makeEpilogueBase>>;
    const before = { ...process.env };

    beforeAll(async () => {
      work = makeWorkplace();
      base = await makeEpilogueBase(work.path("base"));
      mkdirSync(work.path("context/dir"), { recursive: true });
      writeFileSync(work.path("context/dir/one"), "1\n");
      if (name !== "sandbox")
        Object.assign(process.env, podmanEnvironment(work.path("podman")), { BUILDAH_ISOLATION: "chroot" });
      // Its limits are for Podman's runtime.
      if (name === "buildah") delete process.env.CONTAINERS_CONF;
    });
    afterAll(() => {
      process.env = before;
      work?.remove();
    });

    async function runner(): Promise<CommandRunner> {
      if (name === "sandbox") return sandboxRunner({ directory: work.path("buildroot"), signal: undefined });
      const found = await engineRunner(name === "podman" ? "podman" : "buildah", undefined);
      if (found === undefined) throw new Error(`${name} is not here`);
      return found;
    }

    async function carryOut(dockerfile: string, store: string) {
      const file = work.path("context/Dockerfile.epilogue");
      const evaluation = evaluate(parseDockerfile(dockerfile, file), {
        settings: baseSettings,
        arguments: new Map(),
        architecture: "amd64",
      });
      const applied = await applyEpilogue(
        evaluation,
        { layers: base.layers, foreign: base.layers, tree: await base.tree() },
        {
          file,
          context: await openBuildContext(work.path("context"), []),
          architecture: "amd64",
          store: openFragmentStore(work.path(store)),
          compression: compressionSettings("gzip"),
          // Buildah's chroot isolation cannot take the network away.
          network: name === "buildah",
          refresh: false,
          cacheDirectory: work.path(`${store}-caches`),
          networkFiles: () => Promise.resolve(new Map()),
          openRunner: runner,
          fetch: () => Promise.reject(new Error("nothing is fetched")),
          emit: ignoreEvents,
        },
        { libraries: [], viewPath: undefined, find: () => Promise.resolve(undefined) },
      );
      return applied.layers.flatMap(({ made }) => ("fragment" in made ? [made.fragment] : []));
    }

    it("changes what they say, and leaves nothing else behind", async () => {
      const layers = await carryOut(text, "first");
      const seen = await seenFiles([...base.layers, ...layers.map((one) => fragmentSource(one))]);
      const line = (file: SeenFile | undefined) =>
        file === undefined ? undefined : `${file.type} ${file.mode} ${file.owner}`;
      expect(Object.fromEntries(Object.keys(expected).map((path) => [path, line(seen.get(path))]))).toEqual(
        expected,
      );
      for (const [path, content] of Object.entries(contents))
        expect(`${path} ${seen.get(path)?.content}`).toBe(`${path} ${digestOf(content)}`);
      // What engines put into a root of their own.
      const strange = [...seen.keys()].filter((path) =>
        /^(?:run\/.+|dev\/.+|proc\/.+|sys\/.+|etc\/(?:hosts|hostname|resolv\.conf|mtab))$/.test(path),
      );
      expect(strange).toEqual([]);
    });

    it("gives the same layers again", async () => {
      const digests = async (store: string) => (await carryOut(text, store)).map(({ digest }) => digest);
      expect(await digests("second")).toEqual(await digests("first"));
    });

    it("tells which command failed, where, and what it said", async () => {
      const dockerfile = "ENV A=b\nRUN echo fine\nRUN echo it broke: no reason >&2; exit 7\n";
      const failed = await carryOut(dockerfile, "third").catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(SpacktainersError);
      expect(failed).toMatchObject({
        code: "PROCESS_FAILED",
        message: expect.stringMatching(/status 7: it broke: no reason/),
        place: { line: 3, column: 1 },
      });
    });
  });
});
