import type { ArgumentModel, OptionModel } from "../commandModel.ts";

/** What a value on the command line is, as far as a shell can complete it. */
export type ValueKind =
  | { readonly kind: "words"; readonly words: readonly string[] }
  /** Names that the repository has; containers may also be paths, and so may caches. */
  | { readonly kind: "containers" | "sites" | "caches" }
  | { readonly kind: "files" | "folders" }
  /** A number, a version, a pattern: nothing to propose. */
  | { readonly kind: "none" };

const outputs = ["oci:", "oci-archive:", "docker-archive:", "sif:", "squashfs:", "rootfs:"];

/** By the name that an option's value has in the help. */
const optionValues: Readonly<Record<string, ValueKind>> = {
  dir: { kind: "folders" },
  where: { kind: "files" },
  file: { kind: "files" },
  keyfile: { kind: "files" },
  key: { kind: "files" },
  container: { kind: "containers" },
  "kind:path": { kind: "words", words: outputs },
};

/** Where the name of the value does not tell. */
const optionNames: Readonly<Record<string, ValueKind>> = {
  "--cache": { kind: "caches" },
  "--to": { kind: "caches" },
  "--site": { kind: "sites" },
  "--bind": { kind: "files" },
};

const argumentNames: Readonly<Record<string, ValueKind>> = {
  names: { kind: "containers" },
  name: { kind: "containers" },
  image: { kind: "containers" },
  images: { kind: "containers" },
  from: { kind: "caches" },
  to: { kind: "caches" },
  subjects: { kind: "containers" },
  source: { kind: "containers" },
  a: { kind: "containers" },
  b: { kind: "containers" },
  file: { kind: "files" },
  path: { kind: "containers" },
  shell: { kind: "words", words: ["bash", "fish", "zsh"] },
};

/** What the value of an option is; undefined when it takes none. */
export function optionValueKind({ names, value, choices }: OptionModel): ValueKind | undefined {
  if (value === undefined) return undefined;
  if (choices !== undefined) return { kind: "words", words: choices };
  const known = names.map((name) => optionNames[name]).find((kind) => kind !== undefined);
  return known ?? optionValues[value] ?? { kind: "none" };
}

/** What an argument is. */
export function argumentValueKind({ name }: ArgumentModel): ValueKind {
  return argumentNames[name] ?? { kind: "none" };
}
