import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readContent } from "../../src/archive/content.ts";
import { openBuildContext } from "../../src/dockerfile/buildContext.ts";
import { copyFiles } from "../../src/dockerfile/copyFiles.ts";
import { evaluate } from "../../src/dockerfile/evaluate.ts";
import { LayerDraft } from "../../src/dockerfile/layerDraft.ts";
import { parseDockerfile } from "../../src/dockerfile/parseDockerfile.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { baseSettings } from "../support/epilogueBase.ts";
import { buildTar } from "../support/tarBuilder.ts";

const image = new FileTree([
  {
    entries: [
      { path: "lib", type: "symlink", mode: 0o777, size: 0, target: "usr/lib" },
      { path: "tmp", type: "directory", mode: 0o1777, size: 0 },
      { path: "usr/lib", type: "directory", mode: 0o755, size: 0 },
      { path: "usr/lib/deep", type: "file", mode: 0o644, size: 1 },
    ],
  },
]);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-copy-"));
  const files: Readonly<Record<string, string | Buffer>> = {
    a: "a",
    "d/one": "1",
    "d/two.o": "2",
    "d/keep/three.o": "3",
    "secret/key": "k",
    "x.tar": buildTar([
      { name: "l", type: "2", link: "lib" },
      { name: "f", body: "1" },
      { name: "f", body: "22" },
      { name: "h", type: "1", link: "f" },
    ]),
    ".dockerignore": "secret\n!secret/pub*\n",
  };
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content, { mode: 0o640 });
  }
  symlinkSync("../outside", join(folder, "out"));
  symlinkSync("d", join(folder, "in"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Entries of the layer that one COPY or ADD makes, each as a line. */
async function layer(line: string): Promise<readonly string[]> {
  const { steps } = evaluate(parseDockerfile(`${line}\n`, "f"), {
    settings: baseSettings,
    arguments: new Map(),
    architecture: "amd64",
  });
  const change = steps[0]?.change;
  if (change?.kind !== "copy" && change?.kind !== "add") throw new Error("not a copy");
  const draft = new LayerDraft(new FileTree([{ entries: [...image.entries()].map(([, entry]) => entry) }]));
  const owner = change.chown === undefined ? { uid: 0, gid: 0 } : { uid: 7, gid: 8 };
  await copyFiles(draft, {
    step: change,
    unpack: { local: change.kind === "add", fetched: false },
    file: "f",
    context: await openBuildContext(folder, [".dockerignore"]),
    owner,
    fetched: new Map(),
  });
  const lines: string[] = [];
  const existing = async (paths: readonly string[]) =>
    new Map(paths.map((path) => [path, { mode: image.at(path)?.mode ?? 0, uid: 1, gid: 2 }]));
  for await (const entry of draft.entries(existing)) {
    const content =
      entry.type === "file" ? (await readContent(entry)).toString() : "target" in entry ? entry.target : "";
    lines.push(
      `${entry.type[0]} ${entry.path} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${content}`.trimEnd(),
    );
  }
  return lines;
}

describe("copyFiles", () => {
  it("keeps the directories above as the image has them", async () => {
    expect(await layer("COPY a /tmp/new/")).toEqual([
      "d tmp 1777 1:2",
      "d tmp/new 755 0:0",
      "f tmp/new/a 640 0:0 a",
    ]);
  });

  it("follows links of the image", async () => {
    expect(await layer("COPY --chown=x --chmod=u=rwX,go=rX a /lib/b")).toEqual([
      "d usr 755 1:2",
      "d usr/lib 755 1:2",
      "f usr/lib/b 644 7:8 a",
    ]);
  });

  it("leaves out what patterns say, and takes back", async () => {
    expect(await layer("COPY --exclude=**/*.o --exclude=!keep in /c")).toEqual([
      "d c 755 0:0",
      "d c/keep 755 0:0",
      "f c/keep/three.o 640 0:0 3",
      "f c/one 640 0:0 1",
    ]);
  });

  it("unpacks archives, the last of several entries counting", async () => {
    expect(await layer("ADD x.tar /u/")).toEqual([
      "d u 755 0:0",
      "s u/l 644 0:0 lib",
      "f u/f 644 0:0 22",
      "h u/h 644 0:0 u/f",
    ]);
    expect(await layer("COPY x.tar /u/")).toHaveLength(2);
  });

  it.each([
    ["COPY out /x", /leads out of the folder/],
    ["COPY ../a /x", /leads out of the folder/],
    ["COPY secret/key /x", /no "secret\/key" in the folder of the definition/],
    ["COPY *.nothing /x/", /no file matches/],
    ["COPY a d/one /x", /several files/],
    ["COPY a /usr/lib/deep/b", /is not a folder/],
    ["COPY d /usr/lib/deep", /is not a folder/],
    ["ADD --chmod=600 x.tar /u/", /--chmod does not apply/],
  ])("refuses %s", async (line, message) => {
    await expect(layer(line)).rejects.toMatchObject({
      message: expect.stringMatching(message),
      place: { file: "f", line: 1 },
    });
  });
});
