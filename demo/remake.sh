#!/bin/bash
# Makes the demo's build cache again, with a Spack 1.1 that you have: see docs/demo.md.
#
# usage: demo/remake.sh SPACK MPICH_SOURCE [OUT]
#   SPACK         a checkout of Spack 1.1
#   MPICH_SOURCE  mpich_4.0.2.orig.tar.xz, from Debian 12's source package mpich
#   OUT           where the new cache and its key go; default: demo/cache and demo/cache.pub, which are replaced
# environment:
#   WORK              scratch folder; also holds the install tree, so a short path (default: a new one in /tmp)
#   SPACK_PACKAGES    a checkout of the spack-packages repository, so that Spack need not fetch it
#   SPACK_GNUPGHOME   a GnuPG home with the secret key to sign with (default: a new key, made in WORK)
#   ADD               not empty: what is there stays, and the packages of this machine's architecture are added to it
#   SPACK_PYTHON      the Python that runs Spack; one with the module clingo saves Spack its bootstrap
set -euo pipefail

demo=$(cd "$(dirname "$0")" && pwd)
spack_root=${1:?usage: remake.sh SPACK MPICH_SOURCE [OUT]}
source=$(realpath "${2:?usage: remake.sh SPACK MPICH_SOURCE [OUT]}")
out=$(realpath -m "${3:-$demo}")
work=${WORK:-$(mktemp -d)}
mkdir -p "$work/config" "$work/sources"
spack() { "$spack_root/bin/spack" -C "$work/config" "$@"; }

# Nothing of this user's own Spack set-up takes part.
export SPACK_DISABLE_LOCAL_CONFIG=1 SPACK_USER_CACHE_PATH="$work/cache"
export SPACK_GNUPGHOME=${SPACK_GNUPGHOME:-$work/gnupg}
case $("$spack_root/bin/spack" --version) in
  1.1.*) ;;
  *) echo "remake.sh: $spack_root is not Spack 1.1" >&2; exit 1 ;;
esac

# The recipes name their sources by checksum; MPICH's is found in a local source mirror.
sum=$(sha256sum "$demo/ring/ring.c" | cut -d' ' -f1)
grep -q "$sum" "$demo/recipes/spack_repo/spacktainers_demo/packages/ring/package.py" || {
  echo "remake.sh: ring.c has changed: give its recipe a new version with sha256 $sum" >&2; exit 1; }
sum=$(sha256sum "$source" | cut -d' ' -f1)
mkdir -p "$work/sources/_source-cache/archive/${sum:0:2}"
ln -sf "$source" "$work/sources/_source-cache/archive/${sum:0:2}/$sum.tar.xz"

cat >"$work/config/config.yaml" <<EOF
config:
  install_tree: { root: $work/tree, padded_length: 128 }
  build_stage: [$work/stage]
  source_cache: $work/cache/sources
  build_jobs: $(nproc)
EOF
cat >"$work/config/mirrors.yaml" <<EOF
mirrors:: { sources: { url: "file://$work/sources", binary: false } }
EOF
cat >"$work/config/concretizer.yaml" <<EOF
concretizer: { reuse: false, targets: { granularity: generic } }
EOF
cat >"$work/config/repos.yaml" <<EOF
repos:
  spacktainers_demo: $demo/recipes/spack_repo/spacktainers_demo
${SPACK_PACKAGES:+  builtin: $SPACK_PACKAGES/repos/spack_repo/builtin}
EOF
# The compiler and make of this machine; code that runs on any processor of the architecture.
gcc=$(command -v gcc) && make=$(command -v make)
cat >"$work/config/packages.yaml" <<EOF
packages:
  all: { require: ["target=$(uname -m)"] }
  c: { require: [gcc] }
  mpi: { require: [mpich] }
  gcc:
    buildable: false
    externals:
    - spec: gcc@$(gcc -dumpfullversion) languages=c
      prefix: $(dirname "$(dirname "$gcc")")
      extra_attributes: { compilers: { c: $gcc } }
  gmake:
    buildable: false
    externals: [{ spec: "gmake@$(make --version | sed -n 's/^GNU Make //p')", prefix: "$(dirname "$(dirname "$make")")" }]
EOF

if [ ! -d "$SPACK_GNUPGHOME" ]; then
  spack gpg create --expires 0 --comment "signs only the demo's build cache" "Spacktainers demo" demo@spacktainers.invalid
fi
spack install ring
# Recipes, logs and environments of the build stay out of the archives: an image has no use for them.
spack find --format '{prefix}' | while read -r prefix; do
  case $prefix in "$work"/*) ;; *) continue ;; esac # not a package of ours but the machine's
  find "$prefix/.spack" -mindepth 1 -maxdepth 1 ! -name spec.json -exec rm -rf {} +
done
rm -rf "$work/out"
if [ -n "${ADD:-}" ]; then
  cp -r "$out/cache" "$work/out"
  spack gpg trust "$out/cache.pub"
fi
spack buildcache push --without-build-dependencies --update-index "$work/out" ring
spack buildcache update-index --keys "$work/out"
# What an index that was replaced had is named by nothing now.
find "$work/out/blobs" -type f | while read -r blob; do
  grep -rqF "$(basename "$blob")" "$work/out/v3" || rm "$blob"
done
find "$work/out/blobs" -type d -empty -delete
spack gpg export "$work/cache.pub"
if [ -n "${ADD:-}" ] && ! grep -qFf <(sed -n 4p "$work/cache.pub") "$out/cache.pub"; then
  { cat "$out/cache.pub"; echo; cat "$work/cache.pub"; } >"$work/both.pub"
  mv "$work/both.pub" "$work/cache.pub"
fi
rm -rf "$out/cache"
mkdir -p "$out"
cp -r "$work/out" "$out/cache"
cp "$work/cache.pub" "$out/cache.pub"
du -sh "$out/cache"
