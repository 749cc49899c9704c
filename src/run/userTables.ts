/** Tables of users and groups (passwd(5), group(5)) of an image that is not mounted. */
import { readFile } from "node:fs/promises";
import type { Identity } from "./identity.ts";
import { lookUpPath } from "./rootView.ts";

/** The image's tables of users and groups with this user in them, as far as they have to be changed, and the user's home. */
export async function tablesWith(
  stack: readonly string[],
  { uid, gid, name, home }: Identity,
): Promise<{ readonly home: string; readonly files: ReadonlyMap<string, string> }> {
  const users = await textOf(stack, "etc/passwd");
  const known = rowOf(users, uid);
  // Root is the image's matter, home and all; that of others is where it is on this machine.
  if (uid === 0) return { home: absoluteOr(known?.[5], "/root"), files: new Map() };
  const files = new Map<string, string>();
  if (known === undefined)
    files.set("etc/passwd", withRow(users, `${name}:x:${uid}:${gid}:${name}:${home}:/bin/sh`));
  const groups = await textOf(stack, "etc/group");
  if (rowOf(groups, gid) === undefined) files.set("etc/group", withRow(groups, `${name}:x:${gid}:`));
  return { home: absoluteOr(home, "/"), files };
}

function absoluteOr(path: string | undefined, other: string): string {
  return path?.startsWith("/") === true ? path : other;
}

/** Fields of the row with this number, which is the third of them in both tables. */
function rowOf(table: string, number: number): readonly string[] | undefined {
  return table
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(number));
}

function withRow(table: string, row: string): string {
  return `${table}${table === "" || table.endsWith("\n") ? "" : "\n"}${row}\n`;
}

async function textOf(stack: readonly string[], path: string): Promise<string> {
  const found = await lookUpPath(stack, path).catch(() => undefined);
  return found?.kind === "file" ? readFile(found.file, "utf8").catch(() => "") : "";
}
