/** Commands that do little: starting, listing, checking. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { alternate, printResults, skipped, timed } from "./measure.mjs";

const root = resolve(import.meta.dirname, "..");
const command = (...args) => [process.execPath, join(root, "dist/cli/main.js"), ...args];
const run = (words) => () => timed(words, { cwd: root });

/** Start-up: how long until the first line, on top of Node itself. */
export async function benchStartup({ runs }) {
  const alternatives = [
    { name: "node, doing nothing", run: run([process.execPath, "--eval", "0"]) },
    { name: "spacktainers --help", run: run(command("--help")) },
    { name: "spacktainers list", run: run(command("list")) },
  ];
  printResults("start-up", await alternate(alternatives, 3 * runs));
}

/** Every definition of this repository. */
export async function benchCheck({ runs }) {
  if (!existsSync(join(root, "container_definitions")))
    return skipped("check", "there are no definitions here");
  const alternatives = [
    { name: "node, doing nothing", run: run([process.execPath, "--eval", "0"]) },
    { name: "spacktainers check", run: () => timed(command("check"), { cwd: root, allowFailure: true }) },
  ];
  printResults("check of all definitions of this repository", await alternate(alternatives, 3 * runs));
}
