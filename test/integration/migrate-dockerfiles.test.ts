import { existsSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { demo, dockerfiles, key, type Migrated, migrate, said, trouble, work, write } from "./migrated.ts";

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
        "taken Dockerfile:4 Spack v1.1.0, which builds packages that no cache has",
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
