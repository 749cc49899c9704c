/** What the maintainer scripts of packages would do: alternatives, which are made, and what is left undone, which is named. */
import {
  type AlternativeLink,
  type AlternativesCall,
  chosenLinks,
  readAlternativesCall,
} from "./alternatives.ts";
import type { DebPackage } from "./debPackage.ts";
import { readScript, type ScriptSurroundings } from "./readScript.ts";

/** What scripts come to. */
export interface ScriptEffects {
  /** Links to make. */
  readonly links: readonly AlternativeLink[];
  /** Packages whose scripts do more that programs may need, with the commands, sorted by name. */
  readonly undone: readonly { readonly name: string; readonly commands: readonly string[] }[];
}

/** Commands whose effect a running program may need: users, permissions, locales, diversions, registers of plug-ins. */
const effective: ReadonlySet<string> = new Set([
  "addgroup",
  "adduser",
  "dpkg-divert",
  "dpkg-statoverride",
  "gdk-pixbuf-query-loaders",
  "glib-compile-schemas",
  "groupadd",
  "gtk-query-immodules-3.0",
  "locale-gen",
  "localedef",
  "setcap",
  "systemd-sysusers",
  "ucf",
  "update-locale",
  "useradd",
]);

/** Packages of which Spacktainers does by itself what a running program needs. */
const settled: ReadonlySet<string> = new Set([
  "apt",
  "base-files",
  "base-passwd",
  "bash",
  "ca-certificates",
  "dash",
  "debconf",
  "debianutils",
  "dpkg",
  "libc-bin",
  "libc6",
  "login",
  "passwd",
  "perl-base",
]);

/**
 * Reads the scripts of packages that are unpacked together. They are never run.
 *
 * @param packages in the order of their installation
 */
export function scriptEffects(
  packages: readonly Pick<DebPackage, "name" | "preinst" | "postinst">[],
  surroundings: Omit<ScriptSurroundings, "action">,
): ScriptEffects {
  const calls: AlternativesCall[] = [];
  const undone: { name: string; commands: readonly string[] }[] = [];
  for (const { name, preinst, postinst } of packages) {
    const left = new Set<string>();
    for (const [action, text] of [
      ["install", preinst],
      ["configure", postinst],
    ] as const) {
      if (text === "") continue;
      const commands = readScript(text, { ...surroundings, action });
      // A script in another language, or one that is not understood.
      if (commands === undefined && text.includes("update-alternatives")) left.add("update-alternatives");
      for (const command of commands ?? []) {
        const program = command[0]?.slice(command[0].lastIndexOf("/") + 1);
        if (program === "update-alternatives") {
          const call = readAlternativesCall(command);
          if (call === undefined) left.add(program);
          else calls.push(call);
        } else if (program === "dpkg-divert" && command.includes("--remove")) continue;
        else if (program !== undefined && effective.has(program)) left.add(program);
      }
    }
    if (left.size > 0 && !settled.has(name)) undone.push({ name, commands: [...left].sort() });
  }
  undone.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { links: chosenLinks(calls, surroundings.exists), undone };
}

/** A notice of what is left undone; undefined when that is nothing. */
export function undoneNotice({ undone }: Pick<ScriptEffects, "undone">): string | undefined {
  if (undone.length === 0) return undefined;
  const named = undone
    .slice(0, 10)
    .map(({ name, commands }) => `${name} (${commands.join(", ")})`)
    .join(", ");
  const more = undone.length > 10 ? ` and ${undone.length - 10} more` : "";
  return `maintainer scripts do not run; the scripts of these packages do more than make links, and programs may need the result: ${named}${more}`;
}
