import { ListMultipartUploadsCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../src/store/openStore.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { hasCephServer, startCephServer } from "../support/cephServer.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";
import { describeStore } from "../support/storeConformance.ts";

const servers = [
  {
    name: "moto",
    there: hasS3Server(),
    start: startS3Server,
    user: { accessKeyId: "test", secretAccessKey: "test" },
  },
  { name: "Ceph", there: hasCephServer(), start: startCephServer, user: undefined },
];

describe.each(servers)("a bucket of $name (skipped where it is not installed)", ({ there, start, user }) => {
  if (!there) {
    it.skip("is tried where it is installed", () => {});
    return;
  }
  let server: S3Server;
  let round = 0;
  const kept = { ...process.env };
  beforeAll(async () => {
    server = await start("bucket");
    const { accessKeyId, secretAccessKey } = user ?? (await server.requireUser());
    process.env.AWS_ACCESS_KEY_ID = accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = secretAccessKey;
  });
  afterAll(async () => {
    await server.close();
    process.env = kept;
  });

  describeStore(
    "as a store",
    { local: false, writable: true, atomic: true, large: 17 * 2 ** 20 },
    async () => {
      const prefix = `some where/${round++}`;
      const url = `s3://bucket/${encodeURI(prefix)}`;
      const store = openStore(
        { url, s3: { endpoint: server.url, region: "us-east-1" } },
        { emit: ignoreEvents, signal: undefined },
      );
      return { store, fill: (files) => server.put("bucket", `${prefix}/`, files as Map<string, Buffer>) };
    },
  );

  it("lists more than fits on a page", async () => {
    const files = new Map(Array.from({ length: 1100 }, (_, at) => [`many/${at}`, Buffer.from("x")]));
    await server.put("bucket", "", files);
    const store = openStore(
      { url: "s3://bucket", s3: { endpoint: server.url } },
      { emit: ignoreEvents, signal: undefined },
    );
    const listed: string[] = [];
    for await (const { path } of store.list?.("many") ?? []) listed.push(path);
    expect(listed.sort()).toEqual([...files.keys()].sort());
    await store.close();
  });

  it("keeps no part of uploads that were not finished", async () => {
    const { Uploads } = await server.client.send(new ListMultipartUploadsCommand({ Bucket: "bucket" }));
    expect(Uploads ?? []).toEqual([]);
  });
});
