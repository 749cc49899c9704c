/** `--chmod`: modes as octal numbers, and as symbols (`u=rwX,go=rX`), as chmod(1) has them. */

/** What a mode becomes. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const clause = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/;

/**
 * Reads a mode.
 *
 * @returns undefined if it is not one
 */
export function parseModeChange(text: string): ModeChange | undefined {
  if (/^[0-7]{1,4}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return () => mode;
  }
  const changes: ModeChange[] = [];
  for (const part of text.split(",")) {
    const [, who, actions] = clause.exec(part) ?? [];
    if (who === undefined || actions === undefined) return undefined;
    const users = who === "" || who.includes("a") ? "ugo" : who;
    for (const [, operator = "", what = ""] of actions.matchAll(/([-+=])([rwxXstugo]*)/g))
      changes.push((mode, isDirectory) => changed(mode, isDirectory, { users, operator, what }));
  }
  return (mode, isDirectory) => changes.reduce((value, change) => change(value, isDirectory), mode);
}

const shifts = { u: 6, g: 3, o: 0 } as const;
const letters = { r: 4, w: 2, x: 1 } as const;

/** A part of `u+rwX,go-w`. */
interface ModeClause {
  readonly users: string;
  readonly operator: string;
  readonly what: string;
}

function changed(mode: number, isDirectory: boolean, { users, operator, what }: ModeClause): number {
  let bits = 0;
  let mask = 0;
  for (const user of users) {
    const shift = shifts[user as "u" | "g" | "o"];
    mask |= 0o7 << shift;
    if (user === "u") mask |= 0o4000;
    if (user === "g") mask |= 0o2000;
    for (const letter of what) {
      if (letter === "r" || letter === "w" || letter === "x") bits |= letters[letter] << shift;
      else if (letter === "X" && (isDirectory || (mode & 0o111) !== 0)) bits |= 1 << shift;
      else if (letter === "u" || letter === "g" || letter === "o")
        bits |= ((mode >> shifts[letter]) & 0o7) << shift;
      else if (letter === "s" && user === "u") bits |= 0o4000;
      else if (letter === "s" && user === "g") bits |= 0o2000;
    }
  }
  if (what.includes("t")) bits |= 0o1000;
  if (operator === "+") return mode | bits;
  if (operator === "-") return mode & ~bits;
  return (mode & ~mask) | bits;
}
