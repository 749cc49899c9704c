import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, expect } from "vitest";
import { debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";

export const work = makeWorkplace();

afterAll(() => work.remove());

export const trouble = debianTrouble();

export const demo = join(demoRepository, "demo/cache");

export const key = join(demoRepository, "demo/cache.pub");

export interface Migrated {
  readonly kind: string;
  readonly created: readonly string[];
  readonly kept: readonly string[];
  readonly containers: readonly {
    readonly name: string;
    readonly arch: string;
    readonly caches?: { readonly state: string; readonly problems?: readonly string[] };
  }[];
  readonly findings: readonly {
    readonly kind: "taken" | "changed" | "todo";
    readonly message: string;
    readonly place: { readonly file?: string; readonly line?: number; readonly column?: number };
  }[];
}

/** Writes files below a folder of the workplace. */
export function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(work.path(folder, path)), { recursive: true });
    writeFileSync(work.path(folder, path), text);
  }
}

export async function migrate(...args: readonly string[]): Promise<Migrated> {
  const ran = await work.run(["migrate", ...args, "--json"]);
  expect(ran.stderr).toBe("");
  expect(ran.status).toBe(0);
  return JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "") as Migrated;
}

/** `kind file:line message` of every finding, files relative to a folder. */
export function said({ findings }: Migrated, folder: string): readonly string[] {
  return findings.map(
    ({ kind, message, place }) =>
      `${kind} ${(place.file ?? "").replace(`${work.path(folder)}/`, "")}:${place.line ?? ""} ${message}`,
  );
}

export const manifests: Readonly<Record<string, string>> = {
  plain: `spack:
  specs: [ring, mpich]
  container:
    format: docker
    images: {os: "debian:12", spack: v1.1.0}
`,
  packages: `spack:
  specs:
  - ring
  # the view stays
  view: true
  container:
    images:
      os: "debian:bookworm"
      spack: "0.21"
    os_packages:
      build: [gfortran]
      final: [libgomp1]
    labels:
      org.example.app: ring
      Not-Lower: x
    strip: false
  concretizer:
    unify: true
`,
  stages: `spack:
  specs:
  - mpich
  container:
    images:
      build: spack/ubuntu-jammy:v1.1.0
      final: debian:12-slim
    extra_instructions:
      build: |
        RUN echo built
      final: |
        RUN echo 'PS1=ring' >> /etc/profile.d/prompt.sh
`,
  singularity: `spack:
  specs:
  - ring
  container:
    format: singularity
    images: {os: "debian:12", spack: latest}
    singularity:
      runscript: ring
    extra_instructions:
      final: |
        echo done > /done
`,
  missing: `spack:
  specs:
  - nothing-has-this
  mirrors:
    lab: s3://lab-cache
  container:
    images: {os: "debian:12", spack: develop}
    depfile: true
    template: mine.dockerfile
`,
};

export const dockerfiles: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // What `spack containerize` writes.
  generated: {
    Dockerfile: `FROM spack/ubuntu-jammy:develop AS builder

RUN mkdir -p /opt/spack-environment && \\
set -o noclobber \\
&&  (echo spack: \\
&&   echo '  specs:' \\
&&   echo '  - ring' \\
&&   echo '  concretizer:' \\
&&   echo '    unify: true') > /opt/spack-environment/spack.yaml

# Install the software
RUN cd /opt/spack-environment && spack env activate . && spack install --fail-fast && spack gc -y
RUN cd /opt/spack-environment && \\
    spack env activate --sh -d . > activate.sh

FROM debian:12
COPY --from=builder /opt/spack-environment /opt/spack-environment
COPY --from=builder /opt/software /opt/software
COPY --from=builder /opt/views /opt/views
RUN { \\
      echo '#!/bin/sh' \\
      && echo '.' /opt/spack-environment/activate.sh \\
      && echo 'exec "$@"'; \\
    } > /entrypoint.sh \\
&& chmod a+x /entrypoint.sh
RUN apt-get -yqq update && apt-get -yqq install libgomp1 && rm -rf /var/lib/apt/lists/*
LABEL "app"="ring"
ENTRYPOINT [ "/entrypoint.sh" ]
CMD [ "/bin/bash" ]
`,
  },
  // One stage, Spack from git, specs on the command line.
  single: {
    Dockerfile: `FROM debian:bookworm
ARG SPACK_VERSION=v1.1.0
RUN apt-get update && apt-get install -y build-essential git python3 curl libgomp1
RUN git clone --depth=2 --branch $SPACK_VERSION https://github.com/spack/spack.git /opt/spack
ENV PATH=/opt/spack/bin:$PATH
RUN spack mirror add lab https://cache.example.org/lab && spack gpg trust /tmp/lab.pub
RUN spack config add "packages:all:require:target=x86_64" \\
 && spack install --no-check-signature gcc@12 && spack install -j 4 ring \\
    mpich
RUN make -C /src install
COPY motd /etc/motd
ENV GREETING=hello
WORKDIR /work
CMD ["ring"]
`,
    motd: "welcome\n",
  },
  // After Spack it makes something of its own, with a tool that it installed before.
  makes: {
    Dockerfile: `FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y make libgomp1
RUN git clone --depth=1 https://github.com/spack/spack.git /opt/spack
RUN . /opt/spack/share/spack/setup-env.sh && spack install ring
WORKDIR /work
COPY src ./src
RUN make -C src install
COPY . /all
RUN make -C /all
HEALTHCHECK CMD ring
CMD ["made"]
`,
    "src/Makefile": "install:\n\tinstall -m 755 made.sh /usr/local/bin/made\n",
    "src/made.sh": "#!/bin/sh\necho was made\n",
  },
  // The manifest is copied from the build context.
  "env-file": {
    Dockerfile: `FROM spack/rockylinux9:0.22 AS build
WORKDIR /env
COPY spack.yaml ./
RUN --mount=type=cache,target=/cache spack -e . concretize && spack -e . install
FROM debian:12-slim
COPY --from=build /opt/view /opt/view
COPY --from=build /usr/lib/libodd.so /usr/lib/
RUN <<EOF
echo copied > /etc/origin
EOF
`,
    "spack.yaml": 'spack:\n  specs:\n  - "ring@1:"\n',
  },
};
