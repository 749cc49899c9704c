import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKeys } from "openpgp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openLayout } from "../../src/image/openLayout.ts";
import { openSigner } from "../../src/openpgp/signer.ts";
import { verifySif } from "../../src/sif/verifySif.ts";
import { writeSif, writeSquashfs } from "../../src/sif/writeSif.ts";
import { type Apptainer, apptainerTrouble, openApptainer } from "../support/apptainer.ts";
import { commandExists } from "../support/commandExists.ts";
import {
  directory,
  file,
  hostArchitecture,
  hostPrograms,
  symlink,
  writeTestLayout,
} from "../support/hostImage.ts";
import { keyFile, makeKey } from "../support/signingKey.ts";

const trouble =
  apptainerTrouble() ?? (commandExists("mksquashfs") ? undefined : "squashfs-tools are not installed");
const label = trouble === undefined ? "" : ` (skipped: ${trouble})`;

/** Images of different kinds: entrypoint and command, one of them, none. */
const configurations: Record<string, Record<string, unknown>> = {
  both: {
    Env: ["PATH=/usr/bin:/bin", "GREETING=hello world", "EMPTY=", "LD_LIBRARY_PATH=/opt/lib"],
    Entrypoint: ["/bin/echo", "it's", "fixed"],
    Cmd: ["default", "words"],
    Labels: { "org.example.a": 'b "x"', maintainer: "me" },
    WorkingDir: "/opt",
  },
  entrypoint: { Entrypoint: ["/bin/echo", "$HOME"] },
  command: { Cmd: ["/bin/echo", "command"], Env: ["PATH=/usr/bin:/bin"], User: "1000" },
  contract: {
    Env: ["PATH=/usr/bin:/bin"],
    Entrypoint: ["/bin/bash", "--rcfile", "/etc/profile", "-l", "-c", "$*", "--"],
    Cmd: ["/bin/bash"],
  },
};

describe.skipIf(trouble !== undefined)(`SIF files and Apptainer${label}`, () => {
  let folder: string;
  let apptainer: Apptainer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "spacktainers-apptainer-"));
    chmodSync(folder, 0o755);
    apptainer = openApptainer(folder);
    for (const [name, config] of Object.entries(configurations)) {
      await writeTestLayout(join(folder, name), {
        layers: [
          // Contents can be read once: each image has entries of its own.
          [
            ...hostPrograms(["bash", "sh", "cat", "echo", "env", "ls", "id", "find", "sort"]),
            directory("opt"),
            file("opt/gone", "1"),
            file("opt/kept", "2"),
          ],
          [file("opt/.wh.gone", ""), file("opt/new", "3", 0o755), symlink("opt/link", "new")],
        ],
        config,
      });
      await convert(name, `${name}-ours.sif`);
      const built = apptainer.run(["build", `${name}-theirs.sif`, `oci:${join(folder, name)}`]);
      expect(`${built.stderr}${built.status}`).toMatch(/0$/);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function convert(name: string, output: string, options: Parameters<typeof writeSif>[2] = {}) {
    const image = await openLayout(join(folder, name), {
      platforms: [{ os: "linux", architecture: hostArchitecture }],
      reference: undefined,
    });
    const write = output.endsWith(".sqfs") ? writeSquashfs : writeSif;
    return write(join(folder, output), image, options).finally(() => image.close());
  }

  const names = Object.keys(configurations);
  /** Directories that no layer names: Apptainer makes them writable for the group. */
  const madeOnTheWay = / d 775/g;

  it.each(names)("%s: runs as what apptainer build makes", (name) => {
    const outcomes = ["theirs", "ours"].map((whose) => {
      const sif = join(folder, `${name}-${whose}.sif`);
      const commands = [
        ["run", "--cleanenv", sif],
        ["run", "--cleanenv", sif, "/bin/echo", "a  b", "$HOME", "it's", "-n"],
        ["exec", "--cleanenv", sif, "/bin/sh", "-c", "echo $PATH $GREETING $LD_LIBRARY_PATH [$EMPTY]"],
        ["exec", "--cleanenv", "--env", "GREETING=mine", sif, "/bin/sh", "-c", "echo $GREETING"],
        ["exec", "--cleanenv", "--env", "PREPEND_PATH=/first", sif, "/bin/sh", "-c", "echo $PATH"],
        ["exec", sif, "/bin/sh", "-c", "exit 7"],
        ["run-help", sif],
      ];
      const outcomes = commands.map((args) => {
        const { status, stdout } = apptainer.run(args);
        return `${args.slice(0, 1)} ${status} ${stdout}`;
      });
      const noEval = apptainer.run(["run", "--cleanenv", sif, "/bin/echo", '$HOME "x"'], {
        env: { APPTAINER_NO_EVAL: "1" },
      });
      return [...outcomes, `${noEval.status} ${noEval.stdout}`];
    });
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[1]?.join("")).toContain("exec 7");
  });

  it.each(names)("%s: has the files and labels of what apptainer build makes", (name) => {
    const [theirs, ours] = ["theirs", "ours"].map((whose) => {
      const listing = apptainer.run([
        ...[
          "exec",
          "--no-mount",
          "home,proc,sys,dev,devpts,tmp,hostfs,cwd",
          "--contain",
          join(folder, `${name}-${whose}.sif`),
        ],
        ...[
          "find",
          "/",
          "-xdev",
          "-not",
          "-path",
          "/dev/*",
          "-not",
          "-path",
          "/proc/*",
          "-printf",
          "%p %y %m %l %U\\n",
        ],
      ]);
      expect(`${listing.stderr.replace(/^.*(?:INFO|WARNING).*$/gm, "").trim()} ${listing.status}`).toMatch(
        / 0$/,
      );
      return new Set(
        listing.stdout
          .replaceAll(madeOnTheWay, " d 755")
          .split("\n")
          .filter((line) => !/^\/(?:tmp|var\/tmp|opt|etc\/\S+|root|home\S*|dev|proc|sys|) d/.test(line)),
      );
    });
    const only = (a: Set<string> | undefined, b: Set<string> | undefined) =>
      [...(a ?? [])].filter((line) => !b?.has(line));
    expect({ missing: only(theirs, ours), added: only(ours, theirs) }).toEqual({ missing: [], added: [] });
    const labels = ["theirs", "ours"].map((whose) => {
      const { stdout } = apptainer.run([
        "inspect",
        "--json",
        "--labels",
        join(folder, `${name}-${whose}.sif`),
      ]);
      return JSON.parse(stdout).data.attributes.labels as Record<string, string>;
    });
    // When and with what it was built, and where from, differ: ours says nothing of this machine.
    const own = /build-date|apptainer.version|deffile.from/;
    const plain = (all: Record<string, string> = {}) =>
      Object.fromEntries(Object.entries(all).filter(([key]) => !own.test(key)));
    expect(plain(labels[1])).toEqual(plain(labels[0]));
    expect(labels[1]?.["org.label-schema.usage.singularity.deffile.from"]).toMatch(/^sha256:/);
    expect(JSON.stringify(labels[1])).not.toContain(folder);
  });

  it("is inspected without being mounted", () => {
    const { stdout } = apptainer.run(["inspect", "--json", "--all", join(folder, "both-ours.sif")]);
    const { attributes } = JSON.parse(stdout).data;
    expect(attributes.runscript).toContain("'/bin/echo' 'it'\\''s' 'fixed'");
    expect(attributes.environment["/.singularity.d/env/10-docker2singularity.sh"]).toContain("hello world");
    expect(attributes.deffile).toMatch(/^bootstrap: oci\nfrom: sha256:[0-9a-f]{64}$/);
    expect(attributes.startscript).toBe("#!/bin/sh");
  });

  it("gives variables their values where Apptainer's own file would not", async () => {
    const Env = [
      "PATH=/usr/bin:/bin",
      "A=it's",
      "B=cost $HOME",
      'C=say "x" `id`',
      "D=a\\b",
      "E=two\nlines",
      "G=$(id)",
      "H=*",
    ];
    await writeTestLayout(join(folder, "odd"), { layers: [hostPrograms(["sh", "env"])], config: { Env } });
    await convert("odd", "odd.sif");
    const { stdout } = apptainer.run(["exec", "--cleanenv", join(folder, "odd.sif"), "env", "-0"]);
    expect(stdout.split("\0")).toEqual(expect.arrayContaining(Env.slice(1)));
  });

  it("keeps double quotes in arguments, which Apptainer's runscript loses", () => {
    const { stdout } = apptainer.run(["run", join(folder, "contract-ours.sif"), "echo", 'print("x")']);
    expect(stdout).toBe('print("x")\n');
  });

  it("starts as an ordinary user, and as a bare squashfs", async () => {
    await convert("both", "both.sqfs", { compression: "gzip" });
    for (const name of ["both-ours.sif", "both.sqfs"]) {
      const result = apptainer.run(["run", "--unsquash", join(folder, name), "user"], { uid: 65534 });
      expect(`${result.stdout}${result.stderr}`).toContain("it's fixed user\n");
      expect(apptainer.run(["run", join(folder, name)]).stdout).toBe("it's fixed default words\n");
    }
  });

  it("is listed and dumped by siftool and Apptainer", () => {
    const sif = join(folder, "both-ours.sif");
    const listing = apptainer.run(["sif", "list", sif]).stdout;
    expect(listing).toMatch(/1 +\|1 +\|NONE +\|32176-\d+ +\|Def.FILE/);
    expect(listing).toMatch(/4 +\|1 +\|NONE +\|36864-\d+ +\|FS \(Squashfs\/\*System\/amd64\)|\/arm64\)/);
    expect(apptainer.run(["sif", "dump", "1", sif]).stdout).toMatch(/^bootstrap: oci\n/);
    if (!commandExists("siftool")) return;
    const header = spawnSync("siftool", ["header", sif], { encoding: "utf8" });
    expect(header.stdout).toContain("Descriptors Free:     44");
    expect(header.stdout).toContain("#!/usr/bin/env run-singularity");
    const config = spawnSync("siftool", ["dump", "3", sif], { encoding: "utf8" });
    expect(JSON.parse(config.stdout)).toEqual(configurations.both);
  });

  it("is verified by Apptainer when we sign, and by us when Apptainer signs", async () => {
    const key = await makeKey({ date: new Date(Date.now() - 86_400_000) });
    writeFileSync(join(folder, "private.asc"), key.privateKey.armor());
    writeFileSync(join(folder, "public.asc"), key.armored);
    const signer = await openSigner(join(folder, "private.asc"), async () => undefined);
    await convert("both", "signed.sif", { signer });
    expect(apptainer.run(["key", "import", join(folder, "public.asc")]).status).toBe(0);
    const verified = apptainer.run(["verify", "--local", join(folder, "signed.sif")]);
    expect(verified.stdout + verified.stderr).toContain(key.fingerprint);
    expect(verified.status).toBe(0);
    expect((await verifySif(join(folder, "signed.sif"), [key.file])).objects).toEqual([1, 2, 3, 4]);

    const made = apptainer.run([
      "key",
      "newpair",
      "--name",
      "T",
      "--email",
      "t@example.org",
      "--password",
      "",
      "--push=false",
      "--bit-length",
      "2048",
    ]);
    expect(made.status).toBe(0);
    const ring = await readKeys({
      binaryKeys: readFileSync(join(folder, "home/.apptainer/keys/pgp-public")),
    });
    const theirs = ring.find((one) => one.getFingerprint().toUpperCase() !== key.fingerprint);
    for (const name of ["both-theirs.sif", "command-ours.sif"]) {
      const signed = apptainer.run(["sign", join(folder, name)]);
      expect(`${signed.stderr} ${signed.status}`).toMatch(/ 0$/);
      const trusted = [keyFile(theirs?.armor() ?? "")];
      const result = await verifySif(join(folder, name), trusted);
      expect(result.signedBy).toEqual([theirs?.getFingerprint().toUpperCase()]);
      await expect(verifySif(join(folder, name), [key.file])).rejects.toMatchObject({ code: "KEY_UNKNOWN" });
    }
    const damaged = readFileSync(join(folder, "signed.sif"));
    damaged[40_000] = (damaged[40_000] ?? 0) ^ 1;
    writeFileSync(join(folder, "damaged.sif"), damaged);
    expect(apptainer.run(["verify", "--local", join(folder, "damaged.sif")]).status).not.toBe(0);
    await expect(verifySif(join(folder, "damaged.sif"), [key.file])).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
    });
  });
});
