import { randomBytes } from "node:crypto";
import { DescribeRepositoriesCommand, ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { bytesBlob } from "../../src/registry/blobSource.ts";
import { headBlob } from "../../src/registry/blobs.ts";
import { ecrAuthority } from "../../src/registry/ecr.ts";
import { pushBlob } from "../../src/registry/pushBlob.ts";
import { parseRegistryHost, parseRepositoryPath } from "../../src/registry/reference.ts";
import { openRepository } from "../registry/open.ts";
import { type EcrServer, startEcrServer } from "../support/ecrServer.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";

const trouble = dockerRegistryTrouble("htpasswd");

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent");
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_REGION", "us-east-1");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe.skipIf(trouble !== undefined)(
  `ECR's tokens in front of docker-registry${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let registry: RealRegistry;
    let ecr: EcrServer;
    beforeAll(async () => {
      ecr = await startEcrServer();
      ecr.keys.set("AKIATEST", "secret-key-of-aws");
      registry = await startDockerRegistry({ users: { AWS: ecr.password } });
    });
    afterAll(async () => {
      await registry.close();
      await ecr.close();
    });

    it("let us push and pull", async () => {
      vi.stubEnv("AWS_ENDPOINT_URL_ECR", ecr.url);
      vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIATEST");
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret-key-of-aws");
      const opened = openRepository(`${registry.host}/team/x`, { type: "ecr" });
      const blob = bytesBlob(randomBytes(100_000));
      expect(await pushBlob(opened.repository, blob)).toBe("uploaded");
      expect(await headBlob(opened.repository, blob.digest)).toEqual({ size: 100_000 });
      expect(ecr.calls.map(({ target }) => target)).toEqual(["GetAuthorizationToken"]);
      await opened.close();
    });
  },
);

describe.skipIf(!hasS3Server())(
  `moto's ECR${hasS3Server() ? "" : " (skipped: moto is not installed)"}`,
  () => {
    let moto: S3Server;
    beforeAll(async () => {
      moto = await startS3Server("unused");
    });
    afterAll(() => moto.close());

    it("gives a token, and has the repository that was made", async () => {
      vi.stubEnv("AWS_ENDPOINT_URL_ECR", moto.url);
      vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
      vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
      const host = parseRegistryHost("123456789012.dkr.ecr.us-east-1.amazonaws.com");
      const authority = ecrAuthority(host, { emit: () => {} });
      const client = new ECRClient({ endpoint: moto.url, region: "us-east-1" });
      const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
      const pair = Buffer.from(authorizationData?.[0]?.authorizationToken ?? "", "base64").toString("utf8");
      const given = await authority.credentials();
      expect(given).toMatchObject({ kind: "user", username: "AWS", origin: "AWS" });
      expect(pair).toMatch(/^AWS:/);
      expect(given?.expiresAt).toBeGreaterThan(0);
      const path = parseRepositoryPath("team/made-by-us", host);
      await authority.create({ host, path });
      await authority.create({ host, path });
      const { repositories } = await client.send(new DescribeRepositoriesCommand({}));
      expect(repositories?.map(({ repositoryName }) => repositoryName)).toEqual(["team/made-by-us"]);
      authority.close();
      client.destroy();
    });
  },
);
