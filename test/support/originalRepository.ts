import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const files: Readonly<Record<string, string>> = {
  "builder/Dockerfile": `ARG BASE_IMAGE=ubuntu:24.04
FROM $BASE_IMAGE
ARG CACHE_BUCKET
ARG SPACK_BRANCH=v0.23.1
ARG REPOS_BRANCH=develop
RUN apt-get update \\
 && apt-get install --yes build-essential curl gcc-12 git python3
RUN mkdir -p /opt/spack && cd /opt/spack && git init \\
 && git remote add origin https://git.example.org/spack/spack.git \\
 && git fetch --depth=1 origin \${SPACK_BRANCH} && git reset --hard FETCH_HEAD
RUN git clone --branch \${REPOS_BRANCH} https://git.example.org/my-org/recipes.git /opt/spack-repos \\
 && spack repo add --scope=site /opt/spack-repos/mine/repo-patches \\
 && spack repo add --scope=site /opt/spack-repos/mine/repo-main
ONBUILD COPY key spack_key
ONBUILD COPY spack.yaml /opt/spack-environment/
`,
  "runtime/Dockerfile": `ARG BASE_IMAGE=ubuntu:24.04
FROM $BASE_IMAGE
RUN apt-get -yqq update \\
 && apt-get -yqq install libatomic1 libgfortran5 libgomp1 binutils gdb \\
 && rm -rf /var/lib/apt/lists/*
ONBUILD COPY --from=builder /opt/software /opt/software
`,
  "container_definitions/amd64/tracer/spack.yaml": "spack:\n  specs:\n  - ring\n",
  "container_definitions/amd64/solver/spack.yaml": "spack:\n  specs:\n  - mpich\n",
  "container_definitions/amd64/solver/Dockerfile.epilogue":
    "RUN apt-get update && apt-get install --yes gcc g++ make\n",
  "container_definitions/amd64/flat-tools.yaml": "spack:\n  specs:\n  - ring\n",
  "container_definitions/amd64/broken/spack.yaml": "spack:\n  specs:\n  - ring@@1\n",
  "container_definitions/amd64/storage.def":
    'Bootstrap: docker\nFrom: example/storage:latest\n\n%startscript\n  exec /opt/bin/storage "$@"\n',
  "container_definitions/_arm64/registry/spack.yaml": "spack:\n  specs:\n  - py-registry\n",
  ".github/workflows/application-containers.yml": `name: application containers
on: [pull_request]
jobs:
  build:
    strategy:
      matrix:
        container: ["tracer", "solvr", "flat-tools"]
    env:
      AWS_ACCESS_KEY_ID: \${{ secrets.AWS_CACHE_ACCESS_KEY_ID }}
      CACHE_BUCKET: s3://my-build-cache
      KEY: \${{ secrets.SPACK_DEPLOYMENT_KEY_PUB }}
      ODD: \${{ secrets.SOMETHING_ELSE }}
    steps:
      - run: podman push ghcr.io/My-Org/spack-\${{ matrix.container }}:latest
`,
  "README.md": "# Ours\n",
};

/** Writes a repository of the original's shape: folders, flat files, an epilogue, a definition file, a parked folder, workflows. */
export function writeOriginalRepository(folder: string): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
