/** Whether a runtime that is installed works: found out once, told once, remembered. */
import { readFile, stat } from "node:fs/promises";
import { release } from "node:os";
import { join } from "node:path";
import { writeFileAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { hostTag } from "../util/processes.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { lastLine, runTool } from "../util/tool.ts";
import { engineTrouble, importImage } from "./engine.ts";
import { madeOnce } from "./madeOnce.ts";
import {
  apptainerRoot,
  expectNotInterrupted,
  importContext,
  ociImageOfRun,
  type PreparedRun,
} from "./preparedRun.ts";
import { loadIntoSarus } from "./sarus.ts";
import type { TriedRuntime } from "./types.ts";

/** A refusal is not asked about again for this long, in milliseconds: somebody may repair the installation. */
const refusalLifetime = 60 * 60_000;

/** What decides whether an engine works, beside itself. */
const settings = [
  "HOME",
  "XDG_RUNTIME_DIR",
  "CONTAINERS_CONF",
  "CONTAINERS_STORAGE_CONF",
  "DOCKER_HOST",
  "DOCKER_CONTEXT",
];

/**
 * Why a runtime cannot run the image, or undefined. Of several processes that want to know one tries it.
 * @throws SpacktainersError INTERRUPTED
 */
export async function troubleWith(
  name: TriedRuntime,
  program: string,
  run: PreparedRun,
): Promise<string | undefined> {
  const facts = await stat(program);
  const key = digestOf(
    JSON.stringify([
      program,
      // Mounting an image file is another thing than entering a directory.
      run.image.apptainerPath === undefined ? "oci" : "apptainer",
      facts.size,
      facts.mtimeMs,
      release(),
      process.getuid?.(),
      ...settings.map((variable) => hostEnvironment()[variable] ?? ""),
    ]),
  );
  const folder = join(run.cache, "run");
  const answer = join(folder, `${name}-${hexOfDigest(key).slice(0, 16)}`);
  await madeOnce(
    {
      // What works on one machine need not on another that shares the cache.
      lock: join(folder, `.${name}-${hostTag}-${hexOfDigest(key).slice(0, 16)}.lock`),
      what: `trying whether ${name} works`,
      isThere: async () => (await knownAnswer(answer)) !== undefined,
      make: async () => {
        const trouble = await askRuntime(name, program, run);
        expectNotInterrupted(run.options);
        await writeFileAtomically(answer, trouble ?? "");
        if (trouble !== undefined)
          run.emit({
            type: "warning",
            code: "NOTICE",
            message: `${name} is installed but cannot run this image, so another runtime is used: ${trouble}`,
            hint: `--with ${name} tries it again`,
          });
      },
    },
    { emit: run.emit, signal: run.options.signal },
  );
  return (await knownAnswer(answer)) || undefined;
}

/** What was found out; empty: it works. Undefined: it has to be asked. */
async function knownAnswer(path: string): Promise<string | undefined> {
  const facts = await stat(path).catch(() => undefined);
  if (facts === undefined) return undefined;
  const text = await readFile(path, "utf8").catch(() => "");
  return text === "" || Math.abs(Date.now() - facts.mtimeMs) < refusalLifetime ? text : undefined;
}

async function askRuntime(
  name: TriedRuntime,
  program: string,
  run: PreparedRun,
): Promise<string | undefined> {
  if (name === "apptainer" || name === "singularity") {
    const root = await apptainerRoot(run);
    const result = await runTool([program, "--silent", "exec", "--contain", root, "/bin/sh", "-c", ":"], {
      timeout: 60_000,
    });
    return result.status === 0 || result.status === 127 ? undefined : lastLine(result.stderr);
  }
  if (name === "sarus") return sarusTrouble(program, run);
  if (name === "docker") {
    const result = await runTool([program, "version", "--format", "{{.Server.Version}}"], {
      timeout: 10_000,
    });
    if (result.status !== 0) return lastLine(result.stderr) || "its daemon does not answer";
  }
  try {
    const imported = await importImage(name, await ociImageOfRun(run), importContext(program, run));
    const trouble = await engineTrouble(name, program, imported, run.container);
    if (trouble !== undefined) await runTool([program, "rmi", imported]);
    return trouble;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Why Sarus cannot run the image, or undefined. */
async function sarusTrouble(program: string, run: PreparedRun): Promise<string | undefined> {
  try {
    const image = await loadIntoSarus(await ociImageOfRun(run), importContext(program, run));
    const command = [program, "run", "--entrypoint", "", image, "/bin/sh", "-c", ":"] as const;
    const result = await runTool(command, { timeout: 60_000 });
    return result.status === 0 || result.status === 127
      ? undefined
      : lastLine(result.stderr) || `status ${result.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
