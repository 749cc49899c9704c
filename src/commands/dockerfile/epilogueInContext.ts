import { parseDockerfile } from "../../dockerfile/parseDockerfile.ts";

/**
 * An epilogue as part of a Dockerfile that is built from another folder than its own: what it copies is named from there.
 *
 * @param file of the epilogue, for errors
 * @param folder of the epilogue, from the folder that the Dockerfile is built from; with slashes
 * @throws SpacktainersError, SpacktainersErrors as `parseDockerfile`
 */
export function epilogueInContext(text: string, file: string, folder: string): string {
  const lines = text.replace(/^\ufeff/, "").split("\n");
  const { instructions } = parseDockerfile(text, file);
  const words = instructions.flatMap((one) => (one.kind === "copy" || one.kind === "add" ? one.sources : []));
  // From the end, so that columns before stay right.
  const ordered = [...words].sort((a, b) => b.line - a.line || b.column - a.column);
  const done = new Set<string>();
  for (const { text: source, line, column } of ordered) {
    if (/^https?:\/\//i.test(source)) continue;
    const before = lines[line - 1] ?? "";
    const at = before.indexOf(source, column - 1);
    const key = `${line}:${at}`;
    // In a list in JSON form all words stand where the list begins.
    if (at < 0 || done.has(key)) continue;
    done.add(key);
    const relative = source.replace(/^\/+/, "");
    lines[line - 1] = `${before.slice(0, at)}${folder}/${relative}${before.slice(at + source.length)}`;
  }
  return lines.join("\n");
}
