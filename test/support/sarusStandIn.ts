import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A stand-in for Sarus, which cannot be installed as a package: takes the commands and options of its user guide (release 1.7), refuses
 * all others, and writes down what it was given. `run` starts nothing; it prints the image and the command.
 *
 * @param folder where the program goes
 * @param log file for a JSON line a call: `argv`, `env` (names and values asked for with --env), `input`
 */
export function writeSarusStandIn(folder: string, log: string): string {
  const path = join(folder, "sarus");
  writeFileSync(
    path,
    String.raw`#!${process.execPath}
const { appendFileSync, readFileSync, existsSync } = require("node:fs");
const [command, ...args] = process.argv.slice(2);
const refuse = (why) => { console.error("[ERROR] " + why); process.exit(1); };
// Long options by name: with a value or without.
const options = {
  images: {},
  pull: { "--temp-dir": true, "--login": false, "--password-stdin": false, "-u": true, "--username": true },
  load: { "--temp-dir": true },
  run: {
    "--annotation": true, "--device": true, "--entrypoint": true, "--env": true, "-e": true, "--glibc": false, "--init": false,
    "--mount": true, "--mpi": false, "-m": false, "--mpi-type": true, "--name": true, "--pid": true, "--ssh": false,
    "--tty": false, "-t": false, "--workdir": true, "-w": true,
  },
}[command];
if (options === undefined) refuse("'" + command + "' is not a Sarus command");
const given = [];
let at = 0;
for (; at < args.length && args[at].startsWith("-"); at++) {
  const [name, ...rest] = args[at].split("=");
  if (!(name in options)) refuse("unrecognised option '" + args[at] + "'");
  if (!options[name]) { if (rest.length > 0) refuse(name + " takes no value"); given.push([name]); continue; }
  if (rest.length > 0 && rest.join("=") === "") refuse("the required argument for option '" + name + "' is missing");
  given.push([name, rest.length > 0 ? rest.join("=") : args[++at]]);
}
const words = args.slice(at);
for (const [name, value] of given)
  if (name === "--mount" && !/^type=bind,source=[/][^,]*,destination=[/][^,]*(,readonly)?$/.test(value)) refuse("Invalid mount request '" + value + "'");
const input = given.some(([name]) => name === "--password-stdin") ? readFileSync(0, "utf8") : undefined;
const env = Object.fromEntries(given.filter(([name]) => name === "--env" || name === "-e").map(([, value]) => {
  const equals = value.indexOf("=");
  return equals < 0 ? [value, process.env[value]] : [value.slice(0, equals), value.slice(equals + 1)];
}));
appendFileSync(${JSON.stringify(log)}, JSON.stringify({ argv: [command, ...args], env, ...(input === undefined ? {} : { input }) }) + "\n");
if (command === "load" && (words.length !== 2 || !existsSync(words[0]))) refuse("load takes an archive that is there and a name");
if (command === "pull" && words.length !== 1) refuse("pull takes one image");
if (command === "run") {
  if (words.length < 1) refuse("no image");
  console.log("sarus: " + words.join(" "));
}
`,
  );
  chmodSync(path, 0o755);
  return path;
}
