/** Signing without a key, against a Sigstore instance of our own; what comes of it, verified by us and by the real cosign. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Descriptor, mediaTypes } from "../../src/archive/oci/types.ts";
import { openCertificateVerifier, openKeylessSigning } from "../../src/supply/keyless.ts";
import { certifiedArtifacts, statementsOf } from "../../src/supply/signImage.ts";
import { predicateTypes, statement } from "../../src/supply/statement.ts";
import { verifyImage } from "../../src/supply/verifyImage.ts";
import type { JsonObject } from "../../src/util/json.ts";
import { sampleFacts, sampleManifest } from "../supply/sampleDescription.ts";
import { memoryRepository, registryTrouble, startRegistry } from "../support/artifactRegistry.ts";
import { commandExists } from "../support/commandExists.ts";
import { type SigstoreStub, startSigstore } from "../support/sigstoreStub.ts";

const identity = "https://github.com/group/containers/.github/workflows/publish.yml@refs/heads/main";
const issuer = "https://token.actions.githubusercontent.com";
const trouble = commandExists("openssl") ? undefined : "there is no openssl";

describe.skipIf(trouble !== undefined)(
  `keyless${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    const folder = mkdtempSync(join(tmpdir(), "spacktainers-keyless-"));
    let sigstore: SigstoreStub;
    let certify: (one: ReturnType<typeof statement>) => Promise<JsonObject>;
    const before = process.env.SIGSTORE_ID_TOKEN;
    const policy = { identity, issuer, certificateLog: false };
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: {
          mediaType: mediaTypes.config,
          digest: `sha256:${"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}`,
          size: 2,
        },
        layers: [],
      }),
    );

    beforeAll(async () => {
      sigstore = await startSigstore(identity, issuer);
      process.env.SIGSTORE_ID_TOKEN = sigstore.token();
      certify = await openKeylessSigning(sigstore);
    });
    afterAll(async () => {
      if (before === undefined) delete process.env.SIGSTORE_ID_TOKEN;
      else process.env.SIGSTORE_ID_TOKEN = before;
      await sigstore?.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it("signs an image and statements on it, which verify for this identity and issuer only", async () => {
      const store = memoryRepository("registry.example.org/hello");
      store.putBlob(Buffer.from("{}"), mediaTypes.config);
      const subject = store.putManifest(manifest, mediaTypes.manifest, "1.0");
      const statements = statementsOf(sampleFacts({ manifest: sampleManifest(subject.digest) }));
      for (const artifact of await certifiedArtifacts(subject, statements, certify))
        await store.push(artifact);
      expect(sigstore.entries).toHaveLength(4);
      const verify = async (change: Partial<typeof policy>, root: object = sigstore.trustedRoot) => {
        const verifyCertified = await openCertificateVerifier(root, { ...policy, ...change });
        return verifyImage(store, "1.0", {
          keys: [],
          verifyCertified,
          attestations: [predicateTypes.provenance],
        });
      };
      const report = await verify({});
      expect(report.problems).toEqual([]);
      expect(report.signatures).toEqual([
        { signer: { kind: "certificate", identity, issuer }, repository: undefined, annotations: {} },
      ]);
      expect(report.attestations).toHaveLength(3);
      for (const change of [
        { identity: identity.replace("main", "other") },
        // Word for word, no pattern.
        { identity: ".*" },
        { issuer: "https://gitlab.com" },
        // These certificates are in no log.
        { certificateLog: true },
      ])
        expect((await verify(change)).problems.map(({ code }) => code)).toContain("KEY_UNKNOWN");
      const other = await startSigstore(identity, issuer);
      try {
        expect((await verify({}, other.trustedRoot)).problems.map(({ code }) => code)).toContain(
          "KEY_UNKNOWN",
        );
      } finally {
        await other.stop();
      }
      await expect(openCertificateVerifier({}, policy)).rejects.toMatchObject({ code: "KEY_INVALID" });
    });

    it("does not take a bundle with anything changed in it", async () => {
      const image = sampleFacts().manifest.digest;
      const bundle = await certify(statement(image, undefined, predicateTypes.signature, {}));
      const verify = await openCertificateVerifier(sigstore.trustedRoot, policy);
      expect(verify(bundle)).toBeDefined();
      interface Copy {
        readonly dsseEnvelope: object;
        readonly verificationMaterial: { readonly tlogEntries: readonly object[] };
      }
      const changes: readonly ((copy: Copy) => void)[] = [
        ({ dsseEnvelope }) => Object.assign(dsseEnvelope, { payload: Buffer.from("{}").toString("base64") }),
        ({ dsseEnvelope }) => Object.assign(dsseEnvelope, { payloadType: "text/plain" }),
        ({ verificationMaterial }) => Object.assign(verificationMaterial, { tlogEntries: [] }),
        ({ verificationMaterial }) =>
          Object.assign(verificationMaterial.tlogEntries[0] ?? {}, { integratedTime: "1" }),
        // A second content, which another reader might take for the one that is signed.
        (copy) => Object.assign(copy, { messageSignature: {} }),
      ];
      for (const change of changes) {
        const copy = JSON.parse(JSON.stringify(bundle));
        change(copy);
        expect(verify(copy)).toBeUndefined();
      }
    });

    it("says what is missing, and fails in one clear way", async () => {
      await expect(openKeylessSigning({}, {})).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
      process.env.SIGSTORE_ID_TOKEN = `${sigstore.token()}x`;
      try {
        const failing = await openKeylessSigning(sigstore);
        const error = await failing(statement(sampleFacts().manifest.digest, undefined, "x", {})).catch(
          (e) => e,
        );
        expect(error).toMatchObject({ code: "NETWORK", place: { url: sigstore.fulcioUrl } });
        expect(`${error.message}${error.stack}`).not.toContain(sigstore.token());
      } finally {
        process.env.SIGSTORE_ID_TOKEN = sigstore.token();
      }
    });

    const cosignTrouble = registryTrouble() ?? (commandExists("cosign") ? undefined : "there is no cosign");
    it.skipIf(cosignTrouble !== undefined)("makes what the real cosign verifies", async () => {
      const registry = await startRegistry();
      try {
        const repository = registry.repository("keyless");
        await repository.putBlob(Buffer.from("{}"));
        await repository.putManifest(manifest, mediaTypes.manifest, "1.0");
        const subject = (await repository.manifest("1.0"))?.descriptor as Descriptor;
        const statements = statementsOf(sampleFacts({ manifest: sampleManifest(subject.digest) }));
        for (const artifact of await certifiedArtifacts(subject, statements, certify))
          await repository.push(artifact);
        const root = join(folder, "trusted_root.json");
        writeFileSync(root, JSON.stringify(sigstore.trustedRoot));
        const cosign = (verb: string, who: string, ...more: string[]) =>
          spawnSync(
            "cosign",
            [
              ...[verb, "--new-bundle-format", "--trusted-root", root, "--insecure-ignore-sct"],
              ...[
                "--certificate-identity",
                who,
                "--certificate-oidc-issuer",
                issuer,
                "--allow-http-registry",
              ],
              ...["--allow-insecure-registry", ...more, `${registry.host}/keyless:1.0`],
            ],
            { encoding: "utf8", env: { ...process.env, HOME: folder, DOCKER_CONFIG: folder } },
          );
        const good = cosign("verify", identity);
        expect(good.status, good.stderr).toBe(0);
        const attested = cosign("verify-attestation", identity, "--type", "slsaprovenance1");
        expect(attested.status, attested.stderr).toBe(0);
        expect(cosign("verify", identity.replace("main", "other")).status).not.toBe(0);
      } finally {
        await registry.stop();
      }
    });
  },
);
