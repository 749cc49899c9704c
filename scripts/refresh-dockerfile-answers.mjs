// Asks BuildKit's Dockerfile front end (scripts/dockerfile-oracle) the questions of test/dockerfile, and writes its answers there.
// Needs Go. Usage: node scripts/refresh-dockerfile-answers.mjs
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "..", "test", "dockerfile");
const questions = readFileSync(join(folder, "questions.jsonl"), "utf8");
const output = execFileSync("go", ["run", "."], {
  cwd: join(import.meta.dirname, "dockerfile-oracle"),
  input: questions,
  encoding: "utf8",
  maxBuffer: 2 ** 28,
});
if (output.split("\n").length !== questions.split("\n").length)
  throw new Error("the oracle did not answer every question");
writeFileSync(join(folder, "answers.jsonl"), output);
