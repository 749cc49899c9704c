/** What we sign is verified by the real cosign, and what it signs by us, in a real registry. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Descriptor, mediaTypes } from "../../src/archive/oci/types.ts";
import { blobOf } from "../../src/supply/artifact.ts";
import {
  billsOfMaterials,
  type SignatureForm,
  signedArtifacts,
  statementsOf,
} from "../../src/supply/signImage.ts";
import {
  generateSigningKey,
  readSigningKey,
  readVerificationKey,
  type SigningKey,
} from "../../src/supply/signingKey.ts";
import { predicateTypes } from "../../src/supply/statement.ts";
import { verifyImage } from "../../src/supply/verifyImage.ts";
import { sampleFacts, sampleManifest } from "../supply/sampleDescription.ts";
import { registryTrouble, startRegistry, type TestRegistry } from "../support/artifactRegistry.ts";

const run = promisify(execFile);

/** Major version of the cosign at hand. */
function cosignVersion(): number | undefined {
  const { status, stdout, stderr } = spawnSync("cosign", ["version"], { encoding: "utf8" });
  const major = /GitVersion:\s+v(\d+)/.exec(`${stdout}${stderr}`)?.[1];
  return status === 0 && major !== undefined ? Number(major) : undefined;
}

const version = cosignVersion();
const trouble =
  registryTrouble() ??
  (version === undefined
    ? "there is no cosign: go install github.com/sigstore/cosign/v2/cmd/cosign@latest"
    : undefined);

describe.skipIf(trouble !== undefined)(
  `cosign${trouble === undefined ? ` ${version}` : ` (skipped: ${trouble})`}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), "spacktainers-cosign-"));
    const at = (name: string) => join(folder, name);
    const env = { ...process.env, COSIGN_PASSWORD: "test", HOME: folder, DOCKER_CONFIG: folder };
    let registry: TestRegistry;
    let key: SigningKey;

    beforeAll(async () => {
      registry = await startRegistry();
      const made = await generateSigningKey("test");
      writeFileSync(at("cosign.key"), made.privateKey, { mode: 0o600 });
      writeFileSync(at("cosign.pub"), made.publicKey);
      // With a key there is nothing to ask of the public instance, which cosign would fetch otherwise.
      writeFileSync(
        at("trusted_root.json"),
        JSON.stringify({ mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1" }),
      );
      key = await readSigningKey(made.privateKey, () => "test", {});
    });
    afterAll(async () => {
      await registry?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    const cosign = async (...args: string[]) => run("cosign", args, { env, cwd: folder, maxBuffer: 2 ** 26 });
    const plain = ["--insecure-ignore-tlog=true", "--allow-http-registry", "--allow-insecure-registry"];
    /** cosign 3 looks for bundles unless told otherwise, 2 for tags. */
    const formFlags = (form: SignatureForm) => [
      `--new-bundle-format=${form === "bundles"}`,
      ...(form === "bundles" ? ["--trusted-root", "trusted_root.json"] : []),
    ];

    async function putImage(name: string): Promise<Descriptor> {
      const repository = registry.repository(name);
      const layer = blobOf(mediaTypes.layer, Buffer.from(`layer of ${name}`));
      const config = blobOf(
        mediaTypes.config,
        Buffer.from(
          JSON.stringify({
            os: "linux",
            architecture: "amd64",
            rootfs: { type: "layers", diff_ids: [layer.descriptor.digest] },
          }),
        ),
      );
      const manifest = {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: config.descriptor,
        layers: [layer.descriptor],
      };
      const { bytes, descriptor } = blobOf(mediaTypes.manifest, Buffer.from(JSON.stringify(manifest)));
      for (const blob of [layer, config]) await repository.putBlob(blob.bytes);
      await repository.putManifest(bytes, mediaTypes.manifest, "1.0");
      return descriptor;
    }

    async function putSigned(
      name: string,
      forms: readonly SignatureForm[],
      signer = key,
    ): Promise<Descriptor> {
      const repository = registry.repository(name);
      const subject = await putImage(name);
      const facts = sampleFacts({ manifest: sampleManifest(subject.digest) });
      const artifacts = await signedArtifacts(
        {
          subject,
          repository: repository.repository,
          key: signer,
          annotations: { ticket: "42" },
          statements: statementsOf(facts),
          forms,
        },
        repository,
      );
      for (const artifact of [...billsOfMaterials(facts, subject), ...artifacts])
        await repository.push(artifact);
      return subject;
    }

    it.each([["tags"], ["bundles"]] as const)("verifies our signatures as %s", async (form) => {
      const subject = await putSigned(`signed-${form}`, [form]);
      const { stdout } = await cosign(
        ...["verify", "--key", "cosign.pub", "--output", "json", ...plain, ...formFlags(form)],
        `${registry.host}/signed-${form}:1.0`,
      );
      expect(stdout).toContain(subject.digest);
      if (form === "tags") expect(JSON.parse(stdout)[0].optional).toMatchObject({ ticket: "42" });
      const other = await generateSigningKey("");
      writeFileSync(at("other.pub"), other.publicKey);
      await expect(
        cosign(
          "verify",
          "--key",
          "other.pub",
          ...plain,
          ...formFlags(form),
          `${registry.host}/signed-${form}:1.0`,
        ),
      ).rejects.toThrow();
    });

    it.each([["tags"], ["bundles"]] as const)("verifies our attestations as %s", async (form) => {
      const subject = await putSigned(`attested-${form}`, [form]);
      for (const [type, predicateType] of [
        ["spdxjson", predicateTypes.spdx],
        ["cyclonedx", predicateTypes.cyclonedx],
        ["slsaprovenance1", predicateTypes.provenance],
      ] as const) {
        const { stdout } = await cosign(
          ...["verify-attestation", "--key", "cosign.pub", "--type", type, ...plain, ...formFlags(form)],
          `${registry.host}/attested-${form}:1.0`,
        );
        const [envelope] = stdout
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line));
        const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString("utf8"));
        expect(statement.predicateType).toBe(predicateType);
        expect(statement.subject[0].digest.sha256).toBe(subject.digest.slice(7));
      }
    });

    it.each([["ed25519"], ["rsa"]])("verifies signatures of %s keys made by OpenSSL", async (kind) => {
      const options = kind === "rsa" ? ["-pkeyopt", "rsa_keygen_bits:2048"] : [];
      await run("openssl", ["genpkey", "-algorithm", kind, ...options, "-out", at(`${kind}.key`)]);
      await run("openssl", ["pkey", "-in", at(`${kind}.key`), "-pubout", "-out", at(`${kind}.pub`)]);
      const signer = await readSigningKey(readFileSync(at(`${kind}.key`), "utf8"), () => undefined, {});
      await putSigned(`signed-${kind}`, ["tags"], signer);
      await cosign(
        ...["verify", "--key", `${kind}.pub`, ...plain, ...formFlags("tags")],
        `${registry.host}/signed-${kind}:1.0`,
      );
    });

    it("finds what we attached in its own listing", async () => {
      await putSigned("listed", ["tags", "bundles"]);
      const { stdout } = await cosign("tree", "--allow-http-registry", `${registry.host}/listed:1.0`);
      expect(stdout).toMatch(/\.sig/);
      expect(stdout).toMatch(/\.att/);
    });

    it("reads our key files, and we its own", async () => {
      const { stdout } = await cosign("public-key", "--key", "cosign.key");
      expect(stdout.trim()).toBe(readFileSync(at("cosign.pub"), "utf8").trim());
      await cosign("generate-key-pair", "--output-key-prefix", "theirs");
      const theirs = await readSigningKey(readFileSync(at("theirs.key"), "utf8"), () => "test", {});
      const trusted = readVerificationKey(readFileSync(at("theirs.pub"), "utf8"), {});
      expect(theirs.publicKey.fingerprint).toBe(trusted.fingerprint);
    });

    it("signs and attests what we verify, and adds to our signatures as we to its", async () => {
      const subject = await putImage("theirs");
      const reference = `${registry.host}/theirs@${subject.digest}`;
      await cosign("generate-key-pair", "--output-key-prefix", "second");
      const second = readVerificationKey(readFileSync(at("second.pub"), "utf8"), {});
      const offline = ["--tlog-upload=false", "--yes", "--allow-http-registry", "--allow-insecure-registry"];
      const old = version === 3 ? ["--new-bundle-format=false", "--use-signing-config=false"] : [];
      await cosign("sign", "--key", "second.key", ...offline, ...old, reference);
      writeFileSync(at("predicate.json"), JSON.stringify({ hello: "world" }));
      await cosign(
        ...[
          "attest",
          "--key",
          "second.key",
          "--type",
          "custom",
          "--predicate",
          "predicate.json",
          ...offline,
          ...old,
        ],
        reference,
      );
      const repository = registry.repository("theirs");
      const policy = { keys: [second], attestations: ["https://cosign.sigstore.dev/attestation/v1"] };
      expect((await verifyImage(repository, "1.0", policy)).problems).toEqual([]);
      const artifacts = await signedArtifacts(
        {
          subject,
          repository: repository.repository,
          key,
          annotations: {},
          statements: statementsOf(sampleFacts({ manifest: sampleManifest(subject.digest) })),
          forms: ["tags"],
        },
        repository,
      );
      for (const artifact of artifacts) await repository.push(artifact);
      expect((await verifyImage(repository, "1.0", policy)).problems).toEqual([]);
      for (const pub of ["cosign.pub", "second.pub"])
        await cosign("verify", "--key", pub, ...plain, ...formFlags("tags"), reference);
    });
  },
);
