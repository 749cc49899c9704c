/** Apptainer definition files, as far as a listing needs them: the image they start from. */
import type { Problems } from "./problems.ts";
import { problemList } from "./problems.ts";

/** The header of a definition file. */
export interface DefinitionFile extends Problems {
  /** `docker`, `library`, `localimage`, … in lower case. */
  readonly bootstrap: string | undefined;
  /** What follows `From:`. */
  readonly from: string | undefined;
  /** The tag of the image it starts from (`latest` when it names none); undefined when there is no such image. */
  readonly version: string | undefined;
}

/**
 * Reads the header of a definition file (the lines before the first `%section`). Of several stages, the last counts.
 *
 * @param file name for places
 */
export function readDefFile(text: string, file: string): DefinitionFile {
  const problems = problemList();
  let bootstrap: string | undefined;
  let from: string | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const match = /^(bootstrap|from)[ \t]*:(.*)$/i.exec(line);
    if (match === null) continue;
    const value = (match[2] ?? "").replace(/[ \t]#.*$/, "").trim();
    if (value === "")
      problems.error("DEFINITION_INVALID", `\`${match[1]}:\` names nothing`, {
        file,
        line: index + 1,
        column: 1,
      });
    else if ((match[1] ?? "").toLowerCase() === "from") from = value;
    else {
      bootstrap = value.toLowerCase();
      from = undefined;
    }
  }
  if (bootstrap === undefined)
    problems.error("DEFINITION_INVALID", "the definition does not begin with `Bootstrap:`", {
      file,
      line: 1,
      column: 1,
    });
  const isImage = bootstrap === "docker" || bootstrap === "oras" || bootstrap === "library";
  if (isImage && from === undefined)
    problems.error("DEFINITION_INVALID", "the definition has no `From:`", { file, line: 1, column: 1 });
  const tag =
    from === undefined ? undefined : /:([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})(?:@.*)?$/.exec(from)?.[1];
  return {
    bootstrap,
    from,
    version: isImage && from !== undefined ? (tag ?? "latest") : undefined,
    errors: problems.errors,
    warnings: problems.warnings,
  };
}
