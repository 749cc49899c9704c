/**
 * What the maintainer scripts of the essential packages would do to a fresh system, as data: users, links, copies of
 * defaults. Facts are from Debian Policy, the packages' own master files, and the FHS.
 */

import { contentOf } from "../../archive/content.ts";
import { type Entry, imageMtime } from "../../archive/entry.ts";
import type { Occupant } from "../rootTree.ts";

import type { BaseArchitecture } from "../types.ts";
import { systemGroups, systemUsers } from "./data/systemAccounts.ts";

const owner = { uid: 0, gid: 0, mtime: imageMtime } as const;

/** A directory made by us. */
export function madeDirectory(path: string, mode = 0o755, gid = 0): Entry {
  return { type: "directory", path, mode, ...owner, gid };
}

/** A symbolic link made by us. */
export function madeLink(path: string, target: string): Entry {
  return { type: "symlink", path, mode: 0o777, ...owner, target };
}

/** A file made by us. */
export function madeFile(path: string, content: string | Uint8Array, mode = 0o644): Entry {
  const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : content;
  return { type: "file", path, mode, ...owner, size: bytes.length, content: contentOf(bytes) };
}

/** The root before any package: `/usr` merged, volatile directories below `/run`. Parents before children. */
export function skeleton(architecture: BaseArchitecture): readonly Entry[] {
  const merged = architecture === "amd64" ? ["bin", "lib", "lib64", "sbin"] : ["bin", "lib", "sbin"];
  return [
    madeDirectory("usr"),
    ...merged.map((name) => madeDirectory(`usr/${name}`)),
    ...merged.map((name) => madeLink(name, `usr/${name}`)),
    madeDirectory("run"),
    madeDirectory("run/lock", 0o1777),
    madeDirectory("var"),
    madeLink("var/lock", "/run/lock"),
    madeLink("var/run", "/run"),
  ];
}

/** Files whose content {@link finishingEntries} wants to see. */
export function isWanted(path: string): boolean {
  return copies.some(([from]) => from === path) || isCertificate(path);
}

function isCertificate(path: string): boolean {
  return path.startsWith("usr/share/ca-certificates/") && path.endsWith(".crt");
}

/** Defaults that base-files and libc-bin copy into place. */
const copies: readonly (readonly [from: string, to: string])[] = [
  ["usr/share/base-files/profile", "etc/profile"],
  ["usr/share/base-files/motd", "etc/motd"],
  ["usr/share/base-files/dot.bashrc", "root/.bashrc"],
  ["usr/share/base-files/dot.profile", "root/.profile"],
  ["usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"],
  ["usr/share/base-files/nsswitch.conf", "etc/nsswitch.conf"],
  ["usr/share/base-passwd/passwd.master", "etc/passwd"],
  ["usr/share/base-passwd/group.master", "etc/group"],
];

const directories: readonly (readonly [path: string, mode: number, gid: number])[] = [
  ["dev", 0o755, 0],
  ["etc", 0o755, 0],
  ["etc/opt", 0o755, 0],
  ["etc/profile.d", 0o755, 0],
  ["home", 0o755, 0],
  ["media", 0o755, 0],
  ["mnt", 0o755, 0],
  ["opt", 0o755, 0],
  ["proc", 0o555, 0],
  ["root", 0o700, 0],
  ["srv", 0o755, 0],
  ["sys", 0o555, 0],
  ["tmp", 0o1777, 0],
  ["usr/local", 0o755, 0],
  ...["bin", "etc", "games", "include", "lib", "sbin", "share", "share/man", "src"].map(
    (name) => [`usr/local/${name}`, 0o755, 0] as const,
  ),
  ["var/lib/dpkg/updates", 0o755, 0],
  ["var/mail", 0o2775, 8],
  ["var/opt", 0o755, 0],
  ["var/spool", 0o755, 0],
  ["var/tmp", 0o1777, 0],
];

const links: readonly (readonly [path: string, target: string])[] = [
  ["usr/local/man", "share/man"],
  ["var/spool/mail", "../mail"],
];

/** Programs chosen by the alternatives system: the first that is there gets the name. */
const alternatives: readonly (readonly [link: string, name: string, choices: readonly string[]])[] = [
  ["usr/bin/awk", "awk", ["usr/bin/gawk", "usr/bin/mawk", "usr/bin/original-awk"]],
  ["usr/bin/nawk", "nawk", ["usr/bin/gawk", "usr/bin/mawk"]],
  ["usr/bin/which", "which", ["usr/bin/which.debianutils"]],
];

/**
 * What has to be added after the packages; nothing that is there already.
 *
 * @param get what is at a path, links in its directories followed
 * @param contents of the files that {@link isWanted} names, by path
 * @param shells whether `/bin/sh` has to be found: bash, else dash
 */
export function finishingEntries(
  get: (path: string) => Occupant | undefined,
  contents: ReadonlyMap<string, Uint8Array>,
): readonly Entry[] {
  const entries: Entry[] = [];
  const made = new Set<string>();
  const add = (entry: Entry): void => {
    if (get(entry.path) !== undefined || made.has(entry.path)) return;
    made.add(entry.path);
    entries.push(entry);
  };
  const has = (path: string): boolean => get(path) !== undefined || made.has(path);
  for (const [path, mode, gid] of directories) add(madeDirectory(path, mode, gid));
  for (const [path, target] of links) add(madeLink(path, target));
  const shell = ["bash", "dash", "busybox"].find((name) => has(`usr/bin/${name}`));
  if (shell !== undefined) add(madeLink("usr/bin/sh", shell));
  for (const [link, name, choices] of alternatives) {
    const choice = choices.find(has);
    if (choice === undefined || has(link)) continue;
    add(madeDirectory("etc/alternatives"));
    add(madeLink(`etc/alternatives/${name}`, `/${choice}`));
    add(madeLink(link, `/etc/alternatives/${name}`));
  }
  for (const [from, to] of copies) {
    const content = contents.get(from);
    if (content !== undefined) add(madeFile(to, content));
  }
  const login = shell === undefined ? "/usr/sbin/nologin" : shell === "bash" ? "/bin/bash" : "/bin/sh";
  add(madeFile("etc/passwd", passwd(login)));
  add(madeFile("etc/group", systemGroups.map(([name, id]) => `${name}:*:${id}:\n`).join("")));
  const shells = ["sh", "bash", "rbash", "dash"].filter((name) => has(`usr/bin/${name}`));
  if (shells.length > 0)
    add(madeFile("etc/shells", shells.map((name) => `/bin/${name}\n/usr/bin/${name}\n`).join("")));
  // Container runtimes write or mount over these, which fails for some when they are not there.
  add(madeFile("etc/hostname", ""));
  add(madeFile("etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"));
  add(madeFile("etc/resolv.conf", ""));
  if (has("etc/dpkg/origins/debian")) add(madeLink("etc/dpkg/origins/default", "debian"));
  else if (has("etc/dpkg/origins/ubuntu")) add(madeLink("etc/dpkg/origins/default", "ubuntu"));
  for (const entry of certificates(contents)) add(entry);
  return entries;
}

function passwd(rootShell: string): string {
  const shellOf = (name: string): string =>
    name === "root" ? rootShell : name === "sync" ? "/bin/sync" : "/usr/sbin/nologin";
  return systemUsers
    .map(([name, id, gid, home]) => `${name}:*:${id}:${gid}:${name}:${home}:${shellOf(name)}\n`)
    .join("");
}

/** What `update-ca-certificates` makes: a link a certificate, and all in one file (without the links by hash). */
function certificates(contents: ReadonlyMap<string, Uint8Array>): Entry[] {
  const paths = [...contents.keys()].filter(isCertificate).sort();
  if (paths.length === 0) return [];
  const bundle = paths.map((path) => {
    const text = Buffer.from(contents.get(path) ?? []).toString("latin1");
    return text.endsWith("\n") ? text : `${text}\n`;
  });
  return [
    madeDirectory("etc/ssl"),
    madeDirectory("etc/ssl/certs"),
    ...paths.map((path) => {
      const name = path.slice(path.lastIndexOf("/") + 1, -".crt".length);
      return madeLink(`etc/ssl/certs/${name}.pem`, `/${path}`);
    }),
    madeFile("etc/ssl/certs/ca-certificates.crt", Buffer.from(bundle.join(""), "latin1")),
  ];
}
