/** Which files of the OS packages stay out of a base: translations, manuals and the like. */
import { matchesGlob } from "../../util/matchesGlob.ts";

/**
 * What a runtime image does not need. Copyright files stay: they are the licences of what is shipped. Of the character
 * set converters stay those that Debian itself keeps in libc6 since release 13.
 */
export const defaultExcludes: readonly string[] = [
  "usr/share/doc/*",
  "!usr/share/doc/*/copyright",
  "usr/share/man/*",
  "usr/share/info/*",
  "usr/share/locale/*",
  "usr/share/lintian/*",
  "usr/share/linda/*",
  "usr/share/groff/*",
  "usr/share/doc-base/*",
  "usr/share/bug/*",
  "usr/lib/*/gconv/*",
  "!usr/lib/*/gconv/gconv-modules",
  "!usr/lib/*/gconv/gconv-modules.cache",
  "!usr/lib/*/gconv/ANSI_X3.110.so",
  "!usr/lib/*/gconv/CP1252.so",
  "!usr/lib/*/gconv/ISO8859-1.so",
  "!usr/lib/*/gconv/ISO8859-15.so",
  "!usr/lib/*/gconv/UNICODE.so",
  "!usr/lib/*/gconv/UTF-16.so",
  "!usr/lib/*/gconv/UTF-32.so",
  "!usr/lib/*/gconv/UTF-7.so",
];

/** Whether a path stays out. Directories that have to be there for what is in them are made all the same. */
export type IsExcluded = (path: string, type: "directory" | "file" | "symlink" | "hardlink") => boolean;

/**
 * Compiles globs: `*` and `?` match any characters, `/` too, as in dpkg's `path-exclude`; `!` takes back in; the last
 * match decides. A link to a directory stays when a file wanted could lie in it.
 */
export function compileExcludes(patterns: readonly string[]): IsExcluded {
  const rules = patterns.map((text) => {
    const include = text.startsWith("!");
    const glob = include ? text.slice(1) : text;
    const clean = glob.startsWith("/") ? glob.slice(1) : glob;
    return { include, glob: clean, leaf: clean.slice(clean.lastIndexOf("/") + 1) };
  });
  const leaves = [
    ...new Set(rules.flatMap((rule) => (rule.include && !/[*?]/.test(rule.leaf) ? [rule.leaf] : []))),
  ];
  const excluded = (path: string): boolean => {
    for (let at = rules.length - 1; at >= 0; at--) {
      const rule = rules[at];
      if (rule !== undefined && matchesGlob(path, rule.glob)) return !rule.include;
    }
    return false;
  };
  return (path, type) =>
    excluded(path) && !(type === "symlink" && leaves.some((leaf) => !excluded(`${path}/${leaf}`)));
}
