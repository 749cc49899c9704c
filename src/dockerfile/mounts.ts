/** `RUN --mount=…`: which mounts a command gets, and which are refused. */
import type { MountRequest } from "./instruction.ts";

/** Something that a command sees and that is not in the image. Paths are absolute, in the container. */
export type Mount =
  /** A file or folder of the build context, read-only. */
  | { readonly type: "bind"; readonly source: string; readonly target: string }
  /** A folder kept from run to run. */
  | {
      readonly type: "cache";
      readonly id: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  /** A folder in memory. */
  | { readonly type: "tmpfs"; readonly target: string; readonly size: number | undefined };

/** Why there is no such mount. */
export interface MountProblem {
  readonly problem: string;
  readonly hint: string;
  /** It is right, but cannot be had here. */
  readonly refused: boolean;
}

const fieldsOf: Readonly<Record<string, readonly string[] | undefined>> = {
  bind: ["type", "source", "target", "readonly", "readwrite", "from"],
  cache: ["type", "id", "target", "readonly", "readwrite", "sharing", "mode", "uid", "gid", "from", "source"],
  tmpfs: ["type", "target", "size"],
};

/**
 * Reads a mount whose variables are replaced.
 *
 * @param absolute makes a path absolute: relative to the working directory
 */
export function readMount(
  { fields }: MountRequest,
  expand: (text: string) => string,
  absolute: (path: string) => string,
): Mount | MountProblem {
  const values = new Map([...fields].map(([name, value]) => [name, expand(value)]));
  const type = (values.get("type") ?? "bind").toLowerCase();
  if (type === "secret" || type === "ssh")
    return refused(`an epilogue gets no ${type}`, "what an epilogue installs must be readable without one");
  const known = fieldsOf[type];
  if (known === undefined) return wrong(`${type} is not a type of mount`, "use bind, cache or tmpfs");
  for (const name of values.keys())
    if (!known.includes(name)) return wrong(`a ${type} mount has no ${name}`, `it has ${known.join(", ")}`);
  if (values.has("from") || (type === "cache" && values.has("source")))
    return refused("a mount cannot come from another image", "copy files from the folder of the definition");
  const target = values.get("target");
  if (target === undefined || target === "") return wrong("a mount needs a target", "write target=/path");
  const place = absolute(target);
  if (place === "/") return wrong("nothing can be mounted on /", "name a folder");
  if (type === "bind") {
    if (isTrue(values.get("readwrite")))
      return refused("files of the build context cannot be written to", "leave rw out, or copy them");
    return { type, source: values.get("source") ?? "", target: place };
  }
  if (type === "tmpfs") {
    const size = sizeOf(values.get("size"));
    return size === null
      ? wrong("size is not a number of bytes", "write size=64m")
      : { type, target: place, size };
  }
  const [mode, uid, gid] = [values.get("mode") ?? "755", values.get("uid") ?? "0", values.get("gid") ?? "0"];
  if (!/^[0-7]{1,4}$/.test(mode)) return wrong("mode is not an octal number", "write mode=0755");
  if (!/^\d{1,9}$/.test(uid) || !/^\d{1,9}$/.test(gid))
    return wrong("uid and gid are numbers", "write uid=0");
  return {
    type: "cache",
    id: values.get("id") ?? place,
    target: place,
    readOnly: isTrue(values.get("readonly")),
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
  };
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && value !== "false" && value !== "0";
}

/** Bytes; null for what is no size. */
function sizeOf(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined;
  const [, digits, unit = ""] = /^(\d{1,12})([kmg]?)b?$/i.exec(text) ?? [];
  if (digits === undefined) return null;
  return Number(digits) * 1024 ** ["", "k", "m", "g"].indexOf(unit.toLowerCase());
}

function wrong(problem: string, hint: string): MountProblem {
  return { problem, hint, refused: false };
}

function refused(problem: string, hint: string): MountProblem {
  return { problem, hint, refused: true };
}
