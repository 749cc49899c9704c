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
  podman buildah skopeo umoci crun runc conmon golang-github-containers-common uidmap charliecloud-runtime   # images and containers
  mmdebstrap binutils patchelf file                                                    # what we compare with
  nginx-light gnupg pigz zstd xz-utils jq                                              # servers, keys, compression
  python3-venv
  git                                                                                  # histories
  slurm-wlm munge mpich libpmix-dev gcc libc6-dev                                      # clusters, MPI, a compiler
  squashfs-tools squashfs-tools-ng squashfuse siftool libseccomp2                       # SIF files
  qemu-user-static binutils-aarch64-linux-gnu                                           # other processors
  zsh fish mandoc man-db tmux                                                           # completions, manual, display
  chromium fonts-dejavu-core                                                            # pages of the catalogue
)
# A registry that does not answer costs minutes, not hours.
brief() { timeout -k 10 240 "$@"; }

brief apt-get update -qq || { echo "components: the package archive cannot be reached"; exit 0; }
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}\n' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
install_packages() { apt-get install -y -qq --no-install-recommends "$@" </dev/null >/dev/null 2>&1; }
# All at once, or, where one of them is not to be had, each by itself.
if [ ${#missing[@]} -gt 0 ] && ! install_packages "${missing[@]}"; then
  for package in "${missing[@]}"; do
    install_packages "$package" || echo "components: $package cannot be installed"
  done
fi

# An S3 server (moto) in an environment of its own, below the project and out of git.
if ! command -v moto_server >/dev/null && [ ! -x .scratch/python/bin/moto_server ]; then
  { python3 -m venv .scratch/python && brief .scratch/python/bin/pip install --quiet 'moto[server,s3]'; } >/dev/null 2>&1 ||
    echo "components: moto cannot be installed: the tests with an S3 server are skipped"
fi

# What makes a site of the documentation, in packages of its own.
# (Not by --prefix, with which npm does not read the machine's own configuration.)
(cd site && brief npm ci --ignore-scripts --no-audit --no-fund) >/dev/null 2>&1 ||
  echo "components: the generator of the documentation's site cannot be installed"

# The reference implementation of SPDX, in the same place, to read our bills of materials.
if ! command -v pyspdxtools >/dev/null && [ ! -x .scratch/python/bin/pyspdxtools ]; then
  { python3 -m venv .scratch/python && brief .scratch/python/bin/pip install --quiet spdx-tools; } >/dev/null 2>&1 ||
    echo "components: spdx-tools cannot be installed: the test with it is skipped"
fi

# The published JSON schema of SPDX 2.3 comes with the sources of syft, which are a Go module: fetched, not built.
if command -v go >/dev/null && [ ! -f .scratch/spdx-schema-2.3.json ]; then
  sources=$(brief go mod download -json github.com/anchore/syft@v1.57.1 2>/dev/null | sed -n 's/.*"Dir": "\(.*\)",*/\1/p')
  { mkdir -p .scratch && cat "$sources/schema/spdx-json/spdx-schema-2.3.json" >.scratch/spdx-schema.part &&
    mv .scratch/spdx-schema.part .scratch/spdx-schema-2.3.json; } 2>/dev/null ||
    echo "components: the schema of SPDX cannot be fetched: the test with it is skipped"
fi

# cosign and syft are used when they are on PATH, and not installed here: to build them takes many minutes.
#   go install github.com/sigstore/cosign/v3/cmd/cosign@latest     (v2 does as well)
#   go install github.com/anchore/syft/cmd/syft@latest
# Apptainer is not in Debian 12: that of a newer Debian, with the little it needs of a newer C library taken out, below the
# project and out of git. The machine's own package lists are left alone.
apptainer=.scratch/apptainer
install_apptainer() {
  local work mirror file
  work=$(mktemp -d) || return 1
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    sed -n 's/^URIs:[[:space:]]*\([^[:space:]]*\).*/\1/p; s/^deb[[:space:]]\+\(\[[^]]*\][[:space:]]*\)\?\([^[:space:]]*\).*/\2/p' |
    grep -m 1 -v security)
  mkdir -p "$work"/{etc,lists/partial,archives/partial,root}
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} sid main" >"$work/etc/sources.list"
  local apt=(apt-get -o "Dir::Etc::sourcelist=$work/etc/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=root)
  brief "${apt[@]}" update -qq && (cd "$work" && brief "${apt[@]}" download -qq apptainer) &&
    dpkg -x "$work"/apptainer_*.deb "$work/root" || { rm -rf "$work"; return 1; }
  for file in usr/bin/apptainer usr/lib/*/apptainer/bin/starter usr/lib/*/apptainer/lib/offsetpreload.so; do
    for file in "$work/root/"$file; do node scripts/lower-glibc.mjs "$file" || { rm -rf "$work"; return 1; }; done
  done
  # It finds its configuration and its session folder relative to itself.
  ln -sfn ../etc "$work/root/usr/etc"
  ln -sfn ../../etc "$work/root/usr/lib/etc"
  mkdir -p "$work/root"/usr/{lib/,}var/lib/apptainer/mnt/session
  # Root in a container that lacks a capability would otherwise be refused.
  sed -i 's/^root default capabilities = .*/root default capabilities = file/' "$work/root/etc/apptainer/apptainer.conf"
  case $("$work/root/usr/bin/apptainer" --version) in
    *' version 1.4.'*) ;;
    *) rm -rf "$work"; return 1 ;;
  esac
  rm -rf "$apptainer" && mkdir -p .scratch && mv "$work/root" "$apptainer"
  local moved=$?
  rm -rf "$work"
  return $moved
}
if ! command -v apptainer >/dev/null && [ ! -x $apptainer/usr/bin/apptainer ]; then
  install_apptainer >/dev/null 2>&1 || echo "components: Apptainer 1.4 cannot be installed: the tests with it are skipped"
fi

# Old Nodes, which the program has to refuse in words: what Ubuntu 20.04 and RHEL 8 (10), Ubuntu 22.04 (12) and Debian 12 and
# Ubuntu 24.04 (18) install. They come from the npm registry.
case $(uname -m) in aarch64) architecture=arm64 ;; *) architecture=x64 ;; esac
for version in 10.24.0 12.22.12 18.20.8; do
  folder=.scratch/node/$version
  [ -x "$folder/bin/node" ] && continue
  { mkdir -p "$folder" && file=$(brief npm pack --silent --pack-destination "$folder" "node-linux-$architecture@$version") &&
    tar -xzf "$folder/$file" -C "$folder" --strip-components=1 package/bin/node && rm "$folder/$file"; } >/dev/null 2>&1 ||
    echo "components: Node $version cannot be fetched: the test with it is skipped"
done

# Nodes that the published package has to work with: the oldest of each line that it supports, and the newest there is.
for version in 20.19.0 22.12.0 latest; do
  folder=.scratch/supported-node/$version
  [ -x "$folder/bin/node" ] && continue
  { mkdir -p "$folder" && file=$(brief npm pack --silent --pack-destination "$folder" "node-linux-$architecture@$version") &&
    tar -xzf "$folder/$file" -C "$folder" --strip-components=1 package/bin/node && rm "$folder/$file"; } >/dev/null 2>&1 ||
    echo "components: Node $version cannot be fetched: the test with it is skipped"
done

# What reads recipes of conda (the library of rattler-build), and what knows the form of GitHub actions.
if [ -x .scratch/python/bin/pip ] && ! .scratch/python/bin/python -c 'import rattler_build' 2>/dev/null; then
  brief .scratch/python/bin/pip install --quiet py-rattler-build >/dev/null 2>&1 ||
    echo "components: py-rattler-build cannot be installed: the test of the conda recipe is skipped"
fi
if [ ! -d .scratch/action-validator/node_modules/@action-validator/core ]; then
  { mkdir -p .scratch/action-validator &&
    brief npm install --silent --ignore-scripts --no-audit --no-fund --prefix .scratch/action-validator \
      @action-validator/core@0.6.0 @action-validator/cli@0.6.0; } >/dev/null 2>&1 ||
    echo "components: action-validator cannot be installed: the test of action.yml is skipped"
fi

# A second registry and a checker of images (go-containerregistry's crane), where there is Go.
if command -v go >/dev/null && ! command -v crane >/dev/null && [ ! -x .scratch/go/bin/crane ]; then
  GOBIN="$PWD/.scratch/go/bin" CGO_ENABLED=0 brief \
    go install github.com/google/go-containerregistry/cmd/crane@v0.22.1 >/dev/null 2>&1 ||
    echo "components: crane cannot be installed: the tests with a second registry are skipped"
fi

# Checkers of pipelines: actionlint for GitHub's workflows, where there is Go; GitLab's published schema, which comes with
# check-jsonschema: fetched, not installed.
if command -v go >/dev/null && ! command -v actionlint >/dev/null && [ ! -x .scratch/go/bin/actionlint ]; then
  GOBIN="$PWD/.scratch/go/bin" CGO_ENABLED=0 brief \
    go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 >/dev/null 2>&1 ||
    echo "components: actionlint cannot be installed: the tests with it are skipped"
fi
if [ ! -f .scratch/gitlab-ci-schema.json ]; then
  work=$(mktemp -d)
  { brief .scratch/python/bin/python -m pip download --quiet --no-deps --dest "$work" check-jsonschema==0.39.0 ||
    brief python3 -m pip download --quiet --no-deps --dest "$work" check-jsonschema==0.39.0; } >/dev/null 2>&1
  { python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read("check_jsonschema/builtin_schemas/vendor/gitlab-ci.json"))' \
    "$work"/check_jsonschema-*.whl >.scratch/gitlab-ci-schema.part && mv .scratch/gitlab-ci-schema.part .scratch/gitlab-ci-schema.json; } 2>/dev/null ||
    echo "components: the schema of GitLab's pipelines cannot be fetched: the test with it is skipped"
  rm -rf "$work" .scratch/gitlab-ci-schema.part
fi
exit 0
