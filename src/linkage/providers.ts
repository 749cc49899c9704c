/** Who would provide what is missing: hints for people, by names that are the same everywhere. */
import { newerLibcHint } from "../base/libc.ts";
import { debianLibraries, gccByGlibcxx, spackLibraries } from "./data/libraryPackages.ts";
import { programPackages } from "./data/programPackages.ts";

const debianByLibrary = new Map(debianLibraries);
const spackByLibrary = new Map(spackLibraries);
const byProgram = new Map(programPackages.map(([program, debian, spack]) => [program, { debian, spack }]));

/** Longer names are nobody's; those that patterns below look at come from strangers. */
const longestName = 255;

/** Libraries that a container gets from the machine it runs on: they must not be in an image. */
export function isHostLibrary(name: string): boolean {
  if (name.length > longestName) return false;
  return /^(libcuda|libnvidia-[a-z0-9-]+|libnvcuvid|libcudadebugger|libnvoptix)\.so(\.\d+)*$/.test(name);
}

/**
 * Who has a library.
 * @param name as in DT_NEEDED
 * @param hasSpackPackage whether Spack has a package of a name
 * @returns one sentence, or undefined when nothing is known
 */
export function libraryProvider(
  name: string,
  hasSpackPackage: (name: string) => boolean,
): string | undefined {
  if (name.length > longestName) return undefined;
  if (isHostLibrary(name)) return "it comes from the driver of the machine the container runs on";
  const debian = debianByLibrary.get(name);
  const stem = name.replace(/\.so(\.[0-9.]*)?$/, "");
  const plain = stem.replace(/^lib/, "").replace(/[-_.]?\d+(\.\d+)*$/, "");
  const named = spackByLibrary.get(stem.toLowerCase()) ?? spackByLibrary.get(`lib${plain}`.toLowerCase());
  const candidates = [plain, stem, `lib${plain}`].map((one) => one.toLowerCase().replaceAll("_", "-"));
  const spack = named ?? candidates.find((one) => hasSpackPackage(one));
  return provided(debian, spack);
}

/** Who has a program that scripts start with, by its file name. */
export function programProvider(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name.length > longestName) return undefined;
  // python3.12 → python3 → python
  const known = [name, name.replace(/(\.\d+)+$/, ""), name.replace(/[0-9.]+$/, "")]
    .map((one) => byProgram.get(one))
    .find((one) => one !== undefined);
  return known === undefined ? undefined : provided(known.debian, known.spack);
}

/** Who has a newer library with a symbol version. */
export function versionProvider(version: string): string | undefined {
  const glibc = /^GLIBC_(\d+\.\d+)/.exec(version)?.[1];
  if (glibc !== undefined) return newerLibcHint(glibc);
  const patch = /^GLIBCXX_3\.4\.(\d+)$/.exec(version)?.[1];
  if (patch === undefined) return undefined;
  const gcc = gccByGlibcxx.find(([first]) => first >= Number(patch))?.[1];
  const which = gcc === undefined ? "a newer GCC" : `GCC ${gcc} or newer`;
  return `the libstdc++ of ${which} is needed: a newer base, or the gcc-runtime of that compiler`;
}

function provided(debian: string | undefined, spack: string | undefined): string | undefined {
  const parts = [
    ...(debian === undefined ? [] : [`the Debian package ${debian}`]),
    ...(spack === undefined ? [] : [`the Spack package ${spack}`]),
  ];
  return parts.length === 0 ? undefined : `${parts.join(" or ")} has it`;
}
