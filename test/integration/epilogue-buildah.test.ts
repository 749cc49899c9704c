/** Dockerfiles carried out by us and by Buildah: the same files, the same settings. */
import { spawnSync } from "node:child_process";
import { createReadStream, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decompressStream } from "../../src/archive/decompress.ts";
import { compressionSettings } from "../../src/archive/layerCompression.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { openBuildContext } from "../../src/dockerfile/buildContext.ts";
import { evaluate } from "../../src/dockerfile/evaluate.ts";
import type { ImageSettings } from "../../src/dockerfile/imageSettings.ts";
import { parseDockerfile } from "../../src/dockerfile/parseDockerfile.ts";
import { sandboxRunner } from "../../src/dockerfile/sandboxRunner.ts";
import { openFragmentStore } from "../../src/image/fragmentStore.ts";
import { applyEpilogue, fragmentSource } from "../../src/pipeline/epilogue/applyEpilogue.ts";
import type { LayerSource } from "../../src/run/ownedLayers.ts";
import type { Digest } from "../../src/util/digest.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { baseSettings, makeEpilogueBase, type SeenFile, seenFiles } from "../support/epilogueBase.ts";
import { hostArchitecture } from "../support/hostImage.ts";
import { buildTar } from "../support/tarBuilder.ts";

const trouble =
  process.getuid?.() !== 0
    ? "building with Buildah's chroot isolation takes root"
    : commandExists("buildah")
      ? undefined
      : "buildah is not installed";

/** Files of the build context of every case. */
const context: Readonly<Record<string, string | Buffer>> = {
  a: "a\n",
  b: "b\n",
  "c d": "c d\n",
  "x.txt": "x\n",
  "y.txt": "y\n",
  "dir/one": "1\n",
  "dir/two.txt": "2\n",
  "dir/sub/three": "3\n",
  "dir/sub/deep/four.txt": "4\n",
  "other/one": "another one\n",
  "script.sh": "#!/bin/sh\necho script\n",
  "ar.tar": buildTar([
    { name: "top", type: "5", mode: 0o750 },
    { name: "top/f", body: "f\n", mode: 0o640 },
    { name: "top/l", type: "2", link: "f" },
    { name: "top/h", type: "1", link: "top/f", mode: 0o640 },
  ]),
  "ar.tar.gz": gzipSync(buildTar([{ name: "z", body: "z\n" }])),
  "no.gz": gzipSync("not a tar"),
};

/** Dockerfiles without FROM. */
const cases: Readonly<Record<string, string>> = {
  "one file": "COPY a /new\n",
  "a file into a folder that is not there": "COPY a /new/\n",
  "a file into a folder that is there": "COPY a /opt/tool\n",
  "a file over a file": "COPY a /opt/tool/old\n",
  "a file by the working directory": "WORKDIR /w/x\nCOPY a .\nCOPY b sub/\nWORKDIR y\nCOPY a b\n",
  "several files": "COPY a b /d/\n",
  "names with blanks": 'COPY ["c d", "a", "/e f/"]\n',
  patterns: "COPY *.txt /d/\nCOPY dir/*/th?ee /t\nCOPY [ab] /ab/\n",
  "a folder by its contents": "COPY dir /d\n",
  "a folder with slashes": "COPY dir/ /d/\n",
  "a folder over a folder": "COPY other /opt/tool/data\nCOPY dir /opt/tool\n",
  "the whole context": "COPY . /ctx/\n",
  "two folders into one": "COPY dir other /d/\n",
  "a link in the destination": "COPY a /opt/current/\nCOPY b /opt/current/b2\n",
  "a link in the context": "COPY link /l\nCOPY linkdir /ld\n",
  "links in a folder stay links": "COPY linked /k\n",
  modes: "COPY --chmod=600 a /m/a\nCOPY --chmod=711 script.sh /m/s\n",
  owners: "COPY --chown=1000:50 a /o/a\nCOPY --chown=ada:staff b /o/b\nCOPY --chown=7 dir /o/d\n",
  "environment and substitution":
    'ENV A=1 B="two words" C=$A-$GREETING\nENV D ${A:+yes} ${X:-no}\nCOPY ${Z:-a} /${A}/\nENV PATH=/x:$PATH\nLABEL l=$B "m n"=\'$B\'\n',
  "arguments with defaults": "ARG V=7\nARG W\nENV E=$V-${W:-none}\nLABEL v=${V}\nCOPY a /v$V\n",
  settings:
    'USER ada\nWORKDIR /home/ada\nEXPOSE 80 443/tcp 53/udp\nVOLUME /data /more\nSTOPSIGNAL SIGINT\nCMD ["a", "b"]\n',
  "entrypoint takes the command away": 'ENTRYPOINT ["/bin/ls", "-l"]\n',
  "entrypoint and command": 'CMD ["x"]\nENTRYPOINT ["/bin/ls"]\n',
  "shell forms": "CMD echo $A b\nENTRYPOINT exec ls\n",
  "archives are unpacked": "ADD ar.tar /u/\nADD ar.tar.gz /u\nADD no.gz /u/\nCOPY ar.tar /packed/\n",
  comments: "# first\nCOPY a \\\n  # between\n  b \\\n  /d/\n",
  "a command": "RUN echo hi > /greeting && mkdir -p /x/y && chmod 700 /x\n",
  "commands remove":
    "RUN rm /etc/motd && rm -r /opt/tool/data && rmdir /srv\nRUN rm -rf /opt/tool && mkdir /opt/tool && touch /opt/tool/new\n",
  "commands give away":
    "RUN chown 1000:100 /opt/tool && touch /opt/tool/t && chown -h 5:6 /opt/current && chmod 4755 /opt/tool/run\n",
  "commands link": "RUN echo q > /q1 && ln /q1 /q2 && ln -s /q1 /q3 && mv /opt/tool/old /opt/moved\n",
  "a command as a user": "USER ada\nWORKDIR /home/ada\nRUN id -u > who && pwd > where && echo $HOME > home\n",
  "a command with its environment":
    'ARG V=7\nENV E="e e"\nRUN echo "$V $E $GREETING" > /v\nRUN ["/bin/sh", "-c", "echo $V > /w"]\n',
  "a command in another shell": 'SHELL ["/bin/sh", "-exc"]\nRUN echo $- > /flags\n',
  "a command after files": "COPY script.sh /s\nRUN chmod +x /s && /s > /out\nCOPY a /s\n",
};

describe.skipIf(trouble !== undefined)(
  `Dockerfiles beside Buildah${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let work: Workplace;
    let base: Awaited<ReturnType<typeof makeEpilogueBase>>;

    function buildah(...args: readonly string[]): string {
      const storage = ["--root", work.path("root"), "--runroot", work.path("run"), "--storage-driver", "vfs"];
      const result = spawnSync("buildah", [...storage, ...args], {
        cwd: work.directory,
        encoding: "utf8",
        maxBuffer: 2 ** 26,
      });
      expect(result.status, `buildah ${args.join(" ")}\n${result.stderr}`).toBe(0);
      return result.stdout.trim();
    }

    beforeAll(async () => {
      work = makeWorkplace();
      base = await makeEpilogueBase(work.path("base"));
      for (const [name, content] of Object.entries(context)) {
        mkdirSync(dirname(work.path("context", name)), { recursive: true });
        writeFileSync(work.path("context", name), content, { mode: name.endsWith(".sh") ? 0o755 : 0o644 });
      }
      mkdirSync(work.path("context/linked"));
      symlinkSync("../a", work.path("context/linked/in"));
      symlinkSync("/absolute/elsewhere", work.path("context/linked/out"));
      symlinkSync("a", work.path("context/link"));
      symlinkSync("dir/sub", work.path("context/linkdir"));
      const id = buildah("pull", "--quiet", "oci:base");
      buildah("tag", id.split("\n").at(-1) ?? "", "localhost/base:1");
    });
    afterAll(() => work?.remove());

    it.each(Object.keys(cases))("%s", async (name) => {
      const text = cases[name] ?? "";
      const ours = await carryOut(text, name);
      const theirs = await built(text, name);
      expect(differences(ours.files, theirs.files)).toEqual([]);
      expect(ours.settings).toEqual(theirs.settings);
    });

    async function carryOut(text: string, name: string): Promise<Outcome> {
      const file = work.path("context/Dockerfile.epilogue");
      const evaluation = evaluate(parseDockerfile(text, file), {
        settings: baseSettings,
        arguments: new Map(),
        architecture: hostArchitecture === "arm64" ? "arm64" : "amd64",
      });
      const applied = await applyEpilogue(
        evaluation,
        { layers: base.layers, foreign: base.layers, tree: await base.tree() },
        {
          file,
          context: await openBuildContext(work.path("context"), []),
          architecture: "amd64",
          store: openFragmentStore(work.path("store", name)),
          compression: compressionSettings("gzip"),
          network: false,
          refresh: false,
          cacheDirectory: work.path("caches"),
          networkFiles: () => Promise.resolve(new Map()),
          openRunner: () =>
            Promise.resolve(sandboxRunner({ directory: work.path("buildroot"), signal: undefined })),
          fetch: () => Promise.reject(new Error("nothing is fetched")),
          emit: ignoreEvents,
        },
        { libraries: [], viewPath: undefined, find: () => Promise.resolve(undefined) },
      );
      const layers = applied.layers.flatMap(({ made, createdBy }) =>
        "fragment" in made && !createdBy.includes("ld.so.cache") ? [fragmentSource(made.fragment)] : [],
      );
      return {
        files: comparable(await seenFiles([...base.layers, ...layers])),
        settings: settingsOf(evaluation.settings),
      };
    }

    async function built(text: string, name: string): Promise<Outcome> {
      const file = work.path(`${name}.Dockerfile`);
      writeFileSync(file, `FROM localhost/base:1\n${text}`);
      const options = ["--isolation", "chroot", "--network", "host", "--format", "docker", "--quiet"];
      const id =
        buildah("bud", ...options, "-f", file, work.path("context"))
          .split("\n")
          .at(-1) ?? "";
      const out = work.path("out", name.replaceAll(/\W/g, "-"));
      mkdirSync(dirname(out), { recursive: true });
      buildah("push", "--quiet", id, `oci:${out}`);
      const read = (digest: string) => join(out, "blobs/sha256", digest.slice("sha256:".length));
      const index = JSON.parse(readFileSync(join(out, "index.json"), "utf8"));
      const manifest = JSON.parse(readFileSync(read(index.manifests[0].digest), "utf8"));
      const { config } = JSON.parse(readFileSync(read(manifest.config.digest), "utf8"));
      const layers = manifest.layers.map(({ digest }: { digest: string }): LayerSource => {
        const path = read(digest);
        return {
          diffId: digest as Digest,
          blob: () => Promise.reject(new Error("nobody asks")),
          entries: () =>
            readTar(decompressStream(createReadStream(path)), {
              where: { file: path },
              absolute: "relative",
            }),
        };
      });
      return {
        files: comparable(await seenFiles(layers)),
        settings: {
          env: [...(config.Env ?? [])].sort(),
          entrypoint: config.Entrypoint ?? null,
          command: config.Cmd ?? null,
          labels: withoutBuildahs(config.Labels ?? {}),
          user: config.User ?? "",
          workingDirectory: config.WorkingDir ?? "",
          ports: Object.keys(config.ExposedPorts ?? {}).sort(),
          volumes: Object.keys(config.Volumes ?? {}).sort(),
          stopSignal: config.StopSignal ?? "",
        },
      };
    }
  },
);

interface Outcome {
  readonly files: Readonly<Record<string, SeenFile>>;
  readonly settings: unknown;
}

function comparable(files: ReadonlyMap<string, SeenFile>): Readonly<Record<string, SeenFile>> {
  // What engines make to mount on.
  const places = /^(?:dev|proc|sys|run)(?:\/|$)|^etc\/(?:hosts|resolv\.conf|hostname)$/;
  return Object.fromEntries([...files].filter(([path]) => !places.test(path)));
}

/** A line for each file that is not the same. */
function differences(ours: Outcome["files"], theirs: Outcome["files"]): readonly string[] {
  const line = (file: SeenFile | undefined) =>
    file === undefined ? "nothing" : `${file.type} ${file.mode} ${file.owner} ${file.content.slice(0, 16)}`;
  return [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].flatMap((path) =>
    line(ours[path]) === line(theirs[path])
      ? []
      : [`${path}: ours ${line(ours[path])}, Buildah's ${line(theirs[path])}`],
  );
}

function withoutBuildahs(labels: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !name.startsWith("io.buildah.")));
}

function settingsOf(settings: ImageSettings): unknown {
  return {
    env: [...settings.env].map(([name, value]) => `${name}=${value}`).sort(),
    entrypoint: settings.entrypoint ?? null,
    command: settings.command ?? null,
    labels: Object.fromEntries(settings.labels),
    user: settings.user ?? "",
    workingDirectory: settings.workingDirectory ?? "",
    ports: [...settings.exposedPorts].sort(),
    volumes: [...settings.volumes].sort(),
    stopSignal: settings.stopSignal ?? "",
  };
}
