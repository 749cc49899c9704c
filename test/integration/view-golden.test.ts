import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { mergeView } from "../../src/view/mergeView.ts";
import type { MergedView, ViewPackage } from "../../src/view/types.ts";
import { corpus, type InstalledLine, inventoryOfArchive, readInstalled } from "../view/installedCorpus.ts";

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

  async function packages023(): Promise<{ packages: ViewPackage[]; view: readonly InstalledLine[] }> {
    const installed = readInstalled("installed");
    const packages = await Promise.all(
      installed.packages.map(async (one) => {
        if (one.spec.name !== "py-ring" && one.spec.name !== "python-venv") return one;
        const withTexts = await inventoryOfArchive(one.spec, one.prefix, "/opt/oracle/software");
        const texts = new Map(withTexts.entries.map((entry) => [entry.path, entry]));
        const entries = one.inventory.entries.map((entry) => {
          const known = texts.get(entry.path);
          const text = known?.text === undefined ? {} : { text: known.text };
          return { ...entry, ...text, ...(known?.shebang === undefined ? {} : { shebang: known.shebang }) };
        });
        return { ...one, inventory: { entries } };
      }),
    );
    return { packages, view: installed.view };
  }

  test("Spack 0.23: every path, mode, link target and content, when scripts name the hidden folder", async () => {
    const { packages, view } = await packages023();
    const ours = mergeView(packages, { ...options, scriptPath: hidden });
    expect(ours.notices).toEqual([]);
    expect(differences(describeView(ours), describeRecording(view))).toEqual([]);
    expect(view.length).toBeGreaterThan(12_000);
  });

  test("Spack 0.23: with the public path in scripts, only the contents of those scripts differ", async () => {
    const { packages, view } = await packages023();
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

  test("Spack 1.1: every path, mode and link target", () => {
    const installed = readInstalled("installed-v3");
    const ours = mergeView(installed.packages, { ...options, viewPath: "/opt/oracle11/view" });
    expect(differences(describeView(ours), describeRecording(installed.view))).toEqual([]);
    expect(installed.view.length).toBeGreaterThan(8_000);
  });
});
