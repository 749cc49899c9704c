import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { emulatorHint, findEmulator } from "../../src/run/emulator.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-binfmt-"));
  writeFileSync(join(folder, "status"), "enabled\n");
});
afterEach(() => rmSync(folder, { recursive: true }));

const aarch64 = "7f454c460201010000000000000000000200b700";
const x86 = "7f454c4602010100000000000000000002003e00";
const mask = "ffffffffffffff00fffffffffffffffffeffffff";

/** An entry as the kernel shows it. */
function entry(
  name: string,
  magic: string,
  more: { flags?: string; state?: string; mask?: string } = {},
): void {
  const { flags = "OCF", state = "enabled" } = more;
  const bits = more.mask === undefined ? `mask ${mask}\n` : more.mask;
  writeFileSync(
    join(folder, name),
    `${state}\ninterpreter /usr/bin/${name}\nflags: ${flags}\noffset 0\nmagic ${magic}\n${bits}`,
  );
}

describe("findEmulator", () => {
  it("finds by what the kernel would do, whatever the entry is called", async () => {
    entry("anything", aarch64);
    expect(await findEmulator("arm64", folder)).toEqual({ path: "/usr/bin/anything", isFixed: true });
    expect(await findEmulator("amd64", folder)).toBeUndefined();
    entry("other", x86, { flags: "" });
    expect(await findEmulator("amd64", folder)).toEqual({ path: "/usr/bin/other", isFixed: false });
  });

  it("knows what is switched off, what is for something else, and what is not there", async () => {
    entry("off", aarch64, { state: "disabled" });
    writeFileSync(join(folder, "jar"), "enabled\ninterpreter /usr/bin/java\nflags: \nextension .jar\n");
    writeFileSync(join(folder, "odd"), "enabled\nmagic zz\n");
    entry("exact", `${aarch64.slice(0, 14)}01${aarch64.slice(16)}`, { mask: "" });
    expect(await findEmulator("arm64", folder)).toBeUndefined();
    expect(await findEmulator("s390x", folder)).toBeUndefined();
    expect(await findEmulator("arm64", join(folder, "none"))).toBeUndefined();
  });
});

describe("emulatorHint", () => {
  it("names what to install", async () => {
    expect(await emulatorHint("arm64")).toMatch(/qemu.*arm64/);
  });
});
