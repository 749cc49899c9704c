/**
 * A path for a shell in which `$NAME` and `${NAME}` are filled in when the script runs; everything else, other dollar signs too,
 * stands for itself.
 */
export function shellPath(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (!/\$(?:\w|\{)/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const quoted = text.replaceAll(
    /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})|[\\"`$!]/g,
    (found, bare, braced) => {
      const name: unknown = bare ?? braced;
      // An exclamation mark means nothing in a script; a backslash before it would stay.
      if (name === undefined) return found === "!" ? found : `\\${found}`;
      return `\${${String(name)}}`;
    },
  );
  return `"${quoted}"`;
}
