/** Why a Node.js cannot run this program, and where to get one that can. */
export interface NodeTrouble {
  readonly code: "NODE_TOO_OLD";
  readonly message: string;
  readonly hint: string;
}

/**
 * Says whether a Node.js is too old: `engines` of `package.json`, in words. Below 22.12 there are gaps in what Node has, and
 * packages that we need do not start.
 *
 * This file and `cli/main.ts` are what a Node of any age reads before it can be refused: they use nothing, neither syntax
 * nor functions, that Node 10 lacks.
 *
 * @param version as `process.version` has it: `v18.19.0`
 * @param program path of the Node.js, for the message
 * @returns undefined when it will do
 */
export function nodeTrouble(version: string, program: string): NodeTrouble | undefined {
  const numbers = version.replace(/^v/, "").split(".").map(Number);
  const major = numbers[0] || 0;
  const minor = numbers[1] || 0;
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) return undefined;
  return {
    code: "NODE_TOO_OLD",
    message: `spacktainers needs Node.js 22.12 or newer, or 20.19 or a later 20; this is ${version} (${program})`,
    hint: "https://nodejs.org/en/download has archives that run from any folder, without root; or use `conda install -c conda-forge nodejs`, or a module of your cluster",
  };
}
