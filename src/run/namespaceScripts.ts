/**
 * The shell scripts of our own runner. Plain POSIX shell; all that varies comes as arguments, nothing is pasted into them.
 *
 * `guard` only waits: `Ctrl-C` on a terminal goes to all of us, and the program alone decides what comes of it.
 *
 * `outer` runs as the first process of new user and mount namespaces, as root of the first. It puts the root together, where it still
 * sees the machine's files and programs. In the mode `watched` it has a namespace of process numbers as well, where it can, starts
 * `inner` and waits; in the mode `alone` it becomes `inner`, and in the end the program, so that no process of spacktainers is left: for ranks,
 * which an MPI launcher watches.
 *
 * `inner` runs in a further user and mount namespace, so that the container cannot undo what `outer` has mounted: mounts that come from
 * a more privileged namespace are locked (mount_namespaces(7)). It becomes the program.
 *
 * In that namespace the program has the number of the user who started us (or 0, where that was asked for): ranks must be who their
 * launcher believes they are. Only somebody outside can say so (user_namespaces(7)), and whoever is not root there has no right to
 * mount. So a helper that `outer` leaves running does both for `inner`, which waits: it writes the map of users, and makes the
 * container's root that of `inner`.
 *
 * That step is delicate: once the root is switched, the machine's programs (`umount`) are out of reach, and the image
 * need not have any. So a process with a root of its own, a bind of the machine's, does it: a process whose root is not the old
 * root is left where it is by pivot_root(2).
 *
 * `join` goes into the namespaces of a rank that is there already: only ranks in one user namespace can read one another's memory,
 * which is how MPI libraries move large messages within a machine.
 *
 * File descriptors, in the mode `watched`: 3 is our lifeline (it ends when the program that started all this is gone, however it
 * went), 4 takes what goes wrong and, at last, the inner process's number, 6 is the real standard error meanwhile. In both modes
 * 5 gives the environment, 7 is the socket of an MPI launcher, where there is one (it is the program's, and nobody who outlives
 * that may hold it), 8 is the helper's; 8 and 9 are those of `join`.
 */

/** The number that a launcher's socket has in the container. */
export const launcherDescriptor = 7;

/** The number under which the scripts are given the environment. */
export const environmentDescriptor = 5;

/** Exit status of `outer` when `/proc` cannot be mounted: some sandboxes forbid it, and with it our own process numbers. */
export const noProcStatus = 97;

/** What the terminal or a batch system sends to everybody is not for us; a trap, unlike ignoring, is not inherited by programs. */
const calm = "trap : INT QUIT TERM HUP USR1 USR2";

/** Arguments: the file with the script `outer`, and its arguments. */
export const guardScript = `
${calm}
sh "$@"
exit $?
`;

/**
 * Arguments: `watched` or `alone`; for `alone` a file that says who makes a root for others to join, and its name once it is there
 * (`-` for none); `overlay` and directories from top to bottom with colons between, or `directory` and one; network; `ro` or `rw`; the
 * program's user and group; the number of temporary directories, and they; the number of binds, and for each source, path, what to make; the number of places that
 * are made read-only after that, and they; the files with the scripts `place` and `inner`; working directory, program, arguments.
 * Works in the folder with the unpacked layers.
 */
export const outerScript = `
${calm}
mode=$1 claim=$2 ready=$3
shift 3
if [ $mode = watched ]; then
  exec 6>&2 2>&4
  fail() { echo "$1" >&4; exit 125; }
  watch() { exec 4>&- 5<&- 6>&- 7>&-; while read -r line <&3; do :; done; }
  if [ "$$" = 1 ]; then
    ( watch; kill -KILL -1 ) </dev/null >/dev/null 2>&1 &
    mount -t proc -o nosuid,nodev,noexec proc /proc || exit ${noProcStatus}
  else
    ( watch; read -r pid <mnt/pid && kill -KILL "$pid" ) </dev/null >/dev/null 2>&1 &
  fi
  watcher=$!
else
  fail() { echo "spacktainers: the container could not be set up: $1" >&2; exit 125; }
fi
kind=$1 layers=$2 network=$3 access=$4 uid=$5 gid=$6
shift 6
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs mnt || fail "cannot mount a temporary file system"
mkdir mnt/upper mnt/work mnt/root mnt/pivot mnt/host
r=mnt/root
case $kind-$access in
  overlay-rw)
    o=lowerdir=$layers,upperdir=mnt/upper,workdir=mnt/work
    mount -t overlay -o "$o,userxattr" overlay $r || mount -t overlay -o "$o" overlay $r || fail "cannot stack the layers" ;;
  overlay-ro)
    mount -t overlay -o "lowerdir=$layers:mnt/upper,userxattr" overlay $r ||
      mount -t overlay -o "lowerdir=$layers:mnt/upper" overlay $r || fail "cannot stack the layers" ;;
  *)
    mount --bind "$layers" $r && mount -o remount,bind,ro $r || fail "cannot mount the root" ;;
esac
# A bind of a directory that this one is in must not bring in what is being put together here.
mount --make-unbindable mnt
if [ "$$" = 1 ]; then mount -t proc -o nosuid,nodev,noexec proc $r/proc; else mount --rbind /proc $r/proc; fi ||
  fail "cannot mount /proc"
# A container of root's has root's rights on these, whatever else it lacks.
for p in sys sysrq-trigger irq bus fs acpi scsi; do
  [ -e $r/proc/$p ] || continue
  mount --bind $r/proc/$p $r/proc/$p && mount -o remount,bind,ro,nosuid,nodev,noexec $r/proc/$p || fail "cannot protect /proc/$p"
done
if [ $network = none ]; then
  ip link set lo up || ifconfig lo up || echo "note: the loopback interface is down: neither ip nor ifconfig is here" >&4
  mount -t sysfs -o ro,nosuid,nodev,noexec sysfs $r/sys
else
  mount --rbind /sys $r/sys
fi || fail "cannot mount /sys"
mount -t tmpfs -o mode=0755,nosuid,noexec tmpfs $r/dev || fail "cannot mount /dev"
for d in null zero full random urandom tty; do
  : >$r/dev/$d && mount --bind /dev/$d $r/dev/$d || fail "cannot give the container /dev/$d"
done
mkdir $r/dev/pts $r/dev/shm $r/dev/.old
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,nosuid,noexec devpts $r/dev/pts || fail "cannot mount /dev/pts"
ln -s pts/ptmx $r/dev/ptmx
ln -s /proc/self/fd $r/dev/fd
ln -s /proc/self/fd/0 $r/dev/stdin
ln -s /proc/self/fd/1 $r/dev/stdout
ln -s /proc/self/fd/2 $r/dev/stderr
# Ranks in several containers on one machine talk through it.
if [ -w /dev/shm ]; then mount --rbind /dev/shm $r/dev/shm; else mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs $r/dev/shm; fi ||
  fail "cannot mount /dev/shm"
terminal=$(readlink /proc/self/fd/0)
case $terminal in /dev/pts/*) : >$r/dev/console && mount --bind "$terminal" $r/dev/console ;; esac
n=$1
shift
while [ "$n" -gt 0 ]; do
  [ $kind-$access = overlay-rw ] || mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$r/$1" || fail "cannot mount /$1"
  shift
  n=$((n - 1))
done
n=$1
shift
while [ "$n" -gt 0 ]; do
  case $3 in
    directory) mkdir -p "$r/$2" ;;
    file) mkdir -p "$(dirname "$r/$2")" && : >"$r/$2" ;;
  esac
  mount --rbind "$1" "$r/$2" || fail "cannot bind $1 to /$2"
  shift 3
  n=$((n - 1))
done
n=$1
shift
while [ "$n" -gt 0 ]; do
  # Where the user cannot get to, the container cannot either.
  if [ -e "$r/$1" ]; then mount -o remount,bind,ro "$r/$1" || fail "cannot make /$1 read-only"; fi
  shift
  n=$((n - 1))
done
place=$1 inner=$2
shift 2
mkfifo mnt/here mnt/placed || fail "cannot make a pipe"
assist() {
  exec 3<&- 5<&- 6>&- 7>&- </dev/null >/dev/null
  read -r pid <mnt/here || exit
  exec 8>mnt/placed
  echo "$uid 0 1" >"/proc/$pid/uid_map" && echo "$gid 0 1" >"/proc/$pid/gid_map" ||
    fail "cannot give the program its user"
  nsenter -t "$pid" -m sh "$PWD/$place" "$pid" "$PWD/mnt" || fail "cannot switch to the container's root"
  [ "$claim" = - ] || mv "$claim" "$ready" || fail "cannot tell other ranks"
  echo placed >&8
}
if [ $mode = watched ]; then
  assist &
  unshare -U -m --propagation unchanged sh "$inner" watched "$@"
  status=$?
  kill "$watcher"
  exit $status
fi
# Not a child of what becomes the program, which would not know it.
( assist & )
exec unshare -U -m --propagation unchanged sh "$inner" alone "$@"
`;

/** Makes the container's root that of the process `inner`, from inside its mount namespace. Arguments: its number, the folder `mnt`. */
export const placeScript = `
cd "$2" && mount --rbind root pivot && mount --rbind / host && mount --make-rprivate host || exit
exec chroot host /bin/sh -c '
  chroot "/proc/$1/root" /bin/sh -c "cd \\"\\$1\\" && pivot_root . dev/.old" sh "$2/pivot" &&
  umount -l "/proc/$1/root/dev/.old" && rmdir "/proc/$1/root/dev/.old"
' sh "$1" "$2"
`;

/** Arguments: `watched` or `alone`, working directory, program, arguments. */
export const innerScript = `
if [ $1 = watched ]; then
  fail() { echo "$1" >&4; exit 125; }
  echo "$$" >mnt/pid
else
  exec 3</dev/null 4>/dev/null 6>&2
  fail() { echo "spacktainers: the container could not be set up: $1" >&2; exit 125; }
fi
shift
environment=$(cat <&5; echo .) || fail "cannot read the environment"
echo "$$" >mnt/here
# Whoever should say so has said what went wrong.
read -r word <mnt/placed && [ "$word" = placed ] || exit 125
cd "$1" || fail "the working directory $1 cannot be entered"
shift
echo "ready $$" >&4
umask 022
unset PWD OLDPWD LC_ALL LIBMOUNT_FORCE_MOUNT2
eval "\${environment%.}"
command -v "$1" >/dev/null 2>&1 || { echo "spacktainers: $1: no such program in the container" >&6; exit 127; }
exec "$@" 2>&6 3<&- 4>&- 5<&- 6>&-
`;

/**
 * Arguments: the number of the process to join, the link of its user namespace, how many of the words that follow are for the program
 * (working directory, program, arguments), which are the last; a command that makes a root of its own, for when the other is gone.
 */
export const joinScript = `
pid=$1 namespace=$2 count=$3
shift 3
# What is open stays there, even if the other ends now.
if { command exec 8<"/proc/$pid/ns/user" 9<"/proc/$pid/ns/mnt"; } 2>/dev/null &&
  [ "$(readlink /proc/self/fd/8)" = "$namespace" ]; then
  while [ $# -gt "$count" ]; do shift; done
  exec nsenter --user=/proc/self/fd/8 --mount=/proc/self/fd/9 --preserve-credentials /bin/sh -c '
    exec 8<&- 9<&-
    cd "$1" || { echo "spacktainers: the working directory $1 cannot be entered" >&2; exit 125; }
    shift
    umask 022
    unset PWD OLDPWD LC_ALL LIBMOUNT_FORCE_MOUNT2
    . /proc/self/fd/5
    exec 5<&-
    command -v "$1" >/dev/null 2>&1 || { echo "spacktainers: $1: no such program in the container" >&2; exit 127; }
    exec "$@"
  ' sh "$@"
fi
exec "$@"
`;

/** Variables that are Bash's own, where that is the machine's `sh`: it ends when one is assigned to, unless told otherwise. */
const shellsOwn: ReadonlySet<string> = new Set([
  "UID",
  "EUID",
  "PPID",
  "SHELLOPTS",
  "BASHOPTS",
  "BASH_VERSINFO",
]);

/**
 * The environment as assignments for a shell. Names that are no names for a shell cannot be set that way.
 * @returns the text, and the names left out
 */
export function assignmentScript(env: ReadonlyMap<string, string>): {
  readonly text: string;
  readonly skipped: readonly string[];
} {
  const lines: string[] = [];
  const skipped: string[] = [];
  for (const [name, value] of env) {
    const assignment = `export ${name}='${value.replaceAll("'", "'\\''")}'`;
    if (shellsOwn.has(name)) lines.push(`command ${assignment} 2>/dev/null || :\n`);
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) lines.push(`${assignment}\n`);
    else skipped.push(name);
  }
  return { text: lines.join(""), skipped };
}
