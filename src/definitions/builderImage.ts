/** A builder image: what begins as a path does is one, everything else a reference. */
export function builderImage(text: string, absolute: (path: string) => string): string {
  return /^\.{0,2}\//.test(text) || text.endsWith(".sif") ? absolute(text) : text;
}
