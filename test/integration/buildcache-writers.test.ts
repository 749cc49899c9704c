/** Writing into real places: buckets of an S3 server, repositories of a registry. */
import { randomBytes } from "node:crypto";
import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe } from "vitest";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";
import { describeCacheWriter } from "../support/writerConformance.ts";

describe.skipIf(!hasS3Server())("a bucket (skipped where no S3 server is installed)", () => {
  let server: S3Server;
  const kept = { ...process.env };
  beforeAll(async () => {
    server = await startS3Server("bucket");
    process.env.AWS_ACCESS_KEY_ID = "test";
    process.env.AWS_SECRET_ACCESS_KEY = "test";
  });
  afterAll(async () => {
    await server.close();
    process.env = kept;
  });
  for (const format of ["v3", "v2"] as const)
    describeCacheWriter(`in layout ${format}`, { format, unsigned: false }, async () => {
      const prefix = `cache ${randomBytes(4).toString("hex")}`;
      const url = `s3://bucket/${encodeURI(prefix)}`;
      return {
        source: { url, s3: { endpoint: server.url, region: "us-east-1" } },
        damage: async (path) => {
          await server.client.send(new DeleteObjectCommand({ Bucket: "bucket", Key: `${prefix}/${path}` }));
        },
      };
    });
});

const trouble = dockerRegistryTrouble();
describe.skipIf(trouble !== undefined)(
  `a registry (skipped where there is none: ${trouble ?? "there is one"})`,
  () => {
    let registry: RealRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry();
    });
    afterAll(() => registry.close());
    describeCacheWriter("in a repository", { format: "oci", unsigned: true }, async () => ({
      source: { url: `oci+http://${registry.host}/caches/c${randomBytes(4).toString("hex")}` },
    }));
  },
);
