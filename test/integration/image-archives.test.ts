import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { decompressStream } from "../../src/archive/decompress.ts";
import { bytesOfName } from "../../src/archive/names.ts";
import { readTar } from "../../src/archive/readTar.ts";
import { commandExists } from "../support/commandExists.ts";

const corpus = resolve(import.meta.dirname, "../../../shared/corpus");
const hasCorpus = existsSync(join(corpus, "v2"));
const hasPython = commandExists("python3");
const run = promisify(execFile);

/** Prints each entry as Python's `tarfile` reads it: type, mode, owner, time, path, link target, SHA-256. */
const lister = `
import hashlib, os, sys, tarfile
kinds = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink", tarfile.LNKTYPE: "hardlink"}
out = sys.stdout.buffer
with tarfile.open(sys.argv[1], "r:*") as archive:
    for m in archive:
        digest = hashlib.sha256(archive.extractfile(m).read()).hexdigest() if m.isreg() else "-"
        link = m.linkname if m.issym() or m.islnk() else "-"
        line = "|".join([kinds[m.type], oct(m.mode & 0o7777), str(m.uid), str(m.gid), str(int(m.mtime)), digest])
        out.write(line.encode() + b"|" + os.fsencode(m.name) + b"|" + os.fsencode(link) + b"\\n")
`;

function archives(): string[] {
  return ["v2", "v3"]
    .flatMap((layout) =>
      readdirSync(join(corpus, layout), { recursive: true, encoding: "utf8" }).map((name) =>
        join(corpus, layout, name),
      ),
    )
    .filter((name) => name.endsWith(".spack") || /blobs\/sha256\/..\/[0-9a-f]{64}$/.test(name))
    .sort();
}

async function listing(path: string): Promise<string> {
  const lines: Buffer[] = [];
  const chunks = decompressStream(createReadStream(path), { where: { file: path } });
  for await (const entry of readTar(chunks, { where: { file: path } })) {
    const hash = createHash("sha256");
    if (entry.type === "file") for await (const chunk of entry.content) hash.update(chunk);
    const digest = entry.type === "file" ? hash.digest("hex") : "-";
    const target = entry.type === "symlink" || entry.type === "hardlink" ? entry.target : "-";
    const facts = [entry.type, `0o${entry.mode.toString(8)}`, entry.uid, entry.gid, entry.mtime, digest].join(
      "|",
    );
    lines.push(
      Buffer.concat([
        Buffer.from(`${facts}|`),
        bytesOfName(entry.path),
        Buffer.from("|"),
        bytesOfName(target),
        Buffer.from("\n"),
      ]),
    );
  }
  return Buffer.concat(lines).toString("latin1");
}

describe.skipIf(!hasCorpus || !hasPython)(
  `archives of real caches${hasCorpus ? "" : " (skipped: the corpus is not here)"}${hasPython ? "" : " (skipped: no python3)"}`,
  () => {
    it("are read as Python reads them, entry by entry and byte by byte", async () => {
      const paths = archives();
      expect(paths.length).toBeGreaterThan(30);
      let compared = 0;
      for (const path of paths) {
        const ours = await listing(path).catch((error: { code?: string }) => error);
        const theirs = await run("python3", ["-c", lister, path], {
          encoding: "latin1",
          maxBuffer: 2 ** 27,
        }).then(
          ({ stdout }) => stdout,
          (error: Error) => error,
        );
        // Layout v3 keeps specs and archives among the same blobs: what is no archive to one is none to the other.
        if (theirs instanceof Error) expect(ours, path).toMatchObject({ code: "ARCHIVE_INVALID" });
        else {
          expect(ours === theirs, path).toBe(true);
          compared++;
        }
      }
      expect(compared).toBeGreaterThan(30);
    });
  },
);
