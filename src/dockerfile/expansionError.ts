/** A word that cannot be expanded. Whoever knows where it stands makes it an error with a place. */
export class ExpansionError extends Error {
  override readonly name = "ExpansionError";
}
