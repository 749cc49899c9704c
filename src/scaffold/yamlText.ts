/** Values as YAML writes them on one line. */

/** What a plain scalar may be here: less than YAML allows, so that no reader takes it for something else. */
const plain = /^[A-Za-z_./][\w./+~@=-]*(?::\/\/[\w./+~@=:-]*[\w/])?$/;
/** Words that YAML 1.1 or 1.2 takes for something else than text. */
const reserved = /^(?:y|n|yes|no|on|off|true|false|null|~|\.inf|\.nan|[.\d]+)$/i;

/** A text as a scalar, quoted only where it must be. */
export function yamlScalar(text: string): string {
  return plain.test(text) && !reserved.test(text) ? text : JSON.stringify(text);
}

/** Texts as a list on one line. */
export function yamlList(texts: readonly string[]): string {
  return `[${texts.map((text) => (/[,\s]/.test(text) ? JSON.stringify(text) : yamlScalar(text))).join(", ")}]`;
}
