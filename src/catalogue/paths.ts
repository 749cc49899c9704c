/** Where things are in a catalogue. Names come from strangers: none leads out of the site. */
import type { CatalogueContainer, CatalogueImage } from "./facts.ts";

/** A name as a part of a path, and of an address without escaping. Different names have different parts. */
export function pathPart(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._+-]/gu, (char) =>
    [...new TextEncoder().encode(char)].map((byte) => `~${byte.toString(16).padStart(2, "0")}`).join(""),
  );
  // Hidden files are not published by servers; what is too long is none of the file system's.
  const shown = plain.startsWith(".") ? `~2e${plain.slice(1)}` : plain;
  return shown.length <= 150 ? shown : `${shown.slice(0, 130)}~~${hashOf(name)}`;
}

/** FNV-1a, twice: enough to tell long names apart that begin alike. */
function hashOf(text: string): string {
  const half = (seed: number): string => {
    let hash = seed;
    for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    return hash.toString(16).padStart(8, "0");
  };
  return half(0x811c9dc5) + half(0x050c5d1f);
}

/** Path of the page of a container: of its newest image. */
export function containerPath({ name }: Pick<CatalogueContainer, "name">): string {
  return `containers/${pathPart(name)}/index.html`;
}

/** Path of the page of a package. */
export function packagePath(name: string): string {
  return `packages/${pathPart(name)}.html`;
}

/** Paths of the pages of a container's images, in their order: the first one's is the container's. */
export function imagePaths(container: CatalogueContainer): readonly string[] {
  const taken = new Set(["index"]);
  return container.images.map((image, at) => {
    if (at === 0) return containerPath(container);
    const wanted = pathPart(`${image.version}-${image.arch}`);
    let name = wanted;
    for (let copy = 2; taken.has(name); copy++) name = `${wanted}~${copy}`;
    taken.add(name);
    return `containers/${pathPart(container.name)}/${name}.html`;
  });
}

/** A path of the site as a page at another path writes it. */
export function linkFrom(page: string, target: string): string {
  return "../".repeat(page.split("/").length - 1) + target;
}

/** What an image is called beside its container: version and architecture. */
export function imageLabel({ version, arch }: Pick<CatalogueImage, "version" | "arch">): string {
  return `${version} ${arch}`;
}
