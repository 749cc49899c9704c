/**
 * Measurements. `npm run bench [-- NAME… OPTIONS]`; NAME: `assembly` (`assembly:corpus`, `assembly:synthetic`), `index`, `files`, `check`,
 * `startup`, `layers` (`layers:corpus`, `layers:synthetic`; --runs catalogues), `sif`, `publish`, `catalogue`; none: all. Options: --size BYTES of the synthetic
 * environment (`2G`, `400M`), --packages N, --runs N, --spack-runs N, --apptainer-runs N,
 * --specs N of the synthetic index, --files N in an archive, --work DIR to keep what was made. Nothing is asserted: times depend on the machine.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const names = ["startup", "check", "index", "files", "assembly", "layers", "sif", "publish", "catalogue"];

const usage = `npm run bench [-- NAME... OPTIONS]

  NAME               ${names.join(", ")}; assembly:corpus, assembly:synthetic, layers:corpus, layers:synthetic; none: all
  --runs N           of each of ours (3)
  --spack-runs N     of Spack and Buildah (1)
  --apptainer-runs N (1)
  --size BYTES       of the synthetic environment (400M)
  --packages N       in it (60)
  --specs N          of the synthetic index (130000)
  --files N          empty files in an archive (500000)
  --work DIR         keeps there what it makes
`;

const { values, positionals } = readArguments({
  allowPositionals: true,
  options: {
    help: { type: "boolean", short: "h", default: false },
    size: { type: "string", default: "400M" },
    packages: { type: "string", default: "60" },
    runs: { type: "string", default: "3" },
    "spack-runs": { type: "string", default: "1" },
    "apptainer-runs": { type: "string", default: "1" },
    specs: { type: "string", default: "130000" },
    files: { type: "string", default: "500000" },
    work: { type: "string" },
  },
});

if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const wanted = new Map();
for (const text of positionals.length === 0 ? names : positionals) {
  const [name, part] = text.split(":");
  if (!names.includes(name)) fail(`there is no measurement ${name}; there are ${names.join(", ")}`);
  const parts = wanted.get(name) ?? new Set();
  for (const each of part === undefined ? ["corpus", "synthetic"] : [part]) parts.add(each);
  wanted.set(name, parts);
}

const work =
  values.work === undefined ? await mkdtemp(join(tmpdir(), "spacktainers-bench-")) : resolve(values.work);
const runs = count(values.runs, "--runs");
console.log(
  `${availableParallelism()} × ${cpus()[0]?.model}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`,
);
try {
  if (wanted.has("startup")) await (await import("./commands.mjs")).benchStartup({ work, runs });
  if (wanted.has("check")) await (await import("./commands.mjs")).benchCheck({ work, runs });
  if (wanted.has("index"))
    await (await import("./cacheIndex.mjs")).benchIndex({
      work: join(work, "index"),
      runs,
      specs: count(values.specs, "--specs"),
    });
  if (wanted.has("files"))
    await (await import("./manyFiles.mjs")).benchManyFiles({ runs, files: count(values.files, "--files") });
  if (wanted.has("catalogue"))
    await (await import("./catalogue.mjs")).benchCatalogue({ work: join(work, "catalogue"), runs });
  if (wanted.has("layers")) (await import("./layers.mjs")).benchLayers({ runs, only: wanted.get("layers") });
  if (wanted.has("assembly"))
    await (await import("./assembly.mjs")).benchAssembly({
      work: join(work, "assembly"),
      runs,
      spackRuns: count(values["spack-runs"], "--spack-runs"),
      size: bytes(values.size),
      packages: count(values.packages, "--packages"),
      only: wanted.get("assembly"),
    });
  if (wanted.has("sif"))
    await (await import("./sif.mjs")).benchSif({
      work: join(work, "sif"),
      runs,
      apptainerRuns: count(values["apptainer-runs"], "--apptainer-runs"),
      size: bytes(values.size),
      packages: count(values.packages, "--packages"),
    });
  if (wanted.has("publish"))
    await (await import("./publish.mjs")).benchPublish({
      work: join(work, "publish"),
      runs,
      spackRuns: count(values["spack-runs"], "--spack-runs"),
      size: bytes(values.size),
      packages: count(values.packages, "--packages"),
    });
} finally {
  if (values.work === undefined) await rm(work, { recursive: true, force: true });
}

function count(text, option) {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) fail(`${option} ${text} is not a number`);
  return number;
}

function bytes(text) {
  const match = /^(\d+(?:\.\d+)?)([kMG]?)B?$/.exec(text);
  if (match === null) fail(`--size ${text} is not a size such as 400M or 2G`);
  return Number(match[1]) * { "": 1, k: 1e3, M: 1e6, G: 1e9 }[match[2]];
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

function readArguments(config) {
  try {
    return parseArgs(config);
  } catch (error) {
    return fail(`${error.message}\n\n${usage}`);
  }
}
