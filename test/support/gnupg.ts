/** GnuPG, where it is installed: keys that it made itself, and what it says of signatures. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandExists } from "./commandExists.ts";

/** Whether GnuPG can be asked here. */
export function hasGnuPg(): boolean {
  return ["gpg", "gpgv", "gpgconf"].every(commandExists);
}

/** A home of GnuPG's of its own. */
export interface GnuPg {
  /** The folder of the home. */
  readonly home: string;
  /** Runs `gpg`; gives what it prints. `time`: as if it were then. */
  run(args: readonly string[], options?: { readonly time?: Date; readonly input?: string }): Buffer;
  /** What `gpgv` says of a clear-signed message with a key ring: its verdicts, one a signature. */
  verdicts(keyring: Uint8Array, message: string): readonly string[];
  close(): void;
}

export function openGnuPg(): GnuPg {
  const home = mkdtempSync(join(tmpdir(), "gpg-"));
  return {
    home,
    run(args, { time, input } = {}) {
      const faked = time === undefined ? [] : [`--faked-system-time=${Math.floor(time.getTime() / 1000)}!`];
      const common = ["--homedir", home, "--batch", "--yes", "--no-tty", "--pinentry-mode=loopback"];
      return execFileSync("gpg", [...common, "--passphrase=", ...faked, ...args], {
        input: input ?? "",
        stdio: ["pipe", "pipe", "ignore"],
      });
    },
    verdicts(keyring, message) {
      const [keys, file] = [join(home, "verify.gpg"), join(home, "message.asc")];
      writeFileSync(keys, keyring);
      writeFileSync(file, message);
      const args = ["--homedir", home, "--status-fd", "1", "--keyring", keys, file];
      const { stdout } = spawnSync("gpgv", args, { encoding: "utf8" });
      return [...stdout.matchAll(/^\[GNUPG:\] (GOODSIG|BADSIG|EXPSIG|EXPKEYSIG|REVKEYSIG|ERRSIG) /gm)].map(
        ([, verdict = ""]) => verdict,
      );
    },
    close() {
      spawnSync("gpgconf", ["--homedir", home, "--kill", "all"]);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
