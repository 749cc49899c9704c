/** Which lines differ between two texts. */

/** Longest texts that are compared line by line, in lines; for longer ones, only the first difference is reported. */
const mostLines = 5000;

/**
 * The difference as `diff -u` writes it, without a head: lines that begin with `-`, `+` or a blank, and `@@ line @@` before each
 * part.
 *
 * @param context unchanged lines that are shown around what differs
 * @returns empty for equal texts
 */
export function lineDiff(before: string, after: string, context = 2): readonly string[] {
  if (before === after) return [];
  const [old, now] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < old.length && start < now.length && old[start] === now[start]) start++;
  if (old.length > mostLines || now.length > mostLines)
    return [`@@ ${start + 1} @@`, `-${old[start]}`, `+${now[start]}`];
  const edits = editsOf(old, now);
  const lines: string[] = [];
  let shown = -1;
  for (const [index, edit] of edits.entries()) {
    if (edit.kind === " ") continue;
    const from = Math.max(shown + 1, index - context);
    if (from > shown + 1 || shown < 0) lines.push(`@@ ${(edits[from]?.line ?? 0) + 1} @@`);
    for (let at = from; at <= index; at++) lines.push(`${edits[at]?.kind}${edits[at]?.text}`);
    shown = index;
    // What follows, up to the next difference.
    for (let at = index + 1; at <= index + context && edits[at]?.kind === " "; at++) {
      lines.push(` ${edits[at]?.text}`);
      shown = at;
    }
  }
  return lines;
}

interface Edit {
  readonly kind: " " | "-" | "+";
  readonly text: string;
  /** Of the old text, from 0. */
  readonly line: number;
}

function editsOf(old: readonly string[], now: readonly string[]): readonly Edit[] {
  // Lengths of the longest common subsequence from each pair of lines on.
  const width = now.length + 1;
  const common = new Uint16Array((old.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--)
      common[i * width + j] = old[i] === now[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const edits: Edit[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      edits.push({ kind: " ", text: old[i] ?? "", line: i });
      i++;
      j++;
    } else if (j >= now.length || (i < old.length && at(i + 1, j) >= at(i, j + 1))) {
      edits.push({ kind: "-", text: old[i] ?? "", line: i });
      i++;
    } else {
      edits.push({ kind: "+", text: now[j] ?? "", line: i });
      j++;
    }
  }
  return edits;
}
