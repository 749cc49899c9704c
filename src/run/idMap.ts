/** Which users a namespace that we make can have: files of an image belong to many. */
import { readFile, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { findProgram, runTool } from "../util/tool.ts";

/** Numbers inside a namespace that stand for numbers outside. */
export interface IdRange {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

/** The users and groups of a namespace. */
export interface IdMap {
  /**
   * `root`: root's own, all of them. `subordinate`: ours as root, and those that /etc/subuid lends us. `single`: ours as root, and
   * nobody else.
   */
  readonly kind: "root" | "subordinate" | "single";
  readonly users: readonly IdRange[];
  readonly groups: readonly IdRange[];
}

/** Fewer borrowed numbers than this leave out system users. */
const fewest = 1000;

/** The most that this user can have here. What the machine then refuses after all, the caller finds out. */
export async function chooseIdMap(): Promise<IdMap> {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  if (uid === 0) {
    const [users, groups] = await Promise.all([ownRanges("uid_map"), ownRanges("gid_map")]);
    if (users.length > 0 && groups.length > 0) return { kind: "root", users, groups };
  }
  const tools = await Promise.all([findProgram("newuidmap"), findProgram("newgidmap")]);
  if (uid !== 0 && tools.every((tool) => tool !== undefined)) {
    const [users, groups] = await Promise.all([lentTo(uid, "/etc/subuid"), lentTo(uid, "/etc/subgid")]);
    if (users !== undefined && groups !== undefined)
      return { kind: "subordinate", users: [one(uid), users], groups: [one(gid), groups] };
  }
  return singleIdMap(uid, gid);
}

/** Only ourselves, as root. */
export function singleIdMap(uid = process.geteuid?.() ?? 0, gid = process.getegid?.() ?? 0): IdMap {
  return { kind: "single", users: [one(uid)], groups: [one(gid)] };
}

/**
 * Gives a namespace its users and groups.
 *
 * @param pid of a process in it, which nobody gave any yet
 * @returns why it cannot be done, or undefined
 */
export async function writeIdMap(pid: number, map: IdMap): Promise<string | undefined> {
  if (map.kind === "subordinate") {
    for (const [tool, ranges] of [
      ["newuidmap", map.users],
      ["newgidmap", map.groups],
    ] as const) {
      const numbers = ranges.flatMap(({ inside, outside, count }) => [inside, outside, count].map(String));
      const result = await runTool([tool, String(pid), ...numbers]);
      if (result.status !== 0) return result.stderr.trim() || `${tool} failed`;
    }
    return undefined;
  }
  try {
    await writeFile(`/proc/${pid}/gid_map`, lines(map.groups));
    await writeFile(`/proc/${pid}/uid_map`, lines(map.users));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function lines(ranges: readonly IdRange[]): string {
  return ranges.map(({ inside, outside, count }) => `${inside} ${outside} ${count}\n`).join("");
}

function one(id: number): IdRange {
  return { inside: 0, outside: id, count: 1 };
}

/** The numbers that exist where we are, each for itself; empty when there is only one. */
async function ownRanges(name: string): Promise<readonly IdRange[]> {
  const text = await readFile(`/proc/self/${name}`, "latin1").catch(() => "");
  const ranges = text
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([inside, , count]) =>
      inside === undefined || count === undefined || Number.isNaN(count)
        ? []
        : [{ inside, outside: inside, count }],
    );
  return ranges.reduce((sum, { count }) => sum + count, 0) < fewest ? [] : ranges;
}

/** The first range lent to a user that is large enough, as the numbers from 1. */
async function lentTo(uid: number, file: string): Promise<IdRange | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  const names = [String(uid), nameOfUser()];
  for (const line of text.split("\n")) {
    const [who = "", start = "", count = ""] = line.split(":");
    if (
      names.includes(who) &&
      /^\d{1,10}$/.test(start) &&
      /^\d{1,10}$/.test(count) &&
      Number(count) >= fewest
    )
      return { inside: 1, outside: Number(start), count: Number(count) };
  }
  return undefined;
}

function nameOfUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
