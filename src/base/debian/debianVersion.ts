/** Versions of Debian packages, ordered as dpkg orders them (deb-version(7)). */

/** A relation of Debian control fields. */
export type VersionOperator = "<<" | "<=" | "=" | ">=" | ">>";

/**
 * Compares two versions: `[epoch:]upstream[-revision]`.
 * @returns negative when `a` is older, 0 when they are equal, positive when `a` is newer
 */
export function compareDebianVersions(a: string, b: string): number {
  if (a === b) return 0;
  const left = split(a);
  const right = split(b);
  return (
    compareDigits(left.epoch, right.epoch) ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

/** Whether `version operator wanted` holds. */
export function versionSatisfies(version: string, operator: VersionOperator, wanted: string): boolean {
  const order = compareDebianVersions(version, wanted);
  switch (operator) {
    case "<<":
      return order < 0;
    case "<=":
      return order <= 0;
    case "=":
      return order === 0;
    case ">=":
      return order >= 0;
    case ">>":
      return order > 0;
  }
}

function split(version: string): { epoch: string; upstream: string; revision: string } {
  const colon = version.indexOf(":");
  const epoch = colon < 0 ? "" : version.slice(0, colon);
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return dash < 0
    ? { epoch, upstream: rest, revision: "" }
    : { epoch, upstream: rest.slice(0, dash), revision: rest.slice(dash + 1) };
}

/** Alternates between parts without digits and numbers. A missing revision equals `0`: both numbers are empty or zeros. */
function compareParts(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while ((i < a.length && !isDigit(a, i)) || (j < b.length && !isDigit(b, j))) {
      const difference = weight(a, i) - weight(b, j);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const numberA = digitsAt(a, i);
    const numberB = digitsAt(b, j);
    const difference = compareDigits(numberA, numberB);
    if (difference !== 0) return difference;
    i += numberA.length;
    j += numberB.length;
  }
  return 0;
}

/** `~` before the end of the part, the end before letters, letters before everything else. */
function weight(text: string, at: number): number {
  if (at >= text.length || isDigit(text, at)) return 0;
  const code = text.charCodeAt(at);
  if (code === 0x7e) return -1;
  const letter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return letter ? code : code + 256;
}

function digitsAt(text: string, at: number): string {
  let end = at;
  while (end < text.length && isDigit(text, end)) end++;
  return text.slice(at, end);
}

/** Compares numbers of any length; the empty one is 0. */
function compareDigits(a: string, b: string): number {
  const left = withoutZeros(a);
  const right = withoutZeros(b);
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

function withoutZeros(digits: string): string {
  let at = 0;
  while (at < digits.length && digits[at] === "0") at++;
  return digits.slice(at);
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}
