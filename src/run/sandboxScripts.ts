/**
 * The shell scripts of the sandbox that commands of a Dockerfile run in. Plain POSIX shell; all that varies comes as arguments.
 *
 * `sandboxScript` is root of its user namespace. It stacks the image's layers, mounts what a container has, and then starts the rest as
 * the first process of its own process numbers. Root is switched by moving the new one over `/`: what is underneath cannot be reached
 * from it, and the command is not allowed to unmount anything.
 *
 * File descriptors: 3 ends when the program that started all this is gone, 4 takes what goes wrong and, at last, `ready`, 5 gives
 * the environment.
 */

/** What a command may do as root: as in Docker. */
const capabilities = [
  "audit_write",
  "chown",
  "dac_override",
  "fowner",
  "fsetid",
  "kill",
  "mknod",
  "net_bind_service",
  "net_raw",
  "setfcap",
  "setgid",
  "setpcap",
  "setuid",
  "sys_chroot",
];

/**
 * Arguments: layers from top to bottom with colons between; the file with a program that starts another one with calls to give files
 * away answered without doing anything, or nothing; user and group, by number; the working directory; the number of directories to be
 * made, and they; the number of files to be made, and they; the number of mounts, and for each its source (or `tmpfs`), path, and
 * options; then program and arguments. Works in the folder of the run, which has `upper`, `work` and `root`.
 */
export const sandboxScript = `
fail() { echo "$1" >&4; exit 125; }
layers=$1
shift
r=root
mount -t overlay -o "lowerdir=$layers,upperdir=upper,workdir=work,userxattr" overlay $r || fail "cannot stack the image's layers"
export SANDBOX_PRETEND="$1" SANDBOX_USER="$2" SANDBOX_GROUP="$3" SANDBOX_FOLDER="$4"
shift 4
n=$1
shift
while [ "$n" -gt 0 ]; do
  mkdir -p "$r/$1" || fail "cannot make /$1"
  shift
  n=$((n - 1))
done
n=$1
shift
while [ "$n" -gt 0 ]; do
  : >"$r/$1" || fail "cannot make /$1"
  shift
  n=$((n - 1))
done
mount -t tmpfs -o mode=0755,nosuid,noexec tmpfs $r/dev || fail "cannot mount /dev"
for d in null zero full random urandom tty; do
  : >$r/dev/$d && mount --bind /dev/$d $r/dev/$d || fail "cannot give the container /dev/$d"
done
mkdir $r/dev/pts $r/dev/shm $r/dev/pipes
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,nosuid,noexec devpts $r/dev/pts || fail "cannot mount /dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs $r/dev/shm || fail "cannot mount /dev/shm"
ln -s pts/ptmx $r/dev/ptmx
ln -s /proc/self/fd $r/dev/fd
ln -s /proc/self/fd/0 $r/dev/stdin
ln -s /proc/self/fd/1 $r/dev/stdout
ln -s /proc/self/fd/2 $r/dev/stderr
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs $r/sys 2>/dev/null || mount -t tmpfs -o ro,mode=0755,size=4k tmpfs $r/sys ||
  fail "cannot mount /sys"
n=$1
shift
while [ "$n" -gt 0 ]; do
  case $2 in dev/pipes/*) [ -d "$1" ] && mkdir -p "$r/$2" || : >"$r/$2" ;; esac
  if [ "$1" = tmpfs ]; then mount -t tmpfs -o "$3" tmpfs "$r/$2"; else mount --rbind "$1" "$r/$2"; fi || fail "cannot mount /$2"
  if [ "$1" != tmpfs ] && [ "$3" = ro ]; then mount -o remount,bind,ro "$r/$2" || fail "cannot make /$2 read-only"; fi
  shift 3
  n=$((n - 1))
done
exec unshare -p -f --kill-child=KILL sh -c '
fail() { echo "$1" >&4; exit 125; }
( exec </dev/null >/dev/null 2>&1 4>&- 5<&-; while read -r line <&3; do :; done; kill -KILL -1 ) &
watcher=$!
mount -t proc -o nosuid,nodev,noexec proc root/proc || mount --rbind /proc root/proc || fail "cannot mount /proc"
for p in sys sysrq-trigger irq bus fs acpi scsi; do
  [ -e root/proc/$p ] || continue
  mount --bind root/proc/$p root/proc/$p && mount -o remount,bind,ro,nosuid,nodev,noexec root/proc/$p || fail "cannot protect /proc/$p"
done
ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null
user=$SANDBOX_USER group=$SANDBOX_GROUP folder=$SANDBOX_FOLDER pretend=$SANDBOX_PRETEND
unset SANDBOX_USER SANDBOX_GROUP SANDBOX_FOLDER SANDBOX_PRETEND
setpriv=$(command -v setpriv) && unshare=$(command -v unshare) && perl=$(command -v perl || echo) || fail "setpriv is missing"
environment=$(cat <&5; echo .) || fail "cannot read the environment"
[ -z "$pretend" ] || pretend=$PWD/$pretend
cd root && mount -n --move . / || fail "cannot switch to the root of the image"
switch=""
[ "$user:$group" = 0:0 ] || switch="-S $user -G $group"
(
  exec 3<&- 5<&-
  umask 022
  unset PWD OLDPWD LC_ALL LIBMOUNT_FORCE_MOUNT2
  echo ready >&4
  eval "\${environment%.}"
  exec 4>&- "$setpriv" --bounding-set=-all,${capabilities.map((name) => `+${name}`).join(",")} \${pretend:+"$perl" "$pretend"} \\
    "$unshare" --root=. --wd="$folder" $switch "$@"
)
status=$?
kill "$watcher"
exit $status
' sh "$@"
`;
