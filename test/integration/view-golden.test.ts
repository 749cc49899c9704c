import { createHash } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { installPackage } from "../../src/install/installPackage.ts";
import { mergeView } from "../../src/view/mergeView.ts";
import type { MergedView, ViewPackage } from "../../src/view/types.ts";
import { corpusRequests, recordings } from "../support/corpusInstall.ts";
import { corpus, type InstalledLine, readInstalled } from "../view/installedCorpus.ts";

/** The view as the recordings describe one: path, type, mode, link target, SHA-256 of files. */
function describeView(view: MergedView): Map<string, string> {
  const typeNames = { directory: "dir", file: "file", symlink: "link", hardlink: "hardlink" };
  const root = view.realPath.slice(1);
  return new Map(
    view.entries
      .filter((entry) => entry.path.startsWith(`${root}/`))
      .map((entry) => {
        const sum =
          entry.content === undefined ? "" : createHash("sha256").update(entry.content).digest("hex");
        const words = [typeNames[entry.type], entry.mode.toString(8), entry.target ?? "", sum];
        return [`/${entry.path}`, words.join(" ")];
      }),
  );
}

function describeRecording(lines: readonly InstalledLine[]): Map<string, string> {
  return new Map(
    lines.map((line) => [line.path, [line.type, line.mode, line.target ?? "", line.sha256 ?? ""].join(" ")]),
  );
}

function differences(ours: Map<string, string>, theirs: Map<string, string>): string[] {
  const paths = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  return paths
    .filter((path) => ours.get(path) !== theirs.get(path))
    .map((path) => `${path}: ${ours.get(path) ?? "missing"} / Spack: ${theirs.get(path) ?? "missing"}`);
}

describe.skipIf(!corpus)("the view real Spack made (needs ../shared/corpus)", () => {
  /** The hidden folder of the recorded view: Spack names it by a hash of what the view is made of. */
  const hidden = "/opt/oracle/._view/yqdbqqoj7nwnn5xqyovqjcafkzbnjui2";
  const options = {
    viewPath: "/opt/oracle/view",
    layout: "plain",
    linkType: "symlink",
    metadata: true,
  } as const;

  /** The recorded environment's packages, installed by us where Spack installed them. */
  async function install(
    recording: (typeof recordings)[number],
  ): Promise<{ packages: ViewPackage[]; view: readonly InstalledLine[] }> {
    const { packages, view } = readInstalled(recording.folder);
    const requests = corpusRequests(recording, { strip: false, sbang: "keep", metadata: true });
    const byHash = new Map(requests.map((request) => [request.hash, request]));
    const installed: ViewPackage[] = [];
    for (const one of packages) {
      const request = byHash.get(one.spec.hash);
      if (request === undefined) throw new Error(`no request for ${one.spec.name}`);
      const running = installPackage(request);
      for await (const _ of running.entries);
      installed.push({ ...one, inventory: running.inventory() });
    }
    return { packages: installed, view };
  }

  describe("Spack 0.23", () => {
    let packages: ViewPackage[] = [];
    let view: readonly InstalledLine[] = [];
    beforeAll(async () => {
      ({ packages, view } = await install(recordings[0]));
    });

    test("every path, mode, link target and content, when scripts name the hidden folder", () => {
      const ours = mergeView(packages, { ...options, scriptPath: hidden });
      expect(ours.notices).toEqual([]);
      expect(differences(describeView(ours), describeRecording(view))).toEqual([]);
      expect(view.length).toBeGreaterThan(12_000);
    });

    test("with the public path in scripts, only the contents of those scripts differ", () => {
      const ours = mergeView(packages, options);
      const changed = differences(describeView(ours), describeRecording(view)).map(
        (line) => line.split(":")[0],
      );
      expect(changed).toEqual([
        "/opt/oracle/view/bin/activate",
        "/opt/oracle/view/bin/activate.csh",
        "/opt/oracle/view/bin/activate.fish",
        "/opt/oracle/view/bin/pyring",
      ]);
      const script = ours.entries.find((entry) => entry.path === "opt/oracle/view/bin/pyring");
      expect(Buffer.from(script?.content ?? []).toString()).toContain("#!/opt/oracle/view/bin/python3\n");
    });
  });

  test("Spack 1.1: every path, mode and link target", async () => {
    const { packages, view } = await install(recordings[1]);
    const ours = mergeView(packages, { ...options, viewPath: "/opt/oracle11/view" });
    expect(differences(describeView(ours), describeRecording(view))).toEqual([]);
    expect(view.length).toBeGreaterThan(8_000);
  });
});
