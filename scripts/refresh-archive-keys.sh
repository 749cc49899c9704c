#!/bin/sh
# Writes the keys of an archive into a file of src/base/debian/data: those whose fingerprints its comment lists.
#
#   apt-get download debian-archive-keyring && dpkg -x debian-archive-keyring_*.deb keys
#   scripts/refresh-archive-keys.sh debianArchiveKeys keys/usr/share/keyrings/debian-archive-keyring.gpg
#
# For ubuntuArchiveKeys: Debian's package ubuntu-keyring. When keys come or go, change the list in the comment first.
set -eu
[ $# -eq 2 ] || { echo "usage: scripts/refresh-archive-keys.sh debianArchiveKeys|ubuntuArchiveKeys KEYRING" >&2; exit 2; }
file=$(dirname "$0")/../src/base/debian/data/$1.ts
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
gpg --quiet --import "$2"
fingerprints=$(sed -n 's/^ \* - \([0-9A-F]\{40\}\) .*/\1/p' "$file")
# shellcheck disable=SC2086 # a list of words
gpg --quiet --export-options export-minimal --armor --export $fingerprints >"$GNUPGHOME/keys"
sed '/^export const /,$d' "$file" >"$GNUPGHOME/file"
printf 'export const %s = `%s\n`;\n' "$1" "$(cat "$GNUPGHOME/keys")" >>"$GNUPGHOME/file"
cp "$GNUPGHOME/file" "$file"
