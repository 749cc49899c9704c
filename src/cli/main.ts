#!/usr/bin/env node
/**
 * The program. A module's imports are linked before any of it runs, and an old Node cannot link those of the program: so this file, which is
 * published by itself, imports the rest only when the Node will do.
 */
import { nodeTrouble } from "../util/nodeTrouble.ts";

const trouble = nodeTrouble(process.version, process.execPath);
if (trouble === undefined) void import("./start.ts");
else {
  const end = process.argv.indexOf("--");
  const words = end < 0 ? process.argv : process.argv.slice(0, end);
  if (words.indexOf("--json") >= 0)
    process.stdout.write(`${JSON.stringify({ type: "error", errors: [trouble] })}\n`);
  else process.stderr.write(`error  ${trouble.code}  ${trouble.message}\n  hint: ${trouble.hint}\n`);
  process.exitCode = 4;
}
