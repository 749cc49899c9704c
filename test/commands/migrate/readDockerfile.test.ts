import { describe, expect, it } from "vitest";
import { findingList } from "../../../src/commands/migrate/migration.ts";
import { readDockerfile } from "../../../src/commands/migrate/readDockerfile.ts";

/** What a Dockerfile becomes, as text. */
function read(text: string, missing: Readonly<Record<string, string>> = {}) {
  const list = findingList();
  const reading = readDockerfile(text, "Dockerfile", list);
  const { settings, epilogue } = reading.settle(new Map(Object.entries(missing)));
  return {
    ...reading,
    ...settings,
    epilogue: epilogue.join("\n"),
    said: list.findings.map(({ kind, message, place }) => `${kind} ${place.line}:${place.column} ${message}`),
  };
}

const spack = `FROM debian:bookworm
RUN apt-get update && apt-get install -y build-essential git libgomp1
RUN git clone --branch v1.1.0 https://github.com/spack/spack.git /opt/spack
RUN /opt/spack/bin/spack install ring
`;

describe("commands after Spack is done", () => {
  it("keep the OS packages that they build with", () => {
    const { epilogue, osPackages, said } = read(`${spack}COPY src /src\nRUN make -C /src install\n`);
    expect(epilogue).toBe("COPY src /src\nRUN make -C /src install");
    expect(osPackages).toEqual(["libgomp1", "build-essential", "git"]);
    expect(said).toContain(
      "taken 2:23 OS packages that building needs stay in the image, since RUN in line 6 builds something: build-essential, git",
    );
  });

  it("keep of those packages only what they call, when they build nothing", () => {
    const { osPackages, said } = read(`${spack}RUN sh -c 'git config --system x.y "$(hostname)"'\n`);
    expect(osPackages).toEqual(["libgomp1", "git"]);
    expect(said).toContain("changed 2:23 OS packages that only building needs are left out: build-essential");
    expect(read(`${spack}RUN echo done > /done\n`).osPackages).toEqual(["libgomp1"]);
  });

  it("find the programs that the image had, and a base of packages has not", () => {
    const { osPackages, said } = read(`${spack}RUN useradd -m me && tar -cf /x.tar /etc\n`);
    expect(osPackages).toEqual(["libgomp1", "passwd", "tar"]);
    expect(said).toContain(
      "taken 5:1 the OS package passwd, for useradd: the image has it, and a base of packages has not",
    );
    // Spack's own images can build.
    const own = read("FROM spack/ubuntu-noble:1.0\nRUN spack install ring\nRUN gcc --version && g++ -v\n");
    expect(own.osPackages).toEqual(["gcc", "g++"]);
    const other = read("FROM spack/rockylinux9:1.0\nRUN spack install ring\nRUN make -C /src\n");
    expect(other.said).toContainEqual(expect.stringMatching(/^todo 3:1 make was in the image of Spack's/));
  });

  it("are left out, with their line, where what they work on is not there", () => {
    const more =
      "COPY . /src\nRUN cd /src && make\nWORKDIR /src\nRUN ./configure\nRUN useradd me\nRUN ls /srcs\n";
    const { epilogue, said, osPackages } = read(`${spack}${more}`, { ".": "it is the whole folder" });
    expect(epilogue.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
      "WORKDIR /src",
      "RUN useradd me",
      "RUN ls /srcs",
    ]);
    expect(epilogue).toContain("# RUN cd /src && make\n");
    expect(said).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^todo 5:1 COPY is left out, since \. is not copied: it is the whole folder/),
        expect.stringMatching(
          /^todo 6:1 RUN is left out, since it works on \/src, which line 5 does not fill/,
        ),
        expect.stringMatching(/^todo 8:1 RUN is left out/),
      ]),
    );
    expect(osPackages).not.toContain("build-essential");
  });

  it("are left out where files of another stage, or of the build, are missing", () => {
    const staged = read(
      "FROM debian:12 AS b\nRUN spack install ring\nFROM debian:12\nCOPY --from=b /app/run /usr/bin/run\nRUN /usr/bin/run --init\nRUN /usr/bin/running\n",
    );
    expect(staged.epilogue.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
      "RUN /usr/bin/running",
    ]);
    const before = read(
      "FROM debian:12\nCOPY app /app\nCOPY spack.yaml /env/\nRUN spack -e /env install\nRUN make -C /app\n",
    );
    expect(before.said).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^todo 2:1 app is not in the image, since it came before Spack was done/),
        expect.stringMatching(/^todo 5:1 RUN is left out, since it works on \/app, which line 2/),
      ]),
    );
    expect(before.said.some((line) => line.includes("spack.yaml is not in the image"))).toBe(false);
  });

  it("are left out, with the reason, where an epilogue cannot have them", () => {
    const { epilogue, said } = read(
      `${spack}HEALTHCHECK CMD curl -f http://localhost/\nRUN --mount=type=secret,id=x cat /run/secrets/x\nEXPOSE 80\n`,
    );
    expect(epilogue.split("\n").filter((line) => !line.startsWith("#"))).toEqual(["EXPOSE 80"]);
    expect(said).toContainEqual(expect.stringMatching(/^todo 5:1 HEALTHCHECK is left out/));
    expect(said).toContainEqual(expect.stringMatching(/^todo 6:1 RUN is left out/));
  });
});

describe("a Dockerfile", () => {
  it("does not lose what stands in one line with Spack", () => {
    const { said } = read(
      `${spack}RUN . /opt/spack/share/spack/setup-env.sh && spack load ring && make -C /x && echo ok > /ok\nRUN spack install zlib && cp a /usr/bin && echo PS1=x > /etc/motd\n`,
    );
    for (const line of [
      /^todo 5:\d+ this command is left out: make -C \/x/,
      /^todo 6:\d+ this command is left out: cp a \/usr\/bin/,
      /^todo 6:\d+ \/etc\/motd is written while Spack builds/,
    ])
      expect(said).toContainEqual(expect.stringMatching(line));
    const { said: after } = read(`${spack}RUN spack load ring && which ring && echo ok > /ok\n`);
    expect(after).toContainEqual(expect.stringMatching(/^todo 5:\d+ this command is left out: echo ok/));
  });

  it("keeps variables beside those of Spack, the folder, the shell, and arguments that are used", () => {
    const { epilogue } = read(
      `FROM debian:12\nARG TOOL=ring\nARG UNUSED=1\nSHELL ["/bin/bash", "-c"]\nENV SPACK_ROOT=/opt/spack LANG=C.UTF-8 NOTE="a \\"b\\""\nWORKDIR /work\nRUN spack install $TOOL\nRUN echo $TOOL > name\n`,
    );
    expect(epilogue).toBe(
      'ARG TOOL=ring\nSHELL ["/bin/bash", "-c"]\nENV LANG=C.UTF-8\nENV NOTE="a \\"b\\""\nWORKDIR /work\nRUN echo $TOOL > name',
    );
  });

  it("is its last stage with all that this one continues", () => {
    const { epilogue, base, osPackages, specs, said } = read(
      "FROM debian:12 AS base\nRUN apt-get install -y libgomp1\nENV A=1\nFROM base AS build\nRUN spack install ring\nFROM base\nCOPY --from=build /opt/spack/opt /opt/spack/opt\nRUN echo $A > /a\n",
    );
    expect(epilogue).toBe("ENV A=1\nRUN echo $A > /a");
    expect(base).toMatchObject({ kind: "debian", value: "bookworm" });
    expect(osPackages).toEqual(["libgomp1"]);
    expect(specs).toEqual(["ring"]);
    expect(said).toContainEqual(expect.stringContaining("(it was on debian bookworm (12))"));
  });

  it("does not carry Spack into the image with the stage that has it", () => {
    const { epilogue, said } = read(
      "FROM debian:12 AS base\nRUN apt-get install -y curl && curl -L https://github.com/spack/spack/releases/download/v1.0.1/spack-1.0.1.tar.gz | tar xz -C /opt && mv /opt/spack-1.0.1 /opt/spack\nRUN spack compiler find\nFROM base AS build\nCOPY packages.yaml /root/.spack/\nRUN spack install ring && spack gc -y\nFROM base\nRUN spack clean -a\n",
    );
    expect(epilogue).toBe("");
    expect(said).toContainEqual(expect.stringMatching(/^taken 2:\d+ Spack v1\.0\.1, which builds/));
    expect(said).toContainEqual(expect.stringMatching(/^todo 5:1 packages\.yaml has settings of Spack/));
    expect(said.filter((line) => line.startsWith("todo"))).toHaveLength(1);
  });

  it("reads the list form of COPY", () => {
    const { copies, epilogue } = read(`${spack}COPY ["a b", "c", "/d/"]\n`);
    expect(copies.map(({ path }) => path)).toEqual(["a b", "c"]);
    expect(epilogue).toBe('COPY ["a b", "c", "/d/"]');
  });
});
