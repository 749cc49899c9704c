/** What Spack uses of the machine instead of building it: compilers, and what the configuration names. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { ConfiguredExternal } from "../definitions/spackConfiguration.ts";
import { intersects } from "../spec/intersects.ts";
import { parseSpec } from "../spec/parse.ts";
import { temporaryPath, writeFileAtomically } from "../util/atomicFile.ts";
import { digestOf, hexOfDigest } from "../util/digest.ts";
import { SpacktainersError } from "../util/errors.ts";
import { hostPath } from "../util/hostPath.ts";
import { isJsonObject, type Json, type JsonObject } from "../util/json.ts";
import { removeIfPossible } from "../util/removeIfPossible.ts";
import { lastLine } from "../util/tool.ts";
import { passingFolder, runSpack } from "./runSpack.ts";
import type { Spack } from "./spack.ts";

/** Sections of configuration with what the machine has. */
export interface MachinePackages {
  /** `packages:`: externals by package. */
  readonly packages: JsonObject;
  /** `compilers:`, of Spack 0.x. */
  readonly compilers: readonly Json[];
}

/**
 * Lets Spack look for the machine's compilers and for the packages that are configured as externals: those of the builder image,
 * where it runs in one. What it found is kept until something is added to, or removed from, a folder of programs; of an image,
 * for good.
 *
 * @throws SpacktainersError CONFIG_INVALID, with its place, for an external that Spack does not find and for compilers of which
 *   none is there; PROCESS_FAILED when Spack fails
 */
export async function findMachinePackages(spack: Spack, signal?: AbortSignal): Promise<MachinePackages> {
  const { settings, folders } = spack;
  const memory = join(folders.misc, `machine-${await machineKey(spack)}.json`);
  const known = await readFile(memory, "utf8").then(
    (text) => JSON.parse(text) as MachinePackages,
    () => undefined,
  );
  const found = known ?? (await askSpack(spack, signal));
  const chosen = chooseCompilers(found, spack);
  // An answer without compilers is not remembered: on a busy machine Spack gives up looking at one, and may find it the next time.
  if (known === undefined) await writeFileAtomically(memory, JSON.stringify(found));
  const packages: Record<string, Json | undefined> = { ...chosen.packages };
  for (const external of settings.externals) addExternal(packages, external, spack);
  return { packages, compilers: chosen.compilers };
}

/** Changes when programs come or go, and with what is looked for. */
async function machineKey({ settings, container }: Spack): Promise<string> {
  const path = hostPath();
  const times =
    container !== undefined
      ? [container.id]
      : await Promise.all(
          [...new Set(path.split(":"))].map(async (folder) => {
            const facts = await stat(folder).catch(() => undefined);
            return `${folder} ${facts?.mtimeMs ?? ""}`;
          }),
        );
  const names = settings.externals.flatMap((external) => (external.kind === "find" ? external.name : []));
  return hexOfDigest(digestOf(JSON.stringify([times, names]))).slice(0, 16);
}

async function askSpack(spack: Spack, signal: AbortSignal | undefined): Promise<MachinePackages> {
  const { folders, settings, dialect, repositories } = spack;
  await mkdir(passingFolder(spack), { recursive: true });
  const environment = temporaryPath(passingFolder(spack));
  const names = settings.externals.flatMap((external) => (external.kind === "find" ? external.name : []));
  try {
    await mkdir(environment);
    const manifest = {
      spack: {
        specs: [],
        view: false,
        "repos:": repositoriesSection(repositories, dialect),
        config: { misc_cache: folders.misc },
        bootstrap,
      },
    };
    await writeFile(join(environment, "spack.yaml"), JSON.stringify(manifest));
    const commands = [["compiler", "find"], ...(names.length === 0 ? [] : [["external", "find", ...names]])];
    for (const command of commands) {
      const answer = await runSpack(spack, { environment }, command, { signal });
      if (answer.status !== 0)
        throw new SpacktainersError(
          "PROCESS_FAILED",
          `spack ${command.join(" ")}: ${lastLine(answer.output)}`,
        );
    }
    const written: unknown = parse(await readFile(join(environment, "spack.yaml"), "utf8"));
    const section = isJsonObject(written) && isJsonObject(written.spack) ? written.spack : {};
    return {
      packages: isJsonObject(section.packages) ? section.packages : {},
      compilers: Array.isArray(section.compilers) ? section.compilers : [],
    };
  } finally {
    await removeIfPossible(environment);
  }
}

/** Where Spack runs, for people. */
export function spackMachineName({ container }: Pick<Spack, "container">): string {
  return container === undefined ? "this machine" : `the builder image ${container.image}`;
}

/** Nothing is fetched for Spack's own needs: its solver is available, and spacktainers makes and checks signatures itself. */
export const bootstrap: JsonObject = { enable: true, sources: [], trusted: {} };

/** `repos:` with these repositories, the first preferred. */
export function repositoriesSection(repositories: Spack["repositories"], dialect: Spack["dialect"]): Json {
  return dialect === "0.x"
    ? repositories.map(({ folder }) => folder)
    : Object.fromEntries(repositories.map(({ namespace, folder }) => [namespace, folder]));
}

/** Leaves out compilers that are not among the configured ones. */
function chooseCompilers(found: MachinePackages, spack: Spack): MachinePackages {
  const { settings, dialect } = spack;
  const wanted = settings.compilers.map(({ text }) => parseSpec(text, { dialect }));
  const fits = (spec: unknown): boolean => {
    if (wanted.length === 0 || typeof spec !== "string") return true;
    const own = parseSpec(spec, { dialect });
    return wanted.some((one) => one.name === own.name && intersects(own, one, { dialect }));
  };
  let left = 0;
  const packages: Record<string, Json | undefined> = {};
  for (const [name, entry] of Object.entries(found.packages)) {
    const externals = isJsonObject(entry) && Array.isArray(entry.externals) ? entry.externals : [];
    const isCompiler = (external: Json): boolean =>
      isJsonObject(external) &&
      isJsonObject(external.extra_attributes) &&
      external.extra_attributes.compilers !== undefined;
    const kept = externals.filter(
      (external: Json) => !isCompiler(external) || fits(isJsonObject(external) ? external.spec : ""),
    );
    left += kept.filter(isCompiler).length;
    if (kept.length > 0) packages[name] = { ...(isJsonObject(entry) ? entry : {}), externals: kept };
  }
  const compilers = found.compilers.filter((each) => {
    const compiler = isJsonObject(each) && isJsonObject(each.compiler) ? each.compiler : {};
    return fits(compiler.spec);
  });
  left += compilers.length;
  const [first] = settings.compilers;
  if (left === 0 && first !== undefined)
    throw new SpacktainersError(
      "CONFIG_INVALID",
      `${spackMachineName(spack)} has none of the compilers ${settings.compilers.map(({ text }) => `\`${text}\``).join(", ")}`,
      { place: first.place, hint: "install one, or change `spack: compilers:`" },
    );
  if (left === 0)
    throw new SpacktainersError("RUNTIME_MISSING", `Spack finds no compiler on ${spackMachineName(spack)}`, {
      hint: "on Debian and Ubuntu: apt-get install gcc g++ gfortran",
    });
  return { packages, compilers };
}

/** What the configuration names is never built. */
function addExternal(
  packages: Record<string, Json | undefined>,
  external: ConfiguredExternal,
  spack: Spack,
): void {
  if (external.kind === "find") {
    const entry = packages[external.name];
    if (!isJsonObject(entry))
      throw new SpacktainersError(
        "CONFIG_INVALID",
        `Spack finds no \`${external.name}\` on ${spackMachineName(spack)}`,
        {
          place: external.place,
          hint: "install it, or write { spec: NAME@VERSION, prefix: FOLDER }",
        },
      );
    packages[external.name] = { ...entry, buildable: false };
    return;
  }
  const { name } = parseSpec(external.spec.text, { dialect: "1.x" });
  if (name === undefined) return;
  const entry = packages[name];
  const before = isJsonObject(entry) && Array.isArray(entry.externals) ? entry.externals : [];
  packages[name] = {
    ...(isJsonObject(entry) ? entry : {}),
    externals: [...before, { spec: external.spec.text, prefix: external.prefix }],
    buildable: false,
  };
}
