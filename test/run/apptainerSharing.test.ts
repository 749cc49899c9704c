import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { meetingScript, needsSharing } from "../../src/run/apptainerSharing.ts";

let folder: string;
let count = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "spacktainers-sharing-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Installation {
  readonly options?: string;
  /** Mode of `starter-suid`; undefined: there is none. */
  readonly setUserId?: number;
  readonly configuration?: string;
}

/** A stand-in that says of itself what Apptainer says. */
function apptainer({ options = "--sharens", setUserId, configuration = "" }: Installation): string {
  const place = join(folder, String(count++));
  mkdirSync(join(place, "apptainer/bin"), { recursive: true });
  const starter = join(place, "apptainer/bin/starter-suid");
  if (setUserId !== undefined) {
    writeFileSync(starter, "");
    chmodSync(starter, setUserId);
  }
  writeFileSync(join(place, "apptainer.conf"), configuration);
  const program = join(place, "apptainer");
  const path = `${program}.sh`;
  writeFileSync(
    path,
    `#!/bin/sh
case "$*" in
  "exec --help") echo "      ${options}   share" ;;
  "buildcfg LIBEXECDIR") echo ${place} ;;
  "buildcfg APPTAINER_CONF_FILE") echo ${place}/apptainer.conf ;;
esac
`,
  );
  chmodSync(path, 0o755);
  return path;
}

describe("sharing a namespace with Apptainer", () => {
  const memory = (): string => {
    const path = join(folder, `memory-${count}`);
    mkdirSync(path);
    return path;
  };

  it("is needed where it makes user namespaces, and can be had", async () => {
    expect(await needsSharing(apptainer({}), memory())).toBe(true);
    expect(await needsSharing(apptainer({ options: "--other" }), memory())).toBe(false);
    expect(await needsSharing(apptainer({ setUserId: 0o755 }), memory())).toBe(true);
    const configuration = "# allow setuid = yes\nallow setuid = no\n";
    expect(await needsSharing(apptainer({ setUserId: 0o4755, configuration }), memory())).toBe(true);
  });

  it.skipIf(process.getuid?.() !== 0)("is not needed with set-user-ID of root", async () => {
    const configuration = "allow setuid = yes\n";
    expect(await needsSharing(apptainer({ setUserId: 0o4755, configuration }), memory())).toBe(false);
  });

  it("is found out once", async () => {
    const [program, place] = [apptainer({}), memory()];
    expect(await needsSharing(program, place)).toBe(true);
    const [name = ""] = readdirSync(place);
    writeFileSync(join(place, name), "no");
    expect(await needsSharing(program, place)).toBe(false);
  });
});

describe("the meeting of ranks", () => {
  const rank = (meeting: string, own: number, all: number, ...command: string[]) => {
    const child = spawn("sh", ["-c", meetingScript, "sh", meeting, String(own), String(all), ...command]);
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    const ended = new Promise<{ status: number | null; said: string }>((done) => {
      child.once("close", (status) => done({ status, said }));
    });
    return { ended, said: () => said };
  };

  it("lets nobody go on before all are there", async () => {
    const meeting = join(folder, "meeting");
    mkdirSync(meeting);
    const args = ["a b", "", "$HOME", "-n"];
    const command = ["sh", "-c", `ls ${meeting} | wc -l; printf '%s|' "$@"; exit 3`, "sh", ...args];
    const first = [0, 1].map((own) => rank(meeting, own, 3, ...command));
    await new Promise((done) => setTimeout(done, 400));
    expect(first.map(({ said }) => said())).toEqual(["", ""]);
    const all = [...first, rank(meeting, 2, 3, ...command)];
    for (const { ended } of all) expect(await ended).toEqual({ status: 3, said: "3\na b||$HOME|-n|" });
  });
});
