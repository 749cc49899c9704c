/** Module files, for Lmod (Lua) and Environment Modules (Tcl), that put shims on the search path. */
import type { Shims } from "./shims.ts";

/** For Lmod. */
export function luaModule(shims: Shims, mark: string): string {
  const { name, version, description, folder, job } = shims;
  const lines = [
    `-- ${mark}`,
    `help(${luaString(`${description}\n`)})`,
    `whatis(${luaString(`Name: ${name}`)})`,
    `whatis(${luaString(`Version: ${version}`)})`,
    `whatis(${luaString(`Description: ${description}`)})`,
    `conflict(${luaString(name)})`,
    ...job.modules.map((module) => `load(${luaString(module)})`),
    `prepend_path("PATH", ${luaString(`${folder}/bin`)})`,
    ...variables(shims).map(([variable, value]) => `setenv(${luaString(variable)}, ${luaString(value)})`),
  ];
  return `${lines.join("\n")}\n`;
}

/** For Environment Modules; Lmod reads it too. */
export function tclModule(shims: Shims, mark: string): string {
  const { name, version, description, folder, job } = shims;
  const lines = [
    "#%Module1.0",
    `# ${mark}`,
    `proc ModulesHelp { } { puts stderr ${tclString(description)} }`,
    `module-whatis ${tclString(`Name: ${name}`)}`,
    `module-whatis ${tclString(`Version: ${version}`)}`,
    `module-whatis ${tclString(`Description: ${description}`)}`,
    `conflict ${tclString(name)}`,
    ...job.modules.map((module) => `module load ${tclString(module)}`),
    `prepend-path PATH ${tclString(`${folder}/bin`)}`,
    ...variables(shims).map(([variable, value]) => `setenv ${variable} ${tclString(value)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** `srun` without `--mpi` goes by this one. */
function variables({ job }: Shims): readonly (readonly [string, string])[] {
  return job.pmi.plugin === undefined ? [] : [["SLURM_MPI_TYPE", job.pmi.plugin]];
}

function luaString(text: string): string {
  return `"${text.replaceAll(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

function tclString(text: string): string {
  return `"${text.replaceAll(/[\\"$[\]{};]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}
