import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildDefinition } from "../../src/commands/build/buildDefinition.ts";
import { defaultConfiguration } from "../../src/definitions/configuration.ts";
import { containerAtPath } from "../../src/definitions/repository.ts";
import { openFragmentStore } from "../../src/image/fragmentStore.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import type { ImageReference } from "../../src/pipeline/images/openReference.ts";
import { type Apptainer, openApptainer, pathWithApptainer, postUser } from "../support/apptainer.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { directory, file, hostArchitecture, hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { podmanEnvironment, podmanTrouble } from "../support/podman.ts";
import { runnerTrouble } from "../support/runner.ts";
import {
  everySection,
  label,
  noApptainer,
  noApptainerLabel,
  noPost,
  noPostLabel,
  repositoryDefinition,
  trouble,
  withoutApps,
} from "./sifDefinitions.ts";

describe.skipIf(trouble !== undefined)(`definition files${label}`, () => {
  let work: Workplace;
  let definitions: string;
  let apptainer: Apptainer;

  beforeAll(async () => {
    work = makeWorkplace("");
    chmodSync(work.directory, 0o777);
    apptainer = openApptainer(work.directory);
    definitions = work.path("container_definitions", hostArchitecture);
    mkdirSync(join(definitions, "_files/tree/sub"), { recursive: true });
    writeFileSync(join(definitions, "_files/a.txt"), "a\n");
    writeFileSync(join(definitions, "_files/tree/sub/run.sh"), "#!/bin/sh\necho hi\n", { mode: 0o755 });
    symlinkSync("sub/run.sh", join(definitions, "_files/tree/link"));
    await writeTestLayout(work.path("base"), {
      layers: [
        [
          ...hostPrograms(["sh", "bash", "cat", "echo", "env", "ls", "find", "sort"]),
          ...["opt", "opt/docker", "opt/docker/bin"].map((path) => directory(path)),
          file("opt/docker/bin/storage", '#!/bin/sh\necho "storage $*"\n', 0o755),
        ],
      ],
      config: {
        Env: ["PATH=/usr/bin:/bin", "OF_BASE=1"],
        Entrypoint: ["/bin/echo", "base"],
        Labels: { base: "yes" },
      },
    });
    define("every", everySection);
  });
  afterAll(() => {
    // Podman's store may be mounted on itself.
    if (existsSync(work.path("podman/storage/overlay")))
      spawnSync("umount", [work.path("podman/storage/overlay")], { stdio: "ignore" });
    work.remove();
  });

  function define(name: string, text: string): void {
    writeFileSync(join(definitions, `${name}.def`), text.replace("BASE", work.path("base")));
  }

  it("gives the same bytes every time, in SIF and OCI", async () => {
    for (const turn of ["one", "two"]) {
      const built = await work.run([
        "build",
        "every",
        "-o",
        `sif:${turn}.sif`,
        "-o",
        `oci:${turn}`,
        "-o",
        `squashfs:${turn}.sqfs`,
      ]);
      expect(built.stderr).not.toContain("error");
      expect(built.stdout).toContain("every latest");
    }
    for (const name of ["sif", "sqfs"])
      expect(readFileSync(work.path(`one.${name}`)).equals(readFileSync(work.path(`two.${name}`)))).toBe(
        true,
      );
    expect(readFileSync(work.path("one/index.json"), "utf8")).toBe(
      readFileSync(work.path("two/index.json"), "utf8"),
    );
    expect((await work.run(["build", "every", "-o", "oci:two"])).stdout).toContain("up to date");
    rmSync(work.path("two"), { recursive: true });
  });

  it.skipIf(noApptainer !== undefined)(
    `behaves in Apptainer as what apptainer build makes${noApptainerLabel}`,
    async () => {
      expect((await work.run(["build", "every", "-o", "sif:ours.sif"])).status).toBe(0);
      // Apptainer runs something to make apps and to test, which takes rights that root lacks in some containers: neither here.
      const folder = work.path("theirs");
      mkdirSync(folder, { mode: 0o777 });
      chmodSync(folder, 0o777);
      cpSync(definitions, join(folder, "definitions"), { recursive: true, dereference: false });
      writeFileSync(
        join(folder, "definitions/plain.def"),
        withoutApps(readFileSync(join(definitions, "every.def"), "utf8")),
      );
      define("plain", withoutApps(everySection));
      expect((await work.run(["build", "plain", "-o", "sif:plain.sif"])).status).toBe(0);
      const built = spawnSync("apptainer", ["build", "--notest", "../plain-theirs.sif", "plain.def"], {
        cwd: join(folder, "definitions"),
        env: { ...process.env, ...apptainer.env },
        encoding: "utf8",
      });
      expect(`${built.stderr} ${built.status}`).toMatch(/ 0$/);
      const outcomes = [join(folder, "plain-theirs.sif"), work.path("plain.sif")].map((sif) => {
        const run = (...args: string[]) => apptainer.run(args).stdout;
        const inspected = JSON.parse(run("inspect", "--json", "--all", sif)).data.attributes;
        const labels = Object.fromEntries(
          Object.entries(inspected.labels as object).filter(
            ([key]) => !/build-date|apptainer.version/.test(key),
          ),
        );
        return {
          run: run("run", "--cleanenv", sif, "a  b", "c"),
          tested: run("test", sif),
          help: run("run-help", sif),
          env: run("exec", "--cleanenv", sif, "/bin/sh", "-c", "echo $FOO $BAZ $OF_BASE $PATH"),
          files: run(
            "exec",
            sif,
            "/bin/sh",
            "-c",
            "cd /; find opt _files -not -type d -printf '%p %y %s\\n' | sort; /opt/tree/link",
          ),
          ...inspected,
          environment: inspected.environment["/.singularity.d/env/90-environment.sh"]
            .split("\n")
            .filter((line: string) => !/^#|^$/.test(line)),
          labels,
        };
      });
      expect(outcomes[1]).toEqual({
        ...outcomes[0],
        deffile: outcomes[1]?.deffile,
        environment: outcomes[0]?.environment,
      });
      expect(outcomes[1]).toMatchObject({ run: "run: bar and more: a  b c\n", tested: "tested\n" });

      const app = (...args: string[]) =>
        apptainer.run([...args.slice(0, 1), "--app", "foo", work.path("ours.sif"), ...args.slice(1)]).stdout;
      expect(app("run", "x y")).toBe("app: 1 foo x y\n");
      expect(app("test")).toBe("app tested\n");
      expect(app("run-help")).toContain("Help of foo.");
      expect(app("exec", "cat", "/scif/apps/foo/share/a.txt")).toBe("a\n");
      expect(
        apptainer.run(["inspect", "--app", "foo", "--json", "--labels", work.path("ours.sif")]).stdout,
      ).toContain('"Kind": "small"');
    },
  );

  it.skipIf(noApptainer !== undefined)(
    `makes an OCI image that runs the same, converted by whomever${noApptainerLabel}`,
    async () => {
      expect((await work.run(["build", "every", "-o", "oci:image"])).status).toBe(0);
      expect((await work.run(["sif", "./image", "-o", "converted.sif"])).status).toBe(0);
      expect(apptainer.run(["build", "apptainers.sif", `oci:${work.path("image")}`]).status).toBe(0);
      for (const name of ["converted.sif", "apptainers.sif"])
        expect(apptainer.run(["run", "--cleanenv", work.path(name), "x"]).stdout).toBe(
          "run: bar and more: x\n",
        );
      define("env-only", "Bootstrap: oci\nFrom: BASE\n%environment\n export FOO=1\n");
      expect((await work.run(["build", "env-only", "-o", "oci:image", "-o", "rootfs:root"])).status).toBe(0);
      expect(readFileSync(work.path("root/.singularity.d/oci/environment.sh"), "utf8")).toContain(
        "export FOO=1",
      );
      const run = await work.run(["run", "--with", "namespace", "./image", "--", "x"]);
      if (run.status === 0) expect(run.stdout).toBe("base x\n");
    },
  );

  it("starts from nothing, from SIF files and from directories", async () => {
    define("empty", "Bootstrap: scratch\n%files\n _files/a.txt /a.txt\n%runscript\n exec /a.txt\n");
    expect(
      (await work.run(["build", "empty", "-o", `sif:${join(definitions, "_files/empty.sif")}`])).stderr,
    ).not.toContain("error");
    mkdirSync(join(definitions, "_files/sandbox/etc"), { recursive: true });
    writeFileSync(join(definitions, "_files/sandbox/etc/name"), "box");
    define("box", "Bootstrap: localimage\nFrom: _files/sandbox\n%labels\n Size small\n");
    expect((await work.run(["build", "box", "-o", "sif:box.sif"])).stderr).not.toContain("error");
    const labels = await work.run(["sif", "dump", "box.sif", "2"]);
    expect(JSON.parse(labels.stdout).data.attributes.labels).toMatchObject({ Size: "small" });
    if (!commandExists("sqfs2tar")) return;
    define(
      "again",
      "Bootstrap: localimage\nFrom: _files/empty.sif\n%environment\n export X=1\n%labels\n More yes\n",
    );
    expect(
      (await work.run(["build", "again", "-o", "sif:again.sif", "-o", "rootfs:again"])).stderr,
    ).not.toContain("error");
    const document = JSON.parse((await work.run(["sif", "dump", "again.sif", "2"])).stdout).data.attributes;
    expect(document).toMatchObject({
      runscript: "#!/bin/sh\n\n exec /a.txt",
      labels: { More: "yes", "org.label-schema.usage.singularity.deffile.from": "_files/empty.sif" },
    });
    expect(document.environment["/.singularity.d/env/90-environment.sh"]).toContain("export X=1");
    expect(readFileSync(work.path("again/.singularity.d/bootstrap_history/Apptainer0"), "utf8")).toContain(
      "Bootstrap: scratch",
    );
    expect(readFileSync(work.path("again/a.txt"), "utf8")).toBe("a\n");
  });

  it("says which section takes Apptainer where there is none, and what is wrong in a file", async () => {
    define(
      "post",
      "Bootstrap: oci\nFrom: BASE\n%labels\n a b\n%post\n echo made > /made\n%runscript\n cat /made\n",
    );
    define("strap", "Bootstrap: debootstrap\nOSVersion: bookworm\nMirrorURL: http://127.0.0.1:9/\n");
    define("bad", "Bootstrap: oci\nFrom: BASE\n%runscrip\n x\n%files\n no-such-file /x\n");
    define("gone", "Bootstrap: oci\nFrom: BASE\n%files\n no-such-file /x\n");
    if (!commandExists("apptainer") && !commandExists("singularity")) {
      const refused = await work.run(["build", "post"]);
      expect(refused.status).toBe(4);
      expect(refused.stderr).toMatch(/post\.def:5:1 {2}error {2}RUNTIME_MISSING {2}%post needs Apptainer/);
      expect((await work.run(["build", "strap"])).stderr).toMatch(
        /strap\.def:1:1 .*`Bootstrap: debootstrap` needs Apptainer/,
      );
    }
    expect(await work.run(["build", "bad"])).toMatchObject({
      status: 3,
      stderr: expect.stringMatching(
        /bad\.def:3:1 .*`%runscrip` is not a section\n {2}hint: did you mean `runscript`/,
      ),
    });
    expect((await work.run(["build", "gone"])).stderr).toMatch(/gone\.def:4:2 .*no-such-file` is not there/);
    define("lines", "Bootstrap: scratch\n%files\n a b c\n");
    const checked = await work.run(["check"]);
    expect(checked.stdout + checked.stderr).toMatch(/bad\.def:3:1 .*%runscrip/);
    expect(checked.stdout + checked.stderr).toMatch(/lines\.def:3:2 .*a line of %files/);
    rmSync(join(definitions, "lines.def"));
    rmSync(join(definitions, "bad.def"));
  });

  const places = [
    ...(runnerTrouble() === undefined ? ["namespace"] : []),
    ...(podmanTrouble() === undefined ? ["podman"] : []),
    ...(noApptainer === undefined ? ["apptainer"] : []),
  ];
  it.skipIf(places.length === 0)(
    `leaves %test to test, on every runtime${places.length === 0 ? " (skipped: there is no runtime)" : ` (${places.join(", ")})`}`,
    async () => {
      const env = {
        ...(places.includes("podman") ? podmanEnvironment(work.path("podman")) : {}),
        ...apptainer.env,
      };
      const chosen = places.flatMap((name) => ["--with", name]);
      const text = (script: string): string =>
        `Bootstrap: oci\nFrom: BASE\n%files\n _files/a.txt /opt/a.txt\n%environment\n export WHAT="all right"\n%test\n${script}\n`;
      define("good", text(' [ "$WHAT" = "all right" ] || exit 1\n exec cat /opt/a.txt'));
      define("wrong", text(" echo $WHAT, but broken >&2\n exit 3"));
      for (const name of ["good", "wrong"]) {
        const built = await work.run(["build", name, "-o", `sif:${name}.sif`]);
        expect(built.status, built.stderr).toBe(0);
        expect(built.stderr).toContain(`%test of ${name} is not run by building it`);
        expect((await work.run(["build", name])).status).toBe(0);
      }
      const good = await work.run(["test", "good", ...chosen], { env });
      expect(good.stdout.trim().split("\n")).toEqual([
        ...places.map((place) => `ok      good  ${place}  %test`),
        `${places.length} of ${places.length} passed`,
      ]);
      expect(good.status).toBe(0);
      const wrong = await work.run(["test", "wrong", ...chosen], { env });
      expect(wrong.status).toBe(1);
      for (const place of places)
        expect(wrong.stdout).toContain(
          `FAILED  wrong  ${place}  %test\n          exit status 3 instead of 0: all right, but broken\n`,
        );
      // What is not Apptainer reads SIF files with it.
      if (!commandExists("sqfs2tar")) return;
      if (places.includes("podman")) {
        const podman = await work.run(["test", "good.sif", "--with", "podman"], { env });
        expect(podman.stdout).toBe("ok      good  podman  %test\n1 of 1 passed\n");
      }
      if (!places.includes("apptainer")) return;
      const files = await work.run(["test", "good.sif", "wrong.sif", "--with", "apptainer"], { env });
      expect(files.status).toBe(1);
      expect(files.stdout).toMatch(
        /^ok {6}good {2}apptainer {2}%test\nFAILED {2}wrong {2}apptainer {2}%test\n/,
      );
      expect(files.stdout).toContain("all right, but broken");
    },
  );

  it.skipIf(noPost !== undefined)(`has Apptainer run %post${noPostLabel}`, async () => {
    define("post", "Bootstrap: oci\nFrom: BASE\n%post\n echo made > /made\n%runscript\n cat /made\n");
    const env = { PATH: pathWithApptainer, HOME: work.path("home"), XDG_CACHE_HOME: work.path("tmp/cache") };
    const options = { env, ...postUser() };
    const built = await work.run(["build", "post", "-o", "sif:post.sif", "-o", "oci:post"], options);
    expect(`${built.stderr}${built.status}`).toMatch(/0$/);
    expect(apptainer.run(["run", work.path("post.sif")]).stdout).toBe("made\n");
    // The second time it replaces what it made the first time.
    expect((await work.run(["build", "post", "-o", "sif:post.sif"], options)).status).toBe(0);
    const converted = await work.run(["sif", "./post", "-o", "post-converted.sif"]);
    expect(converted.stderr).not.toContain("error");
    expect(apptainer.run(["run", work.path("post-converted.sif")]).stdout).toBe("made\n");
  });

  it("builds the repository's nexus-storage from a stand-in for the image it names", async () => {
    const asked: ImageReference[] = [];
    const container = await containerAtPath(repositoryDefinition, "amd64");
    if (container === undefined) throw new Error("there is no nexus-storage.def");
    const result = await buildDefinition(
      container,
      defaultConfiguration(work.directory),
      {
        ...{
          directory: work.directory,
          names: [],
          arch: "amd64",
          outputs: ["sif:nexus.sif", "oci:nexus"],
          strip: undefined,
        },
        ...{
          keepMetadata: false,
          allowUnresolved: [],
          buildArguments: new Map(),
          epilogueNetwork: undefined,
          failFast: false,
          force: false,
          frozen: false,
          caches: [],
          trust: [],
          refresh: false,
        },
        ...{ jobs: undefined, emit: () => {}, signal: new AbortController().signal },
      },
      {
        store: openFragmentStore(work.path("fragments")),
        emit: () => {},
        signal: new AbortController().signal,
        openReference: async (reference) => {
          asked.push(reference);
          return openLayout(work.path("base"), { platforms: reference.platforms, reference: undefined });
        },
      },
    );
    expect(asked).toMatchObject([
      { transport: "docker", name: "bluebrain/nexus-storage:latest", platforms: [{ architecture: "amd64" }] },
    ]);
    expect(result).toMatchObject({ name: "nexus-storage", version: "latest", arch: "amd64" });
    const { attributes } = JSON.parse((await work.run(["sif", "dump", "nexus.sif", "2"])).stdout).data;
    expect(attributes.startscript).toBe('#!/bin/sh\n\n    exec /opt/docker/bin/storage "$@"');
    expect(attributes.labels).toMatchObject({
      base: "yes",
      "org.label-schema.usage.singularity.deffile.bootstrap": "docker",
      "org.label-schema.usage.singularity.deffile.from": "bluebrain/nexus-storage:latest",
    });
    // What needs no Apptainer has been held against the definition.
    if (noApptainer !== undefined || hostArchitecture !== "amd64") return;
    const started = apptainer.run(["exec", work.path("nexus.sif"), "/.singularity.d/startscript", "-p", "1"]);
    expect(started.stdout).toBe("storage -p 1\n");
    expect(apptainer.run(["run", work.path("nexus.sif"), "x"]).stdout).toBe("base x\n");
  });
});
