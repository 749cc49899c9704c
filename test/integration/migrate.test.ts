import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble, demoRepository, makeWorkplace } from "../support/cli.ts";
import { writeOriginalRepository } from "../support/originalRepository.ts";

const work = makeWorkplace();
afterAll(() => work.remove());
const trouble = debianTrouble();
const demo = join(demoRepository, "demo/cache");
const key = join(demoRepository, "demo/cache.pub");

interface Migrated {
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
function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(work.path(folder, path)), { recursive: true });
    writeFileSync(work.path(folder, path), text);
  }
}

async function migrate(...args: readonly string[]): Promise<Migrated> {
  const ran = await work.run(["migrate", ...args, "--json"]);
  expect(ran.stderr).toBe("");
  expect(ran.status).toBe(0);
  return JSON.parse(ran.stdout.trim().split("\n").at(-1) ?? "") as Migrated;
}

/** `kind file:line message` of every finding, files relative to a folder. */
function said({ findings }: Migrated, folder: string): readonly string[] {
  return findings.map(
    ({ kind, message, place }) =>
      `${kind} ${(place.file ?? "").replace(`${work.path(folder)}/`, "")}:${place.line ?? ""} ${message}`,
  );
}

describe("migrate of a repository of the original's shape", () => {
  let result: Migrated;
  let lines: readonly string[];
  beforeAll(async () => {
    writeOriginalRepository(work.path("original"));
    result = await migrate("original");
    lines = said(result, "original");
  });

  it("adds a configuration, and leaves every file as it was", () => {
    expect(result.kind).toBe("repository");
    expect(result.created).toEqual(expect.arrayContaining(["spacktainers.yaml", "schema/spacktainers.json"]));
    expect(result.kept).toEqual(["README.md"]);
    expect(readFileSync(work.path("original/README.md"), "utf8")).toBe("# Ours\n");
    const configuration = readFileSync(work.path("original/spacktainers.yaml"), "utf8");
    expect(configuration).toContain("ubuntu: noble");
    expect(configuration).toContain("gdb");
    expect(configuration).toContain("ref: v0.23.1");
    expect(configuration).toContain("path: mine/repo-patches");
    expect(configuration).toContain("ghcr.io/my-org");
    expect(configuration).toContain("epilogue: { network: true }");
  });

  it("takes folders, flat files, definition files, epilogues and parked ones", () => {
    for (const line of [
      "taken container_definitions/amd64/tracer/spack.yaml:1 amd64/tracer: a folder",
      "taken container_definitions/amd64/flat-tools.yaml:1 amd64/flat-tools: a flat file",
      "taken container_definitions/amd64/storage.def:1 amd64/storage: a definition file of Apptainer",
      "taken container_definitions/amd64/solver/Dockerfile.epilogue:1 amd64/solver: its Dockerfile.epilogue",
    ])
      expect(lines).toContain(line);
    expect(lines.some((line) => line.includes("arm64/registry: a folder, parked"))).toBe(true);
  });

  it("says what is left to do, with file and line", () => {
    const todo = lines.filter((line) => line.startsWith("todo"));
    const workflow = ".github/workflows/application-containers.yml";
    expect(todo).toEqual(
      expect.arrayContaining([
        expect.stringContaining(
          `${workflow}:7 the matrix names solvr, which has no definition: did you mean`,
        ),
        expect.stringContaining(`${workflow}:11 the secret SPACK_DEPLOYMENT_KEY_PUB`),
        expect.stringContaining(`${workflow}:12 the secret SOMETHING_ELSE is not known`),
        expect.stringContaining(`${workflow}:10 s3://my-build-cache`),
        expect.stringMatching(/^todo container_definitions\/amd64\/broken\/spack\.yaml:3 expected a version/),
      ]),
    );
    expect(lines).toContainEqual(
      expect.stringContaining("changed builder/Dockerfile:14 the signing key is copied into a layer"),
    );
  });

  it("does the same in another folder, with the definitions", async () => {
    const copied = await migrate("original", "--into", "copied");
    expect(copied.created).toEqual(
      expect.arrayContaining(["spacktainers.yaml", "container_definitions/_arm64/registry/spack.yaml"]),
    );
    const listed = await work.run(["list", "-C", "copied"]);
    expect(listed.stdout).toContain("flat-tools");
  });

  it("says what the caches have of it", async () => {
    const built = await migrate("original", "--into", "with-cache", "--cache", demo, "--trust", key);
    const state = Object.fromEntries(built.containers.map(({ name, caches }) => [name, caches?.state]));
    expect(state).toMatchObject({
      tracer: "complete",
      solver: "complete",
      "flat-tools": "complete",
      broken: "incomplete",
    });
    expect(built.containers.find(({ name }) => name === "broken")).toMatchObject({ errors: 1 });
    expect(built.containers.find(({ name }) => name === "tracer")).toMatchObject({ errors: 0 });
  });

  it("does not say that a parked one is built", () => {
    const [line] = lines.filter((one) => one.includes("find all definitions"));
    expect(line).toMatch(/these too: broken, solver, storage;/);
  });

  it.skipIf(trouble !== undefined)(
    `gives containers that build, or name why not (${trouble ?? "Debian archive"})`,
    async () => {
      const source = work.path("on-debian");
      writeOriginalRepository(source);
      // Ubuntu's archive is not everywhere; a debugger is a large download.
      write("on-debian", {
        "runtime/Dockerfile": readFileSync(join(source, "runtime/Dockerfile"), "utf8")
          .replace("ubuntu:24.04", "debian:bookworm")
          .replace(" binutils gdb", ""),
        "container_definitions/amd64/solver/Dockerfile.epilogue":
          "RUN mpiexec --version > /etc/solver\nCOPY --chmod=755 scripts/start /usr/local/bin/\n",
        "container_definitions/amd64/solver/scripts/start": "#!/bin/sh\ncat /etc/solver\n",
      });
      await migrate("on-debian", "--into", "on-debian-out", "--cache", demo, "--trust", key);
      const build = (name: string): ReturnType<typeof work.run> =>
        work.run(["build", "-C", "on-debian-out", name, "--no-compile"]);
      for (const name of ["tracer", "flat-tools", "solver"]) {
        const built = await build(name);
        expect(built.status, built.stderr).toBe(0);
      }
      const started = await work.run(
        ["run", "-C", "on-debian-out", "--with", "namespace", "solver", "--", "start"],
        { cwd: work.directory },
      );
      expect(started.stdout, started.stderr).toContain("HYDRA");
      const broken = await build("broken");
      expect(broken.status).toBe(3);
      expect(broken.stderr).toMatch(/broken\/spack\.yaml:3:10 .*expected a version after @/);
      const parked = await build("registry");
      expect(parked.status).not.toBe(0);
      expect(parked.stderr).toMatch(/py-registry|parked/);
    },
  );
});

const manifests: Readonly<Record<string, string>> = {
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

describe("migrate of manifests for spack containerize", () => {
  const made = new Map<string, Migrated>();
  beforeAll(async () => {
    for (const [name, text] of Object.entries(manifests)) {
      write(name, { "spack.yaml": text });
      made.set(
        name,
        await migrate(`${name}/spack.yaml`, "--into", `${name}-out`, "--cache", demo, "--trust", key),
      );
    }
  });
  const of = (name: string): readonly string[] => {
    const result = made.get(name);
    return result === undefined ? [] : said(result, name);
  };
  const definition = (name: string, file = "spack.yaml"): string =>
    readFileSync(work.path(`${name}-out/container_definitions/amd64/${name}/${file}`), "utf8");

  it("takes the section out of the manifest, and nothing else", () => {
    expect(definition("packages")).toBe(
      "spack:\n  specs:\n  - ring\n  # the view stays\n  view: true\n  concretizer:\n    unify: true\n",
    );
    expect(definition("plain")).not.toContain("container");
  });

  it("says what became of every key, with its line", () => {
    expect(of("packages")).toEqual(
      expect.arrayContaining([
        "taken spack.yaml:8 the base is debian bookworm (12)",
        "todo spack.yaml:9 Spack releases/v0.21 is older than 0.23, and does not build here: set `spack: { ref: v1.1.0 }` in spacktainers.yaml where packages are missing in the caches",
        expect.stringMatching(
          /^changed spack\.yaml:11 OS packages of the build stage are not needed in the image: gfortran/,
        ),
        "taken spack.yaml:12 OS packages of the image: libgomp1",
        "taken spack.yaml:14 the label org.example.app",
        "changed spack.yaml:15 the label `Not-Lower` is `not-lower`",
        "taken spack.yaml:16 `strip: false`",
      ]),
    );
    expect(of("stages")).toContainEqual(
      expect.stringMatching(/^todo spack\.yaml:9 `extra_instructions: build`/),
    );
    expect(of("singularity")).toContainEqual(
      expect.stringMatching(/^todo spack\.yaml:8 `singularity: runscript`/),
    );
    expect(of("missing")).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^todo spack\.yaml:5 s3:\/\/lab-cache/),
        expect.stringMatching(/^changed spack\.yaml:8 `depfile`/),
        expect.stringMatching(/^todo spack\.yaml:9 a template/),
      ]),
    );
  });

  it("puts commands for the finished image into an epilogue", () => {
    expect(definition("stages", "Dockerfile.epilogue")).toBe(
      "RUN echo 'PS1=ring' >> /etc/profile.d/prompt.sh\n",
    );
    expect(definition("singularity", "Dockerfile.epilogue")).toBe(
      "RUN <<'EOF'\nset -e\necho done > /done\nEOF\n",
    );
  });

  it("names what no cache has", () => {
    const [container] = made.get("missing")?.containers ?? [];
    expect(container?.caches?.state).toBe("incomplete");
    expect(container?.caches?.problems?.[0]).toContain("nothing-has-this");
  });

  it("refuses to write over a definition", async () => {
    const again = await work.run(["migrate", "plain/spack.yaml", "--into", "plain-out"]);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("OUTPUT_EXISTS");
  });

  it.skipIf(trouble !== undefined)(
    `gives definitions that build (${trouble ?? "Debian archive"})`,
    async () => {
      for (const name of ["plain", "packages", "stages", "singularity"]) {
        const built = await work.run(["build", "-C", `${name}-out`, name, "--no-compile"]);
        expect(built.stderr).not.toContain("error");
        expect(built.status).toBe(0);
      }
      const label = await work.run([
        "run",
        "-C",
        "stages-out",
        "stages",
        "--",
        "cat",
        "/etc/profile.d/prompt.sh",
      ]);
      expect(label.stdout).toContain("PS1=ring");
    },
  );
});

const dockerfiles: Readonly<Record<string, Readonly<Record<string, string>>>> = {
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

describe("migrate of Dockerfiles that run Spack", () => {
  const made = new Map<string, Migrated>();
  beforeAll(async () => {
    for (const [name, files] of Object.entries(dockerfiles)) {
      write(name, files);
      made.set(name, await migrate(name, "--into", `${name}-out`, "--cache", demo, "--trust", key));
    }
  });
  const of = (name: string): readonly string[] => {
    const result = made.get(name);
    return result === undefined ? [] : said(result, name);
  };
  const definition = (name: string, file = "spack.yaml"): string =>
    readFileSync(work.path(`${name}-out/container_definitions/amd64/${name}/${file}`), "utf8");

  it("reads the environment that is written, copied, or named on command lines", () => {
    expect(definition("generated")).toBe("spack:\n  specs:\n  - ring\n  concretizer:\n    unify: true\n");
    expect(definition("env-file")).toBe('spack:\n  specs:\n  - "ring@1:"\n');
    const single = definition("single");
    expect(single).toMatch(/specs:\n\s+- ring\n\s+- mpich\n/);
    expect(single).toMatch(/all:\n\s+require: target=x86_64\n/);
  });

  it("says what it took, changed and left, with lines", () => {
    expect(of("single")).toEqual(
      expect.arrayContaining([
        "taken Dockerfile:1 the base is debian bookworm (12)",
        "taken Dockerfile:3 OS packages of the image: libgomp1",
        "taken Dockerfile:3 OS packages that building needs stay in the image, since RUN in line 10 builds something: build-essential, git, python3, curl",
        "taken Dockerfile:4 Spack v1.1.0, which builds what no cache has",
        expect.stringMatching(/^todo Dockerfile:6 https:\/\/cache\.example\.org\/lab/),
        expect.stringMatching(/^todo Dockerfile:6 `spack gpg trust`/),
        expect.stringMatching(/^changed Dockerfile:8 the compiler gcc@12 is left out/),
        "taken Dockerfile:8 the spec ring",
        expect.stringMatching(/^taken Dockerfile:10 RUN, in Dockerfile\.epilogue/),
        expect.stringMatching(/^taken Dockerfile:11 motd/),
      ]),
    );
    expect(of("env-file")).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^todo Dockerfile:1 Spack releases\/v0\.22 is older than 0\.23/),
        expect.stringMatching(/^todo Dockerfile:7 \/usr\/lib\/libodd\.so of another stage/),
        expect.stringMatching(/^changed Dockerfile:6 COPY --from of \/opt\/view/),
      ]),
    );
    expect(of("generated")).toContainEqual(expect.stringMatching(/^changed Dockerfile:28 ENTRYPOINT/));
  });

  it("leaves out, with the line, what cannot be done to the image", () => {
    const left = of("makes").filter((line) => line.startsWith("todo"));
    expect(left).toEqual([
      expect.stringMatching(
        /^todo Dockerfile:8 COPY is left out, since \. is not copied: it is the whole folder/,
      ),
      expect.stringMatching(
        /^todo Dockerfile:9 RUN is left out, since it works on \/all, which line 8 does not/,
      ),
      expect.stringMatching(/^todo Dockerfile:10 HEALTHCHECK is left out/),
    ]);
  });

  it("keeps what is done to the image itself", () => {
    expect(definition("generated", "Dockerfile.epilogue")).toBe('LABEL "app"="ring"\n');
    expect(definition("env-file", "Dockerfile.epilogue")).toBe("RUN <<EOF\necho copied > /etc/origin\nEOF\n");
    expect(definition("single", "Dockerfile.epilogue")).toBe(
      'RUN make -C /src install\nCOPY motd /etc/motd\nENV GREETING=hello\nWORKDIR /work\nCMD ["ring"]\n',
    );
    expect(definition("single", "motd")).toBe("welcome\n");
  });

  it("refuses a Dockerfile in which nothing runs Spack, and a folder without anything", async () => {
    write("none", { Dockerfile: "FROM debian\nRUN echo spack\n" });
    const none = await work.run(["migrate", "none/Dockerfile", "--into", "none-out"]);
    expect(none.status).toBe(3);
    expect(none.stderr).toContain("nothing in this Dockerfile runs Spack");
    expect(existsSync(work.path("none-out"))).toBe(false);
    write("empty", { "notes.txt": "" });
    expect((await work.run(["migrate", "empty"])).status).toBe(2);
  });

  it.skipIf(trouble !== undefined)(
    `gives definitions that build (${trouble ?? "Debian archive"})`,
    async () => {
      for (const name of ["generated", "env-file", "makes"]) {
        const built = await work.run(["build", "-C", `${name}-out`, name, "--no-compile"]);
        expect(built.stderr).not.toContain("error");
        expect(built.status).toBe(0);
      }
      const origin = await work.run(["run", "-C", "env-file-out", "env-file", "--", "cat", "/etc/origin"]);
      expect(origin.stdout).toBe("copied\n");
      const done = await work.run(["run", "-C", "makes-out", "--with", "namespace", "makes"]);
      expect(done.stdout, done.stderr).toBe("was made\n");
    },
  );
});
