// Assembles packaging/launcher/*.S to packaging/launcher/code.json, which releases are made with. Needs Debian's packages binutils
// (on amd64) and binutils-aarch64-linux-gnu. With --print it writes to standard output.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const folder = resolve(import.meta.dirname, "../packaging/launcher");
const prefixes = { x64: "x86_64-linux-gnu-", arm64: "aarch64-linux-gnu-" };
const code = {};
const work = mkdtempSync(join(tmpdir(), "launcher-"));
try {
  for (const [arch, prefix] of Object.entries(prefixes)) {
    const object = join(work, `${arch}.o`);
    const flat = join(work, `${arch}.bin`);
    execFileSync(`${prefix}as`, ["-o", object, join(folder, `${arch}.S`)]);
    execFileSync(`${prefix}objcopy`, ["-O", "binary", "-j", ".text", object, flat]);
    code[arch] = readFileSync(flat)
      .toString("hex")
      .match(/.{1,100}/g);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
const text = `${JSON.stringify(code, undefined, 2)}\n`;
if (process.argv.includes("--print")) process.stdout.write(text);
else writeFileSync(join(folder, "code.json"), text);
