import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { installPackage } from "../../src/install/installPackage.ts";
import type { InstallRequest } from "../../src/install/types.ts";
import {
  corpusRequests,
  hasCorpus,
  type RecordedFile,
  recordedFiles,
  recordings,
} from "../support/corpusInstall.ts";

/** What we install, in the form of the recordings. */
async function installed(requests: readonly InstallRequest[]): Promise<Map<string, RecordedFile>> {
  const files = new Map<string, RecordedFile>();
  for (const request of requests) {
    for await (const entry of installPackage(request).entries) {
      const path = `/${entry.path}`;
      const mode = entry.mode.toString(8);
      if (entry.type === "directory") files.set(path, { path, mode, type: "dir" });
      else if (entry.type === "symlink") files.set(path, { path, mode, type: "link", target: entry.target });
      else if (entry.type === "hardlink") {
        const file = files.get(`/${entry.target}`);
        if (file === undefined) throw new Error(`${path} comes before its file`);
        files.set(path, { ...file, path });
      } else {
        const hash = createHash("sha256");
        for await (const chunk of entry.content) hash.update(chunk);
        files.set(path, { path, mode, type: "file", size: entry.size, sha256: hash.digest("hex") });
      }
    }
  }
  return files;
}

function factsOf(file: RecordedFile | undefined): string {
  return JSON.stringify([file?.path, file?.mode, file?.type, file?.size, file?.sha256, file?.target]);
}

describe.skipIf(!hasCorpus)(
  "installing the corpus where real Spack did (skipped without ../shared/corpus)",
  () => {
    for (const recording of recordings) {
      it(`gives the files of ${recording.folder}, bit for bit`, async () => {
        const requests = corpusRequests(recording, { strip: false, sbang: "keep", metadata: true });
        const ours = await installed(requests);
        const prefixes = requests.map((request) => request.prefixes[request.hash] ?? "");
        const inPackage = (path: string): boolean =>
          prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
        const theirs = new Map([...recordedFiles(recording.folder)].filter(([path]) => inPackage(path)));
        expect(theirs.size).toBeGreaterThan(8000);
        const different = [...new Set([...ours.keys(), ...theirs.keys()])].filter(
          (path) => factsOf(ours.get(path)) !== factsOf(theirs.get(path)),
        );
        // Spack appends the duration of this installation; nothing else differs, in `.spack` or outside.
        const expected = prefixes.map((prefix) => `${prefix}/.spack/install_times.json`);
        expect(different.sort()).toEqual(expected.sort());
      });
    }
  },
);
