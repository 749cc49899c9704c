#!/usr/bin/env bash
# Installs the Debian packages that integration tests use when they are present. Needs root; otherwise says so and leaves.
# The program itself needs none of them.
set -u
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "components: not root on a Debian-like system: integration tests use what is installed already"
  exit 0
fi
cd "$(dirname "$0")/.." || exit 1
export DEBIAN_FRONTEND=noninteractive
packages=(
  docker-registry apache2-utils openssl                                                # registries
  podman buildah skopeo umoci crun runc conmon golang-github-containers-common uidmap   # images and containers
  mmdebstrap binutils patchelf file                                                    # what we compare with
  nginx-light gnupg pigz zstd xz-utils jq                                              # servers, keys, compression
  python3-venv
)
apt-get update -qq || { echo "components: the package archive cannot be reached"; exit 0; }
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'install ok installed' && continue
  apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 || echo "components: $package cannot be installed"
done

# An S3 server (moto) in an environment of its own, below the project and out of git.
if ! command -v moto_server >/dev/null && [ ! -x .scratch/python/bin/moto_server ]; then
  { python3 -m venv .scratch/python && .scratch/python/bin/pip install --quiet 'moto[server,s3]'; } >/dev/null 2>&1 ||
    echo "components: moto cannot be installed: the tests with an S3 server are skipped"
fi

# A second registry and a checker of images (go-containerregistry's crane), where there is Go.
if command -v go >/dev/null && ! command -v crane >/dev/null && [ ! -x .scratch/go/bin/crane ]; then
  GOBIN="$PWD/.scratch/go/bin" CGO_ENABLED=0 timeout 240 \
    go install github.com/google/go-containerregistry/cmd/crane@v0.22.1 >/dev/null 2>&1 ||
    echo "components: crane cannot be installed: the tests with a second registry are skipped"
fi
exit 0
