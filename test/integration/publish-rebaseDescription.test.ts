/** What is attached to rebased images, and what it says. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { artifactRepository } from "../../src/publish/artifactRepository.ts";
import { attestedDocument } from "../../src/supply/attestedDocument.ts";
import { readVerificationKey } from "../../src/supply/signingKey.ts";
import type { SpdxDocument } from "../../src/supply/spdx.ts";
import { predicateTypes } from "../../src/supply/statement.ts";
import { type Digest, hexOfDigest } from "../../src/util/digest.ts";
import { openRepository } from "../registry/open.ts";
import { cycloneDxProblems } from "../supply/cycloneDxSchema.ts";
import type { CommandResult, Workplace } from "../support/cli.ts";
import { digestOfBuild, jsonLines } from "../support/cliChecks.ts";
import { startFakeRegistry } from "../support/fakeRegistry.ts";
import { dockerRegistryTrouble, startDockerRegistry } from "../support/realRegistry.ts";
import { bareMachine, patchedBase, rebaseRows, rebasingPlace } from "../support/rebasing.ts";
import { putImage } from "../support/remoteImage.ts";
import { scratchPython } from "../support/scratchPython.ts";

const kinds = [
  { name: "a registry", trouble: undefined, start: startFakeRegistry },
  { name: "Debian's registry", trouble: dockerRegistryTrouble(), start: startDockerRegistry },
] as const;

const pyspdxtools = scratchPython("pyspdxtools");
const noSpdxTools = spawnSync(pyspdxtools, ["--help"]).status !== 0;

for (const { name, trouble, start } of kinds)
  describe.skipIf(trouble !== undefined)(
    `what is attached to rebased images in ${name}${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
    () => {
      let registry: { readonly host: string; close(): Promise<void> };
      let work: Workplace;
      beforeEach(async () => {
        registry = await start();
        work = rebasingPlace(registry.host, { more: "spack: {facts: facts.json}\n" });
        writeFileSync(
          work.path("facts.json"),
          JSON.stringify({
            _meta: { "file-type": "spacktainers-recipe-facts", version: 1, spack: "1.1.0" },
            packages: {},
            licenses: { ring: [{ license: "Apache-2.0" }] },
          }),
        );
        writeFileSync(work.path("new.tar"), patchedBase);
      });
      afterEach(async () => {
        work.remove();
        await registry.close();
      });

      const env = { COSIGN_PASSWORD: "test" };
      const reference = (tag: string): string => `${registry.host}/org/spack-hello-mpi:${tag}`;
      const base = (): readonly string[] => ["--base", `rootfs:${work.path("new.tar")}`];

      async function ok(result: Promise<CommandResult>): Promise<CommandResult> {
        const { status, stdout, stderr } = await result;
        expect(status, stdout + stderr).toBe(0);
        return { status, stdout, stderr };
      }
      async function bill(image: string, format: "spdx" | "cyclonedx", cwd?: string): Promise<unknown> {
        const options = cwd === undefined ? {} : { cwd };
        return JSON.parse((await ok(work.run(["sbom", image, "--format", format], options))).stdout);
      }
      async function sign(...keys: readonly string[]): Promise<void> {
        for (const key of keys) await ok(work.run(["keys", key], { env }));
        const file = work.path("spacktainers.yaml");
        const [first] = keys;
        const text = readFileSync(file, "utf8").replace(/^signing:.*\n/m, "");
        writeFileSync(
          file,
          `${text}signing: {key: ${first}.key, public: [${first}.pub], forms: [tags, bundles]}\n`,
        );
      }

      it("is what is attached to an image that is pushed: the same bills of materials, signed", async () => {
        await sign("cosign");
        const pushed = await ok(work.run(["push", "--json"], { env }));
        const before = String(jsonLines(pushed).at(-1)?.digest) as Digest;
        const rebased = await ok(work.run(["rebase", "hello-mpi", ...base(), "--json"], { env }));
        expect(rebased.stdout + rebased.stderr).not.toContain("NOTICE");
        const digest = rebaseRows(rebased)[0]?.digest as Digest;
        expect(digest).not.toBe(before);

        const all = ["spdx", "cyclonedx", "provenance"].flatMap((type) => ["--attestation", type]);
        const verified = await ok(work.run(["verify", "hello-mpi", ...all, "--json"]));
        const { report } = jsonLines(verified).at(-1) as unknown as {
          report: { image: string; documents: { attested: boolean }[]; problems: unknown[] };
        };
        expect(report.image).toBe(digest);
        expect(report.documents.map(({ attested }) => attested)).toEqual([true, true]);
        expect(report.problems).toEqual([]);

        const spdx = (await bill(reference("latest"), "spdx")) as SpdxDocument;
        const versions = new Map(spdx.packages.map((one) => [one.name, one.versionInfo]));
        expect([...versions.keys()].sort()).toEqual(
          ["gcc-runtime", "glibc", "hello-mpi", "libc6", "mpich", "ring", "tzdata"].sort(),
        );
        expect(versions.get("libc6")).toBe("2.36-9+deb12u9");
        const ring = spdx.packages.find((one) => one.name === "ring");
        expect(ring?.checksums).toHaveLength(1);
        expect(ring?.licenseDeclared).toBe("Apache-2.0");
        expect(JSON.parse(ring?.annotations?.[0]?.comment ?? "{}")).toHaveProperty("spack:signed-by");
        const cyclonedx = await bill(reference("latest"), "cyclonedx");
        expect(cycloneDxProblems(cyclonedx)).toEqual([]);

        // A build of everything on that base says the same of itself, word for word.
        writeFileSync(work.path("base.tar"), patchedBase);
        const built = await work.run(["--json", "build"], { env: { XDG_CACHE_HOME: work.path("other") } });
        expect(digestOfBuild(built)).toBe(digest);
        const layout = `oci:${work.path("dist/amd64/hello-mpi")}`;
        expect(await bill(layout, "spdx")).toEqual(spdx);
        expect(await bill(layout, "cyclonedx")).toEqual(cyclonedx);

        // Its provenance is that of the rebasing.
        const opened = openRepository(`${registry.host}/org/spack-hello-mpi`);
        try {
          const key = readVerificationKey(readFileSync(work.path("cosign.pub"), "utf8"), {});
          const provenance = await attestedDocument(
            artifactRepository(opened.repository),
            digest,
            predicateTypes.provenance,
            [key],
          );
          const bottom = (
            cyclonedx as { metadata: { component: { properties: { name: string; value: string }[] } } }
          ).metadata.component.properties.find((one) => one.name === "spacktainers:layer:base")
            ?.value as Digest;
          expect(provenance).toMatchObject({
            buildDefinition: {
              buildType: "https://spacktainers.dev/build-types/rebase/v1",
              externalParameters: { container: "hello-mpi", version: "1.0.0", base: "rootfs" },
              resolvedDependencies: [
                { name: "image", digest: { sha256: hexOfDigest(before) } },
                { name: "rootfs", digest: { sha256: hexOfDigest(bottom) } },
              ],
            },
          });
          // An address of this machine is none for others.
          expect(JSON.stringify(provenance)).not.toContain(registry.host);
        } finally {
          await opened.close();
        }
      });

      it("names the base's manifest where the base is an image, and is kept when an image is rebased again", async () => {
        await ok(work.run(["push", "--json"]));
        const small = openRepository(`${registry.host}/base/small`);
        const { digest } = await putImage(small.repository, "1", { layers: [patchedBase] });
        await small.close();
        const machine = bareMachine(work);
        const first = await ok(
          work.run(
            ["rebase", reference("latest"), "--base", `image:${registry.host}/base/small:1`, "--json"],
            machine,
          ),
        );
        expect(first.stdout + first.stderr).not.toContain(
          "the image does not record where its packages came from",
        );
        const once = (await bill(reference("latest"), "spdx", machine.cwd)) as SpdxDocument;
        expect(JSON.stringify(once)).toContain("2.36-9+deb12u9");
        await ok(
          work.run(
            ["rebase", reference("latest"), "--base", `rootfs:${work.path("base.tar")}`],
            bareMachine(work),
          ),
        );
        const twice = (await bill(reference("latest"), "spdx", machine.cwd)) as SpdxDocument;
        const facts = ({ packages }: SpdxDocument) =>
          packages
            .filter((one) => ["ring", "mpich", "gcc-runtime"].includes(one.name))
            .map((one) => [one.name, one.checksums, one.licenseDeclared, one.annotations]);
        expect(facts(twice)).toEqual(facts(once));
        expect(facts(twice)[0]?.[1]).toHaveLength(1);
        expect(JSON.stringify(twice)).toContain("2.36-9+deb12u8");
        expect(digest).toMatch(/^sha256:/);
      });

      it("says nothing of archives where no trusted key has stated where they are from", async () => {
        await ok(work.run(["push", "--json"]));
        await sign("cosign");
        // The bill of materials is there, and nobody has signed it.
        const rebased = await ok(work.run(["rebase", "hello-mpi", ...base()], { env }));
        expect(rebased.stdout + rebased.stderr).toContain(
          "no trusted key has stated where the image's packages came from",
        );
        const document = (await bill(reference("latest"), "spdx")) as SpdxDocument;
        const ring = document.packages.find((one) => one.name === "ring");
        expect(ring?.checksums).toBeUndefined();
        expect(ring?.licenseDeclared).toBe("NOASSERTION");
        expect(ring?.versionInfo).toBeDefined();
        await ok(work.run(["verify", "hello-mpi", "--attestation", "spdx"]));
      });

      it("is told of a key that cannot be read before anything is published", async () => {
        await ok(work.run(["push", "--json"]));
        await sign("cosign");
        const refused = await work.run(["-q", "rebase", "hello-mpi", ...base()], {
          env: { COSIGN_PASSWORD: "wrong" },
        });
        expect(refused.stderr).toContain("KEY_INVALID");
        expect(refused.status).toBe(5);
        // To look, none is needed.
        await ok(work.run(["rebase", "hello-mpi", ...base(), "--dry-run"]));
        const configuration = work.path("spacktainers.yaml");
        // Without keys, what is attached is shown though nobody has signed it.
        writeFileSync(configuration, readFileSync(configuration, "utf8").replace(/^signing:.*\n/m, ""));
        const document = JSON.stringify(await bill(reference("latest"), "spdx"));
        expect(document).toContain("2.36-9+deb12u8");
      });

      it("lies beside an image that is written to this machine, and one made of that", async () => {
        await ok(work.run(["push", "--json"]));
        const machine = bareMachine(work);
        await ok(
          work.run(["rebase", reference("latest"), ...base(), "--output", "oci:copy", "--json"], machine),
        );
        const spdx = (await bill("oci:copy", "spdx", machine.cwd)) as SpdxDocument;
        expect(spdx.packages.find((one) => one.name === "ring")?.checksums).toHaveLength(1);
        expect(spdx.packages.find((one) => one.name === "libc6")?.versionInfo).toBe("2.36-9+deb12u9");
        // A layout, too, on the machine that made it.
        writeFileSync(
          work.path("spacktainers.yaml"),
          readFileSync(work.path("spacktainers.yaml"), "utf8").replace(/^registries:.*\n/m, ""),
        );
        digestOfBuild(await work.run(["--json", "build"]));
        const built = (await bill("hello-mpi", "spdx")) as SpdxDocument;
        await ok(work.run(["rebase", "hello-mpi", ...base()]));
        const after = (await bill("hello-mpi", "spdx")) as SpdxDocument;
        const checksums = ({ packages }: SpdxDocument) =>
          packages.find((one) => one.name === "ring")?.checksums;
        expect(checksums(after)).toEqual(checksums(built));
        expect(JSON.stringify(after)).toContain("2.36-9+deb12u9");
        rmSync(join(work.path("dist")), { recursive: true });
      });

      it.skipIf(noSpdxTools)(
        `is valid to spdx-tools${noSpdxTools ? " (skipped: there is no pyspdxtools)" : ""}`,
        async () => {
          await ok(work.run(["push", "--json"]));
          await ok(work.run(["rebase", "hello-mpi", ...base()]));
          const file = work.path("rebased.spdx.json");
          writeFileSync(file, JSON.stringify(await bill(reference("latest"), "spdx")));
          const { status, stdout, stderr } = spawnSync(pyspdxtools, ["--infile", file], { encoding: "utf8" });
          expect(`${stdout}${stderr}`).toBe("");
          expect(status).toBe(0);
        },
      );
    },
  );

describe("credentials of a registry", () => {
  it("are in nothing that rebase and dockerfile publish, write or say", async () => {
    const registry = await startFakeRegistry();
    const work = rebasingPlace(registry.host);
    try {
      const secret = "s3cr3t-word";
      const basic = `Basic ${Buffer.from(`robot:${secret}`).toString("base64")}`;
      registry.behaviour.guard = ({ headers }) => headers.authorization === basic || 'Basic realm="test"';
      const file = work.path("spacktainers.yaml");
      writeFileSync(
        file,
        readFileSync(file, "utf8").replace(
          'repository: "spack-{name}"',
          'repository: "spack-{name}", username: $ROBOT_NAME, password: $ROBOT_PASSWORD',
        ),
      );
      writeFileSync(work.path("new.tar"), patchedBase);
      const env = { ROBOT_NAME: "robot", ROBOT_PASSWORD: secret };
      const reference = `${registry.host}/org/spack-hello-mpi:latest`;
      const base = ["--base", `rootfs:${work.path("new.tar")}`];
      const said: string[] = [];
      for (const args of [
        ["push", "--json"],
        ["rebase", "hello-mpi", ...base, "--json"],
        ["rebase", reference, "--base", `rootfs:${work.path("base.tar")}`, "--output", "oci:copy", "--json"],
        ["dockerfile", "hello-mpi", "--output", "Dockerfile"],
      ]) {
        const { status, stdout, stderr } = await work.run(args, { env });
        expect(status, stdout + stderr).toBe(0);
        said.push(stdout, stderr);
      }
      const refused = await work.run(["rebase", "hello-mpi", ...base], {
        env: { ...env, ROBOT_PASSWORD: `${secret}-wrong` },
      });
      expect(refused.status).toBe(4);
      said.push(refused.stdout, refused.stderr);
      const published = [...registry.blobs.values()].flatMap((blobs) => [...blobs.values()]);
      const documents = [...registry.manifests.values()].flatMap((all) =>
        [...all.values()].map(({ bytes }) => bytes),
      );
      const written = [...filesBelow(work.path("copy")), work.path("Dockerfile")].map((path) =>
        readFileSync(path),
      );
      expect(published.length).toBeGreaterThan(5);
      expect(documents.length).toBeGreaterThan(3);
      expect(written.length).toBeGreaterThan(5);
      for (const bytes of [...published, ...documents, ...written, ...said.map((text) => Buffer.from(text))])
        for (const content of [bytes, unpacked(bytes)])
          for (const word of [secret, basic.slice("Basic ".length)])
            expect(content.includes(word)).toBe(false);
    } finally {
      work.remove();
      await registry.close();
    }
  });
});

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
  );
}

/** What is in something compressed by gzip; anything else as it is. */
function unpacked(bytes: Buffer): Buffer {
  return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
}
