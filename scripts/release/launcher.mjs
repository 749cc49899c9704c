// The program bin/spacktainers of a self-contained folder.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const codeFile = resolve(import.meta.dirname, "../../packaging/launcher/code.json");
const machines = { x64: 62, arm64: 183 };
const headers = 64 + 2 * 56;
const address = 0x40_0000;

/**
 * The launcher as an ELF file: headers, and the code that `packaging/launcher/` has.
 * @param {"x64" | "arm64"} arch
 * @returns {Buffer}
 */
export function launcher(arch) {
  const code = Buffer.from(JSON.parse(readFileSync(codeFile, "utf8"))[arch].join(""), "hex");
  const bytes = Buffer.alloc(headers + code.length);
  bytes.write("\x7fELF\x02\x01\x01", "latin1");
  const fields = [
    [2, 16, 2], // a program
    [2, 18, machines[arch]],
    [4, 20, 1],
    [8, 24, address + headers], // where it starts
    [8, 32, 64], // where the segments are described
    [2, 52, 64],
    [2, 54, 56],
    [2, 56, 2],
    [2, 58, 64],
    // All of the file, to be read and executed.
    [4, 64, 1],
    [4, 68, 5],
    [8, 80, address],
    [8, 88, address],
    [8, 96, bytes.length],
    [8, 104, bytes.length],
    [8, 112, 0x1_0000],
    // A stack that is not executed.
    [4, 120, 0x6474_e551],
    [4, 124, 6],
    [8, 168, 16],
  ];
  for (const [size, at, value] of fields) bytes.writeUIntLE(value, at, Math.min(size, 6));
  code.copy(bytes, headers);
  return bytes;
}
