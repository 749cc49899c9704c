/** Images to SIF: ours beside `apptainer build` of the same archive. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { alternate, printResults, programPath, skipped, timed } from "./measure.mjs";
import { syntheticCache } from "./syntheticCache.mjs";

const root = resolve(import.meta.dirname, "..");
const program = [process.execPath, join(root, "dist/cli/main.js")];
const ownApptainer = join(root, ".scratch/apptainer/usr/bin/apptainer");

/**
 * @param {{ work: string, runs: number, size: number, packages: number, apptainerRuns: number }} options
 */
export async function benchSif({ work, runs, size, packages, apptainerRuns }) {
  if (programPath("mksquashfs") === undefined) return skipped("sif", "squashfs-tools are not installed");
  const apptainer = programPath("apptainer") ?? (existsSync(ownApptainer) ? ownApptainer : undefined);
  console.log(
    `\nmaking an image of ${packages} packages, ${(size / 1e6).toFixed(0)} MB, unless it is there …`,
  );
  const made = await syntheticCache(join(work, "synthetic-cache"), {
    size,
    packages,
    onProgress: (text) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`),
  });
  const env = { XDG_CACHE_HOME: join(work, "home") };
  const archive = join(work, "image.oci.tar");
  if (!existsSync(archive)) await buildImage(made, archive, work, env);
  const out = join(work, "out");
  await rm(out, { recursive: true, force: true });
  await mkdir(join(out, "tmp"), { recursive: true });
  await mkdir(join(out, "cache"), { recursive: true });
  const theirs = {
    APPTAINER_TMPDIR: join(out, "tmp"),
    // Layers it has read once are kept there: each build starts without.
    APPTAINER_CACHEDIR: join(out, "cache"),
    HOME: out,
  };
  const ours = (name, ...options) => ({
    name: `spacktainers sif${options.map((one) => ` ${one}`).join("")}`,
    bytes: made.bytes,
    run: () =>
      timed(
        [...program, "sif", `oci-archive:${archive}`, "-o", join(out, `${name}.sif`), "--force", ...options],
        { env },
      ),
    output: join(out, `${name}.sif`),
  });
  const build = (name, label, ...args) => ({
    name: `apptainer build${label}`,
    bytes: made.bytes,
    runs: apptainerRuns,
    prepare: async () => {
      await rm(join(out, "cache"), { recursive: true, force: true });
      await mkdir(join(out, "cache"));
    },
    run: () =>
      timed([apptainer, "build", "--force", ...args, join(out, `${name}.sif`), `oci-archive:${archive}`], {
        env: theirs,
      }),
    output: join(out, `${name}.sif`),
  });
  const alternatives = [ours("zstd"), ours("gzip", "--compression", "gzip")];
  if (apptainer === undefined) skipped("apptainer build", "Apptainer is not installed");
  else
    alternatives.push(
      build("theirs-zstd", ", zstd 3", "--mksquashfs-args", "-comp zstd -Xcompression-level 3"),
      build("theirs", " (its default: gzip 9)"),
    );
  const digests = new Set();
  const first = alternatives[0];
  const run = first.run;
  first.run = async () => {
    const figures = await run();
    digests.add(execFileSync("sha256sum", [first.output], { encoding: "utf8" }).slice(0, 64));
    return figures;
  };
  const packed = (await stat(archive)).size;
  printResults(
    `SIF of ${made.files} files, ${(made.bytes / 1e6).toFixed(0)} MB, in an oci-archive of ${(packed / 1e6).toFixed(0)} MB`,
    await alternate(alternatives, runs),
  );
  for (const { name, output } of alternatives) {
    const facts = await stat(output).catch(() => undefined);
    if (facts !== undefined) console.log(`  ${name}: ${(facts.size / 1e6).toFixed(1)} MB`);
  }
  console.log(`  ${runs} runs of ours gave ${digests.size} different files`);
}

/** Has our own `build` make the image. */
async function buildImage(made, archive, work, env) {
  const repository = join(work, "repository");
  const definition = join(repository, "container_definitions/amd64/bench");
  await rm(repository, { recursive: true, force: true });
  await mkdir(definition, { recursive: true });
  const configuration = {
    caches: [{ url: `file://${made.cache}`, trust: [made.key] }],
    base: { scratch: true },
  };
  await writeFile(join(repository, "spacktainers.yaml"), JSON.stringify(configuration));
  await writeFile(join(definition, "spack.yaml"), made.manifest);
  await writeFile(join(definition, "spack.lock"), made.locks[0]);
  const command = ["build", "bench", "--output", `oci-archive:${archive}`, "--allow-unresolved", "*"];
  await timed([...program, ...command], { cwd: repository, env });
}
