import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mergeLayers } from "../../src/sif/mergeLayers.ts";
import { openLocalImage } from "../../src/sif/openLocalImage.ts";
import { writeSif, writeSquashfs } from "../../src/sif/writeSif.ts";
import { imageOf, layerOf } from "../sif/layers.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { directory, file, hostArchitecture, symlink, writeTestLayout } from "../support/hostImage.ts";
import { mountSmallDisk, smallDiskTrouble } from "../support/smallDisk.ts";

const trouble = commandExists("mksquashfs") ? undefined : "squashfs-tools are not installed";
const label = trouble === undefined ? "" : ` (skipped: ${trouble})`;
const reader = commandExists("sqfs2tar") ? undefined : "squashfs-tools-ng are not installed";

/** A search path with only these programs, for a machine that has no others. */
function onlyPrograms(folder: string, names: readonly string[]): string {
  mkdirSync(folder);
  for (const name of names) {
    const found = (process.env.PATH ?? "")
      .split(delimiter)
      .map((one) => join(one, name))
      .find((path) => existsSync(path));
    if (found !== undefined) symlinkSync(found, join(folder, name));
  }
  return folder;
}

describe.skipIf(trouble !== undefined)(`writing SIF files${label}`, () => {
  let work: Workplace;
  let scratch: string;
  beforeAll(async () => {
    work = makeWorkplace("");
    chmodSync(work.directory, 0o777);
    scratch = mkdtempSync(join(tmpdir(), "spacktainers-sifwrite-"));
    await writeTestLayout(work.path("image"), {
      layers: [
        [
          directory("bin"),
          file("bin/tool", "#!/bin/sh\n", 0o4755),
          file("gone", "x"),
          directory("secret", 0o700),
          file("secret/f", "s", 0o600),
        ],
        [file(".wh.gone", ""), symlink("bin/alias", "tool"), file(`${"deep/".repeat(40)}name with ü`, "u")],
      ],
      config: { Env: ["PATH=/bin", "not-a-name=1"], Cmd: ["/bin/tool"] },
    });
    // Something that takes a while.
    const large = Array.from({ length: 60 }, (_, index) => file(`d/f${index}`, randomBytes(1_000_000)));
    await writeTestLayout(work.path("large"), { layers: [large] });
  });
  afterAll(() => {
    work.remove();
    rmSync(scratch, { recursive: true, force: true });
  });

  it("gives the same bytes every time, whoever writes it, from a layout or an archive of it", async () => {
    const first = await work.run(["sif", "oci:image", "-o", "one.sif", "--json"]);
    expect(first.stderr).toBe("");
    const result = jsonLines(first).at(-1);
    expect(result).toMatchObject({
      type: "result",
      format: "sif",
      compression: "zstd",
      level: 3,
      files: expect.any(Number),
    });
    expect(jsonLines(first)).toContainEqual(
      expect.objectContaining({ type: "warning", message: expect.stringContaining('"not-a-name"') }),
    );
    const bytes = readFileSync(work.path("one.sif"));
    const again = await work.run(["sif", "./image", "-o", "two.sif"], {
      env: { SOURCE_DATE_EPOCH: "", TZ: "Asia/Tokyo" },
    });
    expect(again.status).toBe(0);
    expect(readFileSync(work.path("two.sif")).equals(bytes)).toBe(true);
    mkdirSync(work.path("theirs"), { mode: 0o777 });
    chmodSync(work.path("theirs"), 0o777);
    const user = await work.run(["sif", "oci:image", "-o", "theirs/three.sif"], {
      uid: 65534,
      env: { XDG_CACHE_HOME: work.path("theirs/cache"), HOME: work.path("theirs") },
    });
    expect(user.stderr).not.toContain("error");
    expect(readFileSync(work.path("theirs/three.sif")).equals(bytes)).toBe(true);
    if (!commandExists("skopeo")) return;
    for (const [kind, packed] of [
      ["oci-archive", false],
      ["oci-archive", true],
      ["docker-archive", false],
    ] as const) {
      const archive = work.path(`${kind}${packed}.tar`);
      rmSync(archive, { force: true });
      const target = kind === "oci-archive" ? `${kind}:${archive}` : `${kind}:${archive}:image:1`;
      expect(
        spawnSync(
          "skopeo",
          ["copy", "-q", "--preserve-digests", `oci:${work.path("image")}`, target].filter(
            (word) => kind === "oci-archive" || word !== "--preserve-digests",
          ),
        ).status,
      ).toBe(0);
      if (packed) writeFileSync(archive, gzipSync(readFileSync(archive)));
      const converted = await work.run(["sif", `${kind}:${archive}`, "-o", "archive.sif"]);
      expect(converted.status).toBe(0);
      if (kind === "oci-archive") expect(readFileSync(work.path("archive.sif")).equals(bytes)).toBe(true);
      else
        expect((await work.run(["sif", "dump", "archive.sif", "1"])).stdout).toMatch(
          /^bootstrap: docker-archive\nfrom: sha256:/,
        );
    }
    expect(
      readdirSync(join(work.cacheHome, "spacktainers", "archives")).filter((name) => name.startsWith(".tmp")),
    ).toEqual([]);
  });

  it("replaces its own files, and others only when told to", async () => {
    for (const [name, foreign] of [
      ["x.sif", "precious"],
      ["x.sqfs", "precious"],
    ] as const) {
      writeFileSync(work.path(name), foreign);
      const refused = await work.run(["sif", "oci:image", "-o", name]);
      expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining("OUTPUT_EXISTS") });
      expect(readFileSync(work.path(name), "utf8")).toBe(foreign);
      expect((await work.run(["sif", "oci:image", "-o", name, "--force"])).status).toBe(0);
      expect((await work.run(["sif", "oci:image", "-o", name])).status).toBe(0);
    }
  });

  it.skipIf(!commandExists("unsquashfs"))(
    "does not have the ends of all files packed, which differs from run to run",
    async () => {
      await work.run(["sif", "oci:image", "-o", "packing.sqfs"]);
      const said = spawnSync("unsquashfs", ["-s", work.path("packing.sqfs")], { encoding: "utf8" }).stdout;
      expect(said).toContain("Always-use-fragments option is not specified");
      expect(said).toContain("Duplicates are removed");
    },
  );

  it("says what to install when no program writes squashfs, and uses what there is", async () => {
    const none = await work.run(["sif", "oci:image", "-o", "none.sif"], {
      env: { PATH: onlyPrograms(join(scratch, "none"), []) },
    });
    // System folders are searched too; where a tool is there, it is used.
    if (none.status !== 0)
      expect(none.stderr).toMatch(/RUNTIME_MISSING .*\n {2}hint: install squashfs-tools/);
    const bad = await work.run(["sif", "oci:image", "-o", "n.sif", "--compression", "gzip", "--level", "12"]);
    expect(bad).toMatchObject({ status: 2, stderr: expect.stringContaining("gzip has no level 12") });
    expect((await work.run(["sif", "oci:no-such-layout"])).status).toBe(4);
    expect((await work.run(["sif", "no-such-container"])).stderr).toContain("UNKNOWN_CONTAINER");
  });

  it("lists, dumps and refuses to verify what is not signed", async () => {
    await work.run(["sif", "oci:image", "-o", "l.sif"]);
    const listed = await work.run(["sif", "list", "l.sif", "--json"]);
    expect(JSON.parse(listed.stdout).objects).toMatchObject([
      { id: 1, type: "definition" },
      { id: 2, type: "json", name: "inspect-metadata.json" },
      { id: 3, type: "json", name: "oci-config.json" },
      {
        id: 4,
        type: "partition",
        fileSystem: "squashfs",
        use: "primary system",
        architecture: hostArchitecture,
      },
    ]);
    expect((await work.run(["sif", "list", "l.sif"])).stdout).toContain("inspect-metadata.json");
    await work.run(["sif", "dump", "l.sif", "4", "-o", "root.sqfs"]);
    expect(readFileSync(work.path("root.sqfs")).subarray(0, 4).toString()).toBe("hsqs");
    expect((await work.run(["sif", "dump", "l.sif", "4", "-o", "root.sqfs"])).status).toBe(1);
    expect((await work.run(["sif", "dump", "l.sif", "9"])).status).toBe(4);
    writeFileSync(work.path("key.asc"), "no key");
    expect((await work.run(["sif", "verify", "l.sif", "--key", "key.asc"])).status).toBe(5);
    expect((await work.run(["sif", "verify", "l.sif"])).status).toBe(2);
    expect((await work.run(["sif", "list", "key.asc", "--json"])).stdout).toContain(
      '"code":"ARCHIVE_INVALID"',
    );
  });

  it.skipIf(reader !== undefined)(
    `reads back what it wrote${reader === undefined ? "" : ` (skipped: ${reader})`}`,
    async () => {
      const entries = [
        directory("d", 0o750),
        file("d/a", "content", 0o640),
        symlink("d/l", "a"),
        file("ü", "x"),
      ];
      const link = {
        type: "hardlink",
        path: "d/b",
        target: "d/a",
        mode: 0o640,
        uid: 0,
        gid: 0,
        mtime: 0,
      } as const;
      const image = imageOf([await layerOf([...entries, link])]);
      const sif = join(scratch, "back.sif");
      await writeSif(sif, image);
      await writeSquashfs(join(scratch, "back.sqfs"), image);
      for (const name of ["back.sif", "back.sqfs"]) {
        const opened = await openLocalImage(join(scratch, name), [amd64]);
        const found: Record<string, string> = {};
        const merged = await mergeLayers(await opened.layers());
        for await (const entry of merged.entries()) {
          if (entry.path.startsWith(".singularity.d")) continue;
          found[entry.path] = `${entry.type} ${entry.mode.toString(8)}`;
          if (entry.type === "file")
            for await (const part of entry.content) found[entry.path] += ` ${Buffer.from(part)}`;
        }
        await opened.close();
        expect(found).toMatchObject({
          d: "directory 750",
          "d/a": "file 640 content",
          "d/b": expect.stringMatching(/^hardlink/),
          "d/l": "symlink 777",
          ü: "file 644 x",
          tmp: "directory 1777",
          "etc/hosts": "file 644",
          singularity: "symlink 777",
        });
      }
      await expect(openLocalImage(sif, [{ ...amd64, architecture: "arm64" }])).rejects.toMatchObject({
        code: "NOT_SUPPORTED",
      });
    },
  );

  const noNg =
    commandExists("tar2sqfs") && reader === undefined ? undefined : "squashfs-tools-ng are not installed";
  it.skipIf(noNg !== undefined)(
    `writes the same file system with tar2sqfs${noNg === undefined ? "" : ` (skipped: ${noNg})`}`,
    async () => {
      const tool = {
        name: "tar2sqfs",
        program: "tar2sqfs",
        version: "tar2sqfs",
        compressions: ["zstd", "gzip"],
      } as const;
      const image = async () =>
        imageOf([await layerOf([directory("d"), file("d/f", "content", 0o640), symlink("d/l", "f")])]);
      const digests: string[] = [];
      for (const name of ["ng-a.sif", "ng-b.sif"]) {
        const { digest } = await writeSif(join(scratch, name), await image(), { tool });
        digests.push(digest);
      }
      expect(digests[0]).toBe(digests[1]);
      await writeSif(join(scratch, "plain.sif"), await image());
      expect(await entriesIn(join(scratch, "ng-a.sif"))).toEqual(await entriesIn(join(scratch, "plain.sif")));
      expect(readdirSync(scratch).filter((name) => name.startsWith(".tmp"))).toEqual([]);
      const noDisk = smallDiskTrouble();
      if (noDisk !== undefined) return;
      const disk = mountSmallDisk(join(scratch, "full"), 500_000);
      try {
        const large = imageOf([await layerOf([file("f", randomBytes(2_000_000))])]);
        await expect(writeSif(join(scratch, "full/x.sif"), large, { tool })).rejects.toMatchObject({
          code: "DISK_FULL",
        });
        expect(readdirSync(join(scratch, "full"))).toEqual([]);
      } finally {
        disk.unmount();
      }
    },
  );

  it.each(["SIGINT", "SIGTERM", "SIGKILL"] as const)(
    "leaves nothing where it was stopped by %s",
    async (signal) => {
      mkdirSync(work.path(signal));
      const child = work.start([
        "sif",
        "oci:large",
        "-o",
        join(signal, "out.sif"),
        "--compression",
        "gzip",
        "--level",
        "9",
        "--json",
      ]);
      let said = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
      const ended = once(child, "close");
      while (!said.includes("task-progress")) await sleep(10);
      child.kill(signal);
      const [status] = await ended;
      expect(existsSync(work.path(signal, "out.sif"))).toBe(false);
      if (signal !== "SIGKILL") {
        expect(status).toBe(130);
        expect(readdirSync(work.path(signal))).toEqual([]);
        return;
      }
      // What a killed run left is removed by the next one.
      await work.run(["sif", "oci:image", "-o", join(signal, "small.sif")]);
      expect(readdirSync(work.path(signal))).toEqual(["small.sif"]);
    },
  );

  const noDisk = smallDiskTrouble();
  it.skipIf(noDisk !== undefined)(
    `says that the disk is full${noDisk === undefined ? "" : ` (skipped: ${noDisk})`}`,
    async () => {
      const disk = mountSmallDisk(work.path("full"), 8_000_000);
      try {
        for (const name of ["full/out.sif", "full/out.sqfs"]) {
          const result = await work.run(["sif", "oci:large", "-o", name]);
          expect(result).toMatchObject({
            status: 1,
            stderr: expect.stringMatching(/DISK_FULL {2}the disk is full/),
          });
          expect(readdirSync(work.path("full"))).toEqual([]);
        }
      } finally {
        disk.unmount();
      }
    },
  );
});

const amd64 = { os: "linux", architecture: "amd64" };

/** Paths, kinds and modes in an image file. */
async function entriesIn(path: string): Promise<readonly string[]> {
  const opened = await openLocalImage(path, [amd64]);
  try {
    const found: string[] = [];
    for await (const { type, path: name, mode, mtime } of (
      await mergeLayers(await opened.layers())
    ).entries())
      found.push(`${name} ${type} ${mode} ${mtime}`);
    return found.sort();
  } finally {
    await opened.close();
  }
}
