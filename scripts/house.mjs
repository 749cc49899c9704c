// The house: which folder below src comes before which. `npm run walls` enforces it; docs/architecture.md explains it.

/** Modules from left to right. A module may import from any module before it. */
export const modules = [
  "util",
  "net",
  "elf",
  "archive",
  "openpgp",
  "store",
  "registry",
  "definitions",
  "spec",
  "python",
  "environment",
  "recipes",
  "buildcache",
  "concretize",
  "install",
  "view",
  "image",
  "base",
  "linkage",
  "supply",
  "sif",
  "publish",
  "run",
  "slurm",
  "spack",
  "dockerfile",
  "hpc",
  "pipeline",
  "scaffold",
  "ci",
  "catalogue",
  "commands",
  "library",
  "cli",
];

/** Folders inside a module that have an order of their own. */
export const innerOrders = {
  // The stages of a build, in the order in which they run.
  pipeline: ["workspace", "choose", "compile", "base", "plan", "assemble", "epilogue", "images", "describe"],
  // One folder a verb. Few verbs use another one: `plan` asks what `push` would do, `rebase` pushes what it made.
  commands: [
    "check",
    "list",
    "names",
    "version",
    "lock",
    "unpack",
    "spack",
    "build",
    "push",
    "plan",
    "rebase",
    "explain",
    "diff",
    "sbom",
    "verify",
    "sign",
    "dockerfile",
    "base",
    "sif",
    "job",
    "doctor",
    "shims",
    "pull",
    "run",
    "test",
    "cache",
    "storage",
    "ci",
    "init",
    "add",
    "migrate",
    "reproduce",
    "catalogue",
  ],
};

/** Modules that must not see one another although one comes before the other. */
export const strangers = {
  install: ["concretize", "buildcache"],
  spec: ["definitions"],
  registry: ["elf"],
  base: ["spec", "environment", "buildcache", "concretize", "install", "view"],
};

/** The one file below `cli` that may read the environment variables of the process. */
export const variableReader = "util/surroundings.ts";

/** The one file that may know where it lies. */
export const packageFinder = "util/packageFile.ts";

/**
 * The room that a source file is in: its module, or the inner folder where the module has an order inside.
 * @param {string} path below `src`
 * @returns {{ module: string | undefined, inner: string | undefined }} both undefined for files of `src` itself
 */
export function roomOf(path) {
  const [module, inner, rest] = path.split("/");
  if (inner === undefined) return { module: undefined, inner: undefined };
  return { module, inner: module in innerOrders && rest !== undefined ? inner : undefined };
}
