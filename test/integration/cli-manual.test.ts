import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { builtProject } from "../support/builtProject.ts";
import { commandExists } from "../support/commandExists.ts";

const pages = readdirSync(join(builtProject, "man")).map((page) => join(builtProject, "man", page));
const work = mkdtempSync(join(tmpdir(), "spacktainers-man-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const checkers = [
  { name: "mandoc", args: ["-T", "lint", "-W", "warning"] },
  { name: "man", args: ["--warnings", "-E", "UTF-8", "-l"] },
];

describe.each(checkers)("the manual, read by $name", ({ name, args }) => {
  const isThere = commandExists(name) && (name !== "man" || spawnSync(name, ["--version"]).status === 0);
  const check = (file: string): string => {
    const { stdout, stderr } = spawnSync(name, [...args, file], {
      encoding: "utf8",
      env: { ...process.env, MANPAGER: "cat" },
    });
    return name === "man" ? stderr : `${stdout}${stderr}`;
  };

  it.skipIf(!isThere)(`gives no warning${isThere ? "" : ` (skipped: ${name} is not installed)`}`, () => {
    expect(pages.length).toBeGreaterThan(20);
    for (const page of pages) expect(check(page), page).toBe("");
  });

  it.skipIf(!isThere)("would give one for what is wrong", () => {
    const wrong = join(work, "wrong.1");
    writeFileSync(wrong, '.TH X 1 "2026-01-31"\n.SH NAME\nx \\- y\n.SH A\n.unknown\n.TP\n');
    expect(check(wrong)).not.toBe("");
  });
});
