/** A container from a directory with its root, by `unshare` and `mount` alone: our own runner without our program. */
import { SpacktainersError } from "../../util/errors.ts";
import { shellLine, shellWord } from "../../util/shellQuote.ts";
import type { Job } from "../job.ts";
import { shellPath } from "../shellPath.ts";
import { isPath } from "./enrootImage.ts";
import { type ContainerCommand, wordsOnly } from "./types.ts";

/**
 * Arguments: the root; the user's numbers; the working directory; a script that sets the image's variables; the number of binds, and for each
 * source, target, `rw` or `ro`; program and arguments. Runs as root of a user namespace, in which only the user is mapped. What is written goes
 * to memory, over the image. In the end the user has their own number again: MPI's launchers know ranks by it.
 */
export const rootDirectoryScript = `set -e
fail() { echo "spacktainers: $1" >&2; exit 125; }
root=$1 uid=$2 gid=$3 workdir=$4 variables=$5 binds=$6
shift 6
mount -t tmpfs -o mode=0755 tmpfs "$root/tmp" || fail "cannot mount into $root/tmp"
mkdir "$root/tmp/upper" "$root/tmp/work" "$root/tmp/root"
r=$root/tmp/root
mount -t overlay -o "lowerdir=$root,upperdir=$root/tmp/upper,workdir=$root/tmp/work,userxattr" overlay "$r" 2>/dev/null ||
  mount -t overlay -o "lowerdir=$root,upperdir=$root/tmp/upper,workdir=$root/tmp/work" overlay "$r" ||
  fail "this kernel cannot stack directories for users"
place() {
  if [ -d "$1" ]; then mkdir -p "$r$2"; else mkdir -p "$(dirname "$r$2")"; [ -e "$r$2" ] || : >"$r$2"; fi
  mount --rbind "$1" "$r$2" || fail "cannot show $1 in the container"
}
for p in /dev /proc /sys; do place "$p" "$p"; done
for p in /etc/passwd /etc/group /etc/hosts /etc/resolv.conf /tmp "$HOME" "$PMIX_SERVER_TMPDIR"; do
  case $p in /etc/* | /tmp | /?*/?*) if [ -e "$p" ]; then place "$p" "$p"; fi ;; esac
done
while [ "$binds" -gt 0 ]; do
  place "$1" "$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$r$2" || fail "cannot make $2 read-only"
  binds=$((binds - 1))
  shift 3
done
exec unshare --user --map-user="$uid" --map-group="$gid" --root="$r" --wd="$workdir" /bin/sh -c "$variables"'
exec "$@"' sh "$@"
`;

/**
 * @param script file with {@link rootDirectoryScript}
 * @param environment the image's variables
 * @throws SpacktainersError NOT_SUPPORTED
 */
export function rootDirectory(
  job: Job,
  script: string,
  environment: readonly (readonly [name: string, value: string])[],
): ContainerCommand {
  if (job.gpu !== undefined)
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      "spacktainers' own runner cannot give a container the drivers of a graphics processor",
    );
  if (!isPath(job.image) || /\.(?:sif|sqsh|squashfs|sqfs|tar)$/.test(job.image))
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `without spacktainers on the nodes, only a directory with the image's root can be a container, not ${job.image}`,
      { hint: "`spacktainers build NAME -o rootfs:DIR`, then --image DIR" },
    );
  const variables = environment.map(([name, value]) => `export ${name}=${shellWord(value)}`).join("\n");
  return {
    ...wordsOnly([
      "unshare --user --map-root-user --mount",
      `/bin/sh ${shellPath(script)}`,
      `${shellPath(job.image)} "$(id -u)" "$(id -g)" ${shellPath(job.workdir)}`,
      shellWord(variables),
      String(job.binds.length),
      ...job.binds.map(
        ({ source, target, readOnly }) =>
          `${shellPath(source)} ${shellPath(target)} ${readOnly ? "ro" : "rw"}`,
      ),
      shellLine(job.command),
    ]),
  };
}
