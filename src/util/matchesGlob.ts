/**
 * Matches a whole text against a glob: `*` stands for any characters, `?` for one. Goes back to the last `*` only, so that
 * no glob makes it slow.
 *
 * @param barrier a character that neither `*` nor `?` stands for, such as `/`; default none
 */
export function matchesGlob(text: string, glob: string, barrier?: string): boolean {
  let at = 0;
  let inGlob = 0;
  let starInGlob = -1;
  let starAt = 0;
  while (at < text.length) {
    const wanted = glob[inGlob];
    if (wanted === "*") {
      starInGlob = inGlob++;
      starAt = at;
    } else if (wanted !== undefined && (wanted === text[at] || (wanted === "?" && text[at] !== barrier))) {
      at++;
      inGlob++;
    } else if (starInGlob >= 0 && text[starAt] !== barrier) {
      inGlob = starInGlob + 1;
      at = ++starAt;
    } else return false;
  }
  while (glob[inGlob] === "*") inGlob++;
  return inGlob === glob.length;
}
