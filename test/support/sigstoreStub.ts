/** A Sigstore instance of our own: a certificate authority and a log that speak as the real ones do. Certificates by openssl. */
import { execFileSync } from "node:child_process";
import { createHash, createPublicKey, generateKeyPairSync, sign, verify, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SigstoreStub {
  readonly fulcioUrl: string;
  readonly rekorUrl: string;
  /** `trusted_root.json` of this instance. */
  readonly trustedRoot: object;
  /** What was logged. */
  readonly entries: object[];
  /** A token for an identity, as CI would give it. */
  token(): string;
  stop(): Promise<void>;
}

/** @param identity subject of the certificates @param issuer who vouches for it */
export async function startSigstore(identity: string, issuer: string): Promise<SigstoreStub> {
  const folder = mkdtempSync(join(tmpdir(), "spacktainers-sigstore-"));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "pipe" });
  openssl(
    ...[
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-keyout",
      at("ca.key"),
    ],
    ...["-out", at("ca.crt"), "-subj", "/O=test/CN=authority", "-days", "30"],
    ...["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"],
  );
  writeFileSync(
    at("extensions"),
    [
      "keyUsage=critical,digitalSignature",
      "extendedKeyUsage=codeSigning",
      "subjectKeyIdentifier=hash",
      "authorityKeyIdentifier=keyid",
      `subjectAltName=critical,URI:${identity}`,
      `1.3.6.1.4.1.57264.1.1=DER:${Buffer.from(issuer)
        .toString("hex")
        .replaceAll(/(..)(?=.)/g, "$1:")}`,
      `1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:${issuer}`,
    ].join("\n"),
  );
  const log = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const logKey = log.publicKey.export({ format: "der", type: "spki" });
  const logId = createHash("sha256").update(logKey).digest();
  const entries: object[] = [];
  const token = (): string => {
    const part = (content: object): string => Buffer.from(JSON.stringify(content)).toString("base64url");
    return `${part({ alg: "none" })}.${part({ iss: issuer, sub: identity, aud: "sigstore" })}.`;
  };

  /** Fulcio: proves that the key is the asker's, and certifies it. */
  const certify = (body: {
    credentials: { oidcIdentityToken: string };
    publicKeyRequest: { publicKey: { content: string }; proofOfPossession: string };
  }): object => {
    const { content } = body.publicKeyRequest.publicKey;
    const proof = Buffer.from(body.publicKeyRequest.proofOfPossession, "base64");
    if (body.credentials.oidcIdentityToken !== token()) throw new Error("not a token of ours");
    if (!verify("sha256", Buffer.from(identity), createPublicKey(content), proof))
      throw new Error("no possession");
    writeFileSync(at("leaf.pub"), content);
    openssl(
      ...[
        "x509",
        "-new",
        "-force_pubkey",
        at("leaf.pub"),
        "-subj",
        "/",
        "-CA",
        at("ca.crt"),
        "-CAkey",
        at("ca.key"),
      ],
      ...["-days", "1", "-extfile", at("extensions"), "-out", at("leaf.crt")],
    );
    const certificates = ["leaf.crt", "ca.crt"].map((name) => readFileSync(at(name), "utf8"));
    return { signedCertificateEmbeddedSct: { chain: { certificates } } };
  };

  /** Rekor: an entry in a log of one entry. */
  const record = (body: { spec: { proposedContent: { envelope: string; verifiers: string[] } } }): object => {
    const { envelope, verifiers } = body.spec.proposedContent;
    const parsed = JSON.parse(envelope);
    const sha256 = (data: Buffer | string) => ({
      algorithm: "sha256",
      value: createHash("sha256").update(data).digest("hex"),
    });
    const entry = JSON.stringify({
      apiVersion: "0.0.1",
      kind: "dsse",
      spec: {
        envelopeHash: sha256(envelope),
        payloadHash: sha256(Buffer.from(parsed.payload, "base64")),
        signatures: [{ signature: parsed.signatures[0].sig, verifier: verifiers[0] }],
      },
    });
    entries.push(JSON.parse(entry));
    const leaf = createHash("sha256")
      .update(Buffer.concat([Buffer.from([0]), Buffer.from(entry)]))
      .digest();
    const integratedTime = Math.floor(Date.now() / 1000);
    const promise = {
      body: Buffer.from(entry).toString("base64"),
      integratedTime,
      logID: logId.toString("hex"),
      logIndex: 0,
    };
    // As version 1 of the log has it: the origin ends in the number of a tree.
    const note = `127.0.0.1 - 1\n1\n${leaf.toString("base64")}\n`;
    const signed = Buffer.concat([logId.subarray(0, 4), sign("sha256", Buffer.from(note), log.privateKey)]);
    return {
      [leaf.toString("hex")]: {
        ...promise,
        verification: {
          signedEntryTimestamp: sign("sha256", Buffer.from(JSON.stringify(promise)), log.privateKey).toString(
            "base64",
          ),
          inclusionProof: {
            logIndex: 0,
            treeSize: 1,
            rootHash: leaf.toString("hex"),
            hashes: [],
            checkpoint: `${note}\n\u2014 127.0.0.1 ${signed.toString("base64")}\n`,
          },
        },
      },
    };
  };

  const server = createServer((request, response) => {
    readJson(request)
      .then((body) => {
        const answer = request.url === "/api/v2/signingCert" ? certify(body as never) : record(body as never);
        response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify(answer));
      })
      .catch((error: Error) => response.writeHead(400).end(JSON.stringify({ message: error.message })));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  const ca = new X509Certificate(readFileSync(at("ca.crt")));
  const validFor = { start: "2020-01-01T00:00:00Z" };
  return {
    fulcioUrl: url,
    rekorUrl: url,
    entries,
    token,
    trustedRoot: {
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: [
        {
          baseUrl: url,
          hashAlgorithm: "SHA2_256",
          publicKey: { rawBytes: logKey.toString("base64"), keyDetails: "PKIX_ECDSA_P256_SHA_256", validFor },
          logId: { keyId: logId.toString("base64") },
        },
      ],
      certificateAuthorities: [
        {
          subject: { organization: "test", commonName: "authority" },
          uri: url,
          certChain: { certificates: [{ rawBytes: ca.raw.toString("base64") }] },
          validFor,
        },
      ],
      ctlogs: [],
      timestampAuthorities: [],
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}
