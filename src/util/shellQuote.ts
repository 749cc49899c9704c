/** Words quoted for a POSIX shell, so that it reads them back exactly as they are. */

/** One word, quoted only where a shell would take it for something else. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A command line. */
export function shellLine(words: readonly string[]): string {
  // A first word with an equals sign would be an assignment.
  const quoted = words.map(shellWord);
  const [first = ""] = words;
  if (/^\w+=/.test(first) && quoted[0] === first) quoted[0] = `'${first}'`;
  return quoted.join(" ");
}
