// After tsc: the binary must be executable.
import { chmodSync, existsSync } from "node:fs";
import { resolve } from "node:path";

const main = resolve(import.meta.dirname, "../dist/cli/main.js");
if (existsSync(main)) chmodSync(main, 0o755);
