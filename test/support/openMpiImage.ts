/** An image with Debian's Open MPI, whose ranks meet by PMIx, and a program for it. Needs mmdebstrap, a compiler and Debian's archive. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianTrouble } from "./cli.ts";
import { commandExists } from "./commandExists.ts";
import { putLayout } from "./layoutImage.ts";

/** Why the image cannot be made here, or undefined. */
export function openMpiTrouble(): string | undefined {
  for (const program of ["mmdebstrap", "gcc", "dpkg-deb", "apt-get"])
    if (!commandExists(program)) return `${program} is not installed`;
  return debianTrouble();
}

/**
 * Says `rank R of N, memory yes` on each rank: `memory` is whether it can read that of the next rank of its node, as MPI libraries do
 * where the kernel lets them (CMA).
 */
const source = String.raw`
#define _GNU_SOURCE
#include <mpi.h>
#include <stdio.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>
int main(int argc, char **argv) {
  int rank, size;
  static volatile int mine;
  int64_t facts[2], all[2 * 64];
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  mine = 1000 + rank;
  facts[0] = getpid();
  facts[1] = (int64_t)(intptr_t)&mine;
  MPI_Allgather(facts, 2, MPI_INT64_T, all, 2, MPI_INT64_T, MPI_COMM_WORLD);
  int next = (rank + 1) % size, found = 0;
  struct iovec here = {&found, sizeof found}, there = {(void *)(intptr_t)all[2 * next + 1], sizeof found};
  int done = process_vm_readv((pid_t)all[2 * next], &here, 1, &there, 1, 0) == sizeof found && found == 1000 + next;
  printf("rank %d of %d, memory %s\n", rank, size, done ? "yes" : "no");
  fflush(stdout);
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Finalize();
  return 0;
}
`;

/**
 * Makes the image in an OCI layout.
 * @param folder an existing folder, for the layout and what is needed on the way
 * @returns the layout's directory; the program in it is called `ranks`
 */
export function makeOpenMpiImage(folder: string): string {
  const root = join(folder, "root");
  const hook = [
    '--extract-hook=ln -sf bash "$1/usr/bin/sh"',
    `--extract-hook=printf 'root:x:0:0:root:/root:/bin/bash\n' >"$1/etc/passwd"; printf 'root:x:0:\n' >"$1/etc/group"`,
  ];
  const packages = "base-files,libc6,libgcc-s1,bash,coreutils,libc-bin,libopenmpi3";
  const release = execFileSync("sh", ["-c", '. /etc/os-release && echo "$VERSION_CODENAME"'], {
    encoding: "utf8",
  }).trim();
  const made = spawnSync(
    "mmdebstrap",
    [
      ...["--quiet", "--variant=extract", "--skip=output/dev", `--include=${packages}`],
      "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
      ...["--dpkgopt=path-exclude=/usr/share/*", "--dpkgopt=path-include=/usr/share/openmpi/*"],
      ...[...hook, release, root],
    ],
    { encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`the image with Open MPI cannot be made: ${made.stderr}`);
  compile(folder, root);
  execFileSync("/sbin/ldconfig", ["-r", root]);
  const tar = execFileSync(
    "tar",
    ["-C", root, "--owner=0", "--group=0", "--numeric-owner", "-cf", "-", "."],
    {
      maxBuffer: 2 ** 30,
    },
  );
  const layout = join(folder, "openmpi");
  const config = { Env: ["PATH=/usr/local/bin:/usr/bin:/bin"], Cmd: ["/bin/bash"] };
  putLayout(layout, { layers: [tar], config });
  return layout;
}

/** Headers come from the package of headers, which is only taken apart. */
function compile(folder: string, root: string): void {
  const headers = join(folder, "headers");
  mkdirSync(headers);
  execFileSync("apt-get", ["download", "-qq", "libopenmpi-dev"], { cwd: headers, stdio: "ignore" });
  const archive = readdirSync(headers).find((name) => name.endsWith(".deb")) ?? "";
  execFileSync("dpkg-deb", ["-x", join(headers, archive), headers]);
  const libraries = execFileSync("sh", ["-c", `echo ${root}/usr/lib/*-linux-gnu`], {
    encoding: "utf8",
  }).trim();
  const include = execFileSync("sh", ["-c", `echo ${headers}/usr/lib/*-linux-gnu/openmpi/include`], {
    encoding: "utf8",
  }).trim();
  writeFileSync(join(folder, "ranks.c"), source);
  execFileSync("gcc", [
    ...[`-I${include}`, join(folder, "ranks.c"), "-o", join(root, "usr/bin/ranks")],
    ...[`-Wl,-rpath-link,${libraries}`, join(libraries, "libmpi.so.40")],
  ]);
}
