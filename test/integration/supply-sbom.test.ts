/** Bills of materials from the command line, and as other programs read them. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Ajv } from "ajv";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cycloneDxDocument } from "../../src/supply/cycloneDx.ts";
import { type SpdxDocument, spdxDocument } from "../../src/supply/spdx.ts";
import { cycloneDxProblems } from "../supply/cycloneDxSchema.ts";
import { sampleFacts } from "../supply/sampleDescription.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { scratchPython } from "../support/scratchPython.ts";

const projectRoot = resolve(import.meta.dirname, "../..");

describe("sbom", () => {
  const work: Workplace = makeWorkplace("");
  const layout = work.path("dist/amd64/hello-mpi");
  const sbom = async (...args: string[]): Promise<unknown> => {
    const result = await work.run(["sbom", ...args]);
    expect(result.status, result.stderr).toBe(0);
    return JSON.parse(result.stdout);
  };
  const names = (document: unknown) => (document as SpdxDocument).packages.map(({ name }) => name).sort();

  beforeAll(async () => {
    makeDemoRepository(work);
    writeFileSync(
      work.path("facts.json"),
      JSON.stringify({
        _meta: { "file-type": "spacktainers-recipe-facts", version: 1, spack: "1.1.0" },
        packages: {},
        licenses: {
          ring: [{ license: "Apache-2.0" }, { when: "@99:", license: "MIT" }],
          mpich: [{ license: "as the file says" }],
        },
      }),
    );
    const configuration = readFileSync(work.path("spacktainers.yaml"), "utf8");
    writeFileSync(
      work.path("spacktainers.yaml"),
      `${configuration}spack: {facts: facts.json}\nimage: {vendor: Example Institute, description: "{name} in version {version}", labels: {org.example.group: blue}}\n`,
    );
  });
  afterAll(() => work.remove());

  it("of a container that is not built says what a build would put into it", async () => {
    const document = (await sbom("hello-mpi")) as SpdxDocument;
    expect(names(document)).toEqual(["gcc-runtime", "glibc", "hello-mpi", "mpich", "ring"]);
    expect(document.packages[0]?.checksums).toBeUndefined();
    expect(readdirSync(work.directory)).not.toContain("dist");
  });

  it("of a built image has its digest, its layers, and licences that are expressions", async () => {
    const planned = await sbom("hello-mpi");
    expect((await work.run(["build", "hello-mpi"])).status).toBe(0);
    const document = (await sbom("hello-mpi")) as SpdxDocument;
    expect(names(document)).toEqual(names(planned));
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
    expect(document.packages[0]?.checksums?.[0]?.checksumValue).toBe(index.manifests[0].digest.slice(7));
    const ring = document.packages.find(({ name }) => name === "ring");
    expect(ring?.licenseDeclared).toBe("Apache-2.0");
    expect(document.packages.find(({ name }) => name === "mpich")?.licenseDeclared).toBe("NOASSERTION");
    const manifest = JSON.parse(
      readFileSync(join(layout, "blobs/sha256", index.manifests[0].digest.slice(7)), "utf8"),
    );
    const layers = manifest.layers.map(({ digest }: { digest: string }) => digest);
    expect(layers).toContain(JSON.parse(ring?.annotations?.[0]?.comment ?? "{}").layer);
    // From the directory it is the same.
    expect(await sbom(`oci:${layout}`)).toEqual(document);
    expect(cycloneDxProblems(await sbom("hello-mpi", "--format", "cyclonedx"))).toEqual([]);
  }, 120_000);

  it("is the same from another machine's build", async () => {
    const other = makeWorkplace("");
    try {
      for (const name of ["spacktainers.yaml", "facts.json", "cache", "cache.pub", "container_definitions"])
        cpSync(work.path(name), other.path(name), { recursive: true });
      expect((await other.run(["build", "hello-mpi"])).status).toBe(0);
      const there = await other.run(["sbom", "hello-mpi"]);
      expect(JSON.parse(there.stdout)).toEqual(await sbom("hello-mpi"));
    } finally {
      other.remove();
    }
  });

  it("of an image without facts beside it says what the image tells", async () => {
    const bare = work.path("bare");
    cpSync(layout, bare, { recursive: true });
    const index = JSON.parse(readFileSync(join(bare, "index.json"), "utf8"));
    delete index.annotations["dev.spacktainers.facts"];
    writeFileSync(join(bare, "index.json"), JSON.stringify(index));
    const [told, known] = [(await sbom(bare)) as SpdxDocument, (await sbom(layout)) as SpdxDocument];
    expect(told.packages.map(({ name, versionInfo }) => [name, versionInfo])).toEqual(
      known.packages.map(({ name, versionInfo }) => [name, versionInfo]),
    );
    expect(told.relationships).toEqual(known.relationships);
    expect(told.packages.find(({ name }) => name === "ring")?.checksums).toBeUndefined();
  });

  it("refuses facts that were changed", async () => {
    const changed = work.path("changed");
    cpSync(layout, changed, { recursive: true });
    const index = JSON.parse(readFileSync(join(changed, "index.json"), "utf8"));
    const blob = join(changed, "blobs/sha256", index.annotations["dev.spacktainers.facts"].slice(7));
    writeFileSync(blob, readFileSync(blob, "utf8").replace("mpich", "mpjch"));
    const result = await work.run(["sbom", changed]);
    expect(result.status).toBe(5);
    expect(result.stderr).toContain("CHECKSUM_MISMATCH");
  });

  it("writes a file, and tells of it", async () => {
    const result = await work.run(["sbom", "hello-mpi", "-o", "out/hello.spdx.json"]);
    expect(result.stdout).toMatch(/^3 Spack packages, 0 OS packages in out\/hello\.spdx\.json$/m);
    expect(JSON.parse(readFileSync(work.path("out/hello.spdx.json"), "utf8"))).toEqual(
      await sbom("hello-mpi"),
    );
    const json = await work.run(["sbom", "hello-mpi", "--json", "--format", "cyclonedx"]);
    expect(JSON.parse(json.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      type: "result",
      name: "hello-mpi",
      format: "cyclonedx",
      packages: 3,
      document: { bomFormat: "CycloneDX" },
    });
    expect((await work.run(["sbom", "nothing"])).status).toBe(2);
    expect((await work.run(["sbom", "hello-mpi", "--format", "word"])).status).toBe(2);
  });

  it("finds labels and annotations in the image", async () => {
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
    const blob = (digest: string) =>
      JSON.parse(readFileSync(join(layout, "blobs/sha256", digest.slice(7)), "utf8"));
    const manifest = blob(index.manifests[0].digest);
    const { Labels: labels } = blob(manifest.config.digest).config;
    expect(labels).toMatchObject({
      "org.opencontainers.image.title": "hello-mpi",
      "org.opencontainers.image.vendor": "Example Institute",
      "org.opencontainers.image.description": "hello-mpi in version 1.0.0",
      "org.opencontainers.image.created": "1980-01-02T00:00:00Z",
      "org.example.group": "blue",
      "dev.spacktainers.spack": "1.x",
      "dev.spacktainers.target": "x86_64",
      "dev.spacktainers.roots": expect.stringMatching(/^ring@1\.0\.0\/[a-z2-7]{32} mpich@/),
    });
    expect(manifest.annotations).toMatchObject(labels);
  });
});

describe("a commit", () => {
  const trouble = commandExists("git") ? undefined : "there is no git";
  it.skipIf(trouble !== undefined)(
    "that changes nothing of a container does not change its image",
    async () => {
      const work = makeWorkplace("");
      const git = (...args: string[]): string =>
        execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@example.org", ...args], {
          cwd: work.directory,
          encoding: "utf8",
          env: { ...process.env, HOME: work.directory, GIT_CONFIG_NOSYSTEM: "1" },
        }).trim();
      const env = Object.fromEntries(["GITHUB_ACTIONS", "GITLAB_CI"].map((name) => [name, ""]));
      const built = async (...more: string[]) => {
        const result = await work.run(["build", "hello-mpi", "--json", ...more], {
          env: { ...env, HOME: work.directory },
        });
        expect(result.status, result.stdout).toBe(0);
        const { digest, upToDate } = JSON.parse(result.stdout.trim().split("\n").at(-1) ?? "");
        const path = work.path("dist/amd64/hello-mpi/blobs/sha256", digest.slice(7));
        return { digest, upToDate, annotations: JSON.parse(readFileSync(path, "utf8")).annotations };
      };
      try {
        makeDemoRepository(work);
        writeFileSync(work.path(".gitignore"), "dist\ncache-home\n");
        git("init", "-q", "-b", "main");
        git("remote", "add", "origin", "https://user:secret@git.example.org/group/containers.git");
        git("add", "-A");
        git("commit", "-qm", "all");
        const first = git("rev-parse", "HEAD");
        const one = await built();
        expect(one.annotations).toMatchObject({
          "org.opencontainers.image.revision": first,
          "org.opencontainers.image.source": "https://git.example.org/group/containers",
        });
        writeFileSync(work.path("README"), "x");
        git("add", "-A");
        git("commit", "-qm", "something else");
        expect(await built()).toMatchObject({ digest: one.digest, upToDate: true });
        rmSync(work.path("dist"), { recursive: true });
        expect(await built()).toMatchObject({ digest: one.digest, upToDate: false });
        // Not committed: no commit has it, and the image says none.
        writeFileSync(
          work.path("spacktainers.yaml"),
          `${readFileSync(work.path("spacktainers.yaml"), "utf8")}# more\n`,
        );
        rmSync(work.path("dist"), { recursive: true });
        expect((await built()).annotations).not.toHaveProperty(["org.opencontainers.image.revision"]);
      } finally {
        work.remove();
      }
    },
  );
});

describe("other programs", () => {
  const folder = mkdtempSync(join(tmpdir(), "spacktainers-sbom-"));
  const spdx = join(folder, "sample.spdx.json");
  const cdx = join(folder, "sample.cdx.json");
  writeFileSync(spdx, JSON.stringify(spdxDocument(sampleFacts())));
  writeFileSync(cdx, JSON.stringify(cycloneDxDocument(sampleFacts())));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const runs = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;

  const pyspdxtools = scratchPython("pyspdxtools");
  it.skipIf(!runs(pyspdxtools, "--version") && !runs(pyspdxtools, "--help"))(
    "spdx-tools, the reference implementation, finds the SPDX document valid",
    () => {
      const { status, stdout, stderr } = spawnSync(pyspdxtools, ["--infile", spdx], { encoding: "utf8" });
      expect(`${stdout}${stderr}`).toBe("");
      expect(status).toBe(0);
      // It does see what is wrong.
      const bad = join(folder, "bad.spdx.json");
      writeFileSync(bad, readFileSync(spdx, "utf8").replaceAll("SPDXRef-Image", "SPDXRef-Im_age"));
      expect(spawnSync(pyspdxtools, ["--infile", bad]).status).not.toBe(0);
    },
  );

  const schema = join(projectRoot, ".scratch/spdx-schema-2.3.json");
  it.skipIf(!existsSync(schema))("the published schema of SPDX 2.3 finds the document valid", () => {
    const validate = new Ajv({ allErrors: true, strict: false }).compile(
      JSON.parse(readFileSync(schema, "utf8")),
    );
    const unbuilt = { ...sampleFacts(), manifest: undefined, layers: [] };
    for (const facts of [sampleFacts(), unbuilt]) {
      validate(JSON.parse(JSON.stringify(spdxDocument(facts))));
      expect(validate.errors ?? []).toEqual([]);
    }
    expect(validate({ ...spdxDocument(sampleFacts()), spdxVersion: 2 })).toBe(false);
  });

  it.skipIf(!runs("syft", "version"))("syft reads packages, purls and the distribution from both", () => {
    for (const file of [spdx, cdx]) {
      const { stdout } = spawnSync("syft", ["convert", file, "-o", "syft-json"], {
        encoding: "utf8",
        maxBuffer: 2 ** 26,
      });
      const { artifacts, distro } = JSON.parse(stdout);
      expect(distro).toMatchObject({ id: "debian", versionID: "12" });
      const found = new Map(artifacts.map((one: { name: string }) => [one.name, one]));
      expect([...found.keys()].sort()).toEqual(
        ["base-files", "gcc-runtime", "libc6", "libstdc++6", "mpich", "openssl", "ring", "zlib_ng"].sort(),
      );
      expect(found.get("libstdc++6")).toMatchObject({
        type: "deb",
        version: "12.2.0-14+deb12u1",
        purl: expect.stringContaining("pkg:deb/debian/"),
      });
      expect(found.get("ring")).toMatchObject({
        version: "2.1.0",
        purl: expect.stringMatching(/^pkg:generic\/ring@2\.1\.0/),
        licenses: [expect.objectContaining({ value: "MIT" })],
      });
    }
  });
});
