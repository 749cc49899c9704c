import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { demo, key, type Migrated, manifests, migrate, said, trouble, work, write } from "./migrated.ts";

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
        expect.stringMatching(/^todo spack\.yaml:9 custom templates/),
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
