import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createFiles } from "../../../src/commands/init/createFiles.ts";

const root = mkdtempSync(join(tmpdir(), "spacktainers-create-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const { signal } = new AbortController();

describe("createFiles", () => {
  it("makes what is not there, and leaves the rest, links to nothing too", async () => {
    writeFileSync(join(root, "same"), "1");
    writeFileSync(join(root, "other"), "mine");
    symlinkSync("nowhere", join(root, "link"));
    const files = [
      { path: "a/b/c", content: "x", executable: true },
      { path: "same", content: "1" },
      { path: "other", content: "2" },
      { path: "link", content: "3" },
    ];
    expect(await createFiles(root, files, signal)).toEqual({
      created: ["a/b/c"],
      same: ["same"],
      kept: ["other", "link"],
    });
    expect(statSync(join(root, "a/b/c")).mode & 0o777).toBe(0o755);
    expect(readFileSync(join(root, "other"), "utf8")).toBe("mine");
    expect(existsSync(join(root, "nowhere"))).toBe(false);
    expect(readdirSync(root).sort()).toEqual(["a", "link", "other", "same"]);
  });

  it("takes back what it made when something fails, folders too", async () => {
    const place = join(root, "again");
    const files = [
      { path: "x/1", content: "" },
      { path: "y", content: "" },
      { path: "y/2", content: "" },
    ];
    await expect(createFiles(place, files, signal)).rejects.toThrow();
    expect(existsSync(place)).toBe(false);
  });

  it("stops when it is interrupted", async () => {
    const stop = new AbortController();
    stop.abort(new Error("stop"));
    await expect(
      createFiles(join(root, "stopped"), [{ path: "x", content: "" }], stop.signal),
    ).rejects.toThrow("stop");
    expect(existsSync(join(root, "stopped"))).toBe(false);
  });
});
