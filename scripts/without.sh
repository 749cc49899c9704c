#!/usr/bin/env bash
# Runs a command on this machine as if programs were not installed: `scripts/without.sh podman,apptainer npx vitest run …`. They are
# hidden in a mount namespace of the command's own, wherever the search path, sbin and .scratch have them. What starts with a slash is
# one file or folder (a library, a header). Needs root; WITHOUT_USER=name runs the command as an ordinary user.
set -euo pipefail
if [ $# -lt 2 ]; then
  echo "usage: $0 PROGRAM[,PROGRAM…] COMMAND [ARGUMENT…]" >&2
  exit 2
fi
if [ "${WITHOUT_INSIDE:-}" != 1 ]; then
  exec env WITHOUT_INSIDE=1 unshare --mount --propagation private "$0" "$@"
fi
names=${1//,/ }
shift
root=$(cd "$(dirname "$0")/.." && pwd -P)
layers=$(mktemp -d)
mount -t tmpfs without "$layers"
number=0
folders=$(for folder in ${PATH//:/ } /usr/local/sbin /usr/sbin /usr/bin /sbin /bin "$root"/.scratch/*/bin "$root"/.scratch/*/usr/bin; do
  [ -d "$folder" ] && readlink -f "$folder"
done; for name in $names; do
  case $name in /*) readlink -f "$(dirname "$name")" ;; esac
done)
folders=$(sort -u <<<"$folders")
for folder in $folders; do
  hidden=()
  for name in $names; do
    case $name in
    /*)
      [ "$(readlink -f "$(dirname "$name")")" = "$folder" ] || continue
      name=${name##*/}
      ;;
    esac
    if [ -e "$folder/$name" ] || [ -L "$folder/$name" ]; then hidden+=("$name"); fi
  done
  [ ${#hidden[@]} -gt 0 ] || continue
  number=$((number + 1))
  mkdir -p "$layers/$number/upper" "$layers/$number/work"
  # To an overlay, a device with these numbers stands for a file that was removed.
  for name in "${hidden[@]}"; do mknod "$layers/$number/upper/$name" c 0 0; done
  mount -t overlay -o "lowerdir=$folder,upperdir=$layers/$number/upper,workdir=$layers/$number/work" without "$folder"
  echo "without ${hidden[*]} in $folder" >&2
done
unset WITHOUT_INSIDE
if [ -n "${WITHOUT_USER:-}" ]; then
  exec setpriv --reuid="$WITHOUT_USER" --regid="$(id -g "$WITHOUT_USER")" --init-groups "$@"
fi
exec "$@"
