/** What an image has and a directory or a squashfs file made of it does not: devices, FIFOs, extended attributes. */
import { posix } from "node:path";
import type { Entry } from "../archive/entry.ts";
import { printable } from "../archive/names.ts";

/** Source: OCI image specification, layer.md. */
const whiteoutPrefix = ".wh.";
const opaqueWhiteout = ".wh..wh..opq";

/** Paths that are named; the others are counted. */
const mostNamed = 5;

/** Notes what is left out of layers, which are noted from bottom to top. */
export class LeftOut {
  private readonly special = new Set<string>();
  private readonly attributes = new Map<string, readonly string[]>();

  /** A device or FIFO. */
  noteSpecial(path: string): void {
    this.special.add(path);
  }

  /** An entry of a layer, which replaces whatever was at its path. */
  noteEntry({
    path,
    xattrs,
  }: {
    readonly path: string;
    readonly xattrs?: Entry["xattrs"] | undefined;
  }): void {
    const name = posix.basename(path);
    if (name.startsWith(whiteoutPrefix)) {
      // An opaque directory hides all that is in it, another whiteout a path and all below it.
      const folder = posix.dirname(path);
      if (name === opaqueWhiteout) this.forgetBelow(folder);
      else this.forget(posix.join(folder, name.slice(whiteoutPrefix.length)));
      return;
    }
    this.special.delete(path);
    const names = [...(xattrs?.keys() ?? [])];
    if (names.length > 0) this.attributes.set(path, names);
    else this.attributes.delete(path);
  }

  private forget(path: string): void {
    this.special.delete(path);
    this.attributes.delete(path);
    this.forgetBelow(path);
  }

  private forgetBelow(folder: string): void {
    const isBelow = (path: string): boolean => folder === "." || path.startsWith(`${folder}/`);
    for (const path of this.special) if (isBelow(path)) this.special.delete(path);
    for (const path of this.attributes.keys()) if (isBelow(path)) this.attributes.delete(path);
  }

  /** What `holder` does not have, in a sentence; undefined when it has everything. */
  message(holder: string): string | undefined {
    const some = (texts: readonly string[]): string =>
      `${texts.slice(0, mostNamed).map(printable).join(", ")}${texts.length > mostNamed ? `, and ${texts.length - mostNamed} more` : ""}`;
    const attributes = [...this.attributes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, names]) => `${[...names].sort().join(", ")} of ${path}`);
    const parts = [
      ...(this.special.size === 0 ? [] : [`devices and FIFOs (${some([...this.special].sort())})`]),
      ...(attributes.length === 0 ? [] : [`extended attributes (${some(attributes)})`]),
    ];
    return parts.length === 0 ? undefined : `${holder} does not have the image's ${parts.join(" and ")}`;
  }
}
