/** Root file systems that have just what the demonstration's packages need, for bases that are made in a moment. */

import { buildElf } from "./elfBuilder.ts";
import { buildTar, type TarMember } from "./tarBuilder.ts";

/** What a base is to have. */
export interface SmallBase {
  /** Versions of OS packages, by name: `var/lib/dpkg/status` says so. */
  readonly packages: Readonly<Record<string, string>>;
  /** Names of its libraries; default {@link demoLibraries}. */
  readonly libraries?: readonly string[];
}

/** What the demonstration's packages need of a base, apart from symbol versions and interpreters of scripts. */
export const demoLibraries = ["libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"] as const;

/** What has to be allowed because the libraries of a small base are empty, and because it has no programs. */
export const smallBaseAllows = ["GLIBC_*", "/usr/bin/bash", "/usr/bin/perl"] as const;

/** The base as a tar file. */
export function smallBase({ packages, libraries = demoLibraries }: SmallBase): Buffer {
  return buildTar(smallBaseMembers({ packages, libraries }));
}

function smallBaseMembers({ packages, libraries = demoLibraries }: SmallBase): readonly TarMember[] {
  const status = Object.entries(packages)
    .map(
      ([name, version]) =>
        `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\n`,
    )
    .join("\n");
  const folders = ["etc", "lib", "lib/x86_64-linux-gnu", "lib64", "var", "var/lib", "var/lib/dpkg"];
  return [
    ...folders.map((name) => ({ name, type: "5", mode: 0o755 })),
    { name: "var/lib/dpkg/status", body: status },
    { name: "etc/ld.so.conf", body: "/usr/local/lib\n" },
    ...libraries.map((name) => ({
      name: `lib/x86_64-linux-gnu/${name}`,
      body: buildElf({ soname: name }),
      mode: 0o755,
    })),
    ...(libraries.includes("ld-linux-x86-64.so.2")
      ? [
          {
            name: "lib64/ld-linux-x86-64.so.2",
            type: "2",
            link: "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
          },
        ]
      : []),
  ];
}
