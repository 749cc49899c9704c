import { readFile } from "node:fs/promises";

/**
 * Mount points of this machine below a directory, relative to it, from outer to inner.
 *
 * Binding a directory binds what is mounted inside it as well; making that read-only has to be done for each.
 *
 * @param directory absolute, without links
 */
export async function mountPointsBelow(directory: string): Promise<readonly string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8").catch(() => "");
  const prefix = directory === "/" ? "/" : `${directory}/`;
  const points = mountPointsIn(table).filter((point) => point.startsWith(prefix) && point !== "/");
  return [...new Set(points)].sort().map((point) => point.slice(prefix.length));
}

/** The mount points in a table of mounts (proc(5), `/proc/[pid]/mountinfo`: the fifth field; blanks are written in octal). */
export function mountPointsIn(table: string): readonly string[] {
  return table.split("\n").flatMap((line) => {
    const field = line.split(" ")[4];
    if (field === undefined) return [];
    return [
      field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    ];
  });
}
