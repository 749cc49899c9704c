import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { GetObjectCommand, ListMultipartUploadsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { getManifest } from "../../src/registry/manifests.ts";
import { parseTag } from "../../src/registry/reference.ts";
import { listReferrers } from "../../src/registry/referrers.ts";
import { digestOf } from "../../src/util/digest.ts";
import { openRepository } from "../registry/open.ts";
import { apptainerTrouble, openApptainer } from "../support/apptainer.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { file, hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { pushLayout } from "../support/pushLayout.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";
import { hasS3Server, type S3Server, startS3Server } from "../support/s3Server.ts";

const noSquashfs = commandExists("mksquashfs") ? undefined : "squashfs-tools are not installed";
const noRegistry = noSquashfs ?? dockerRegistryTrouble("htpasswd");
const noS3 = noSquashfs ?? (hasS3Server() ? undefined : "no S3 server (moto) is installed");
const noApptainer = apptainerTrouble();
const label = (trouble: string | undefined): string =>
  trouble === undefined ? "" : ` (skipped: ${trouble})`;

/** A workplace with `image.sif`, larger than one part of an upload. */
async function workplaceWithFile(): Promise<Workplace> {
  const work = makeWorkplace("");
  await writeTestLayout(work.path("image"), {
    layers: [
      hostPrograms(["sh", "cat"]),
      [file("noise", randomBytes(20 * 2 ** 20)), file("word", "pulled\n")],
    ],
    config: { Entrypoint: ["/bin/cat"], Cmd: ["/word"] },
  });
  const made = await work.run(["sif", "oci:image", "-o", "image.sif"]);
  expect(`${made.stderr} ${made.status}`).toMatch(/ 0$/);
  return work;
}

describe.skipIf(noRegistry !== undefined)(`SIF files in a registry${label(noRegistry)}`, () => {
  let work: Workplace;
  let registry: RealRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry({ users: { alice: "alice-password" } });
    work = await workplaceWithFile();
    writeFileSync(
      work.path("spacktainers.yaml"),
      `registries:\n  - {type: oci, url: "http://${registry.host}", repository: "sif/{name}", username: $REG_USER, password: $REG_WORD}\n`,
    );
  });
  afterAll(async () => {
    await registry.close();
    work.remove();
  });
  const env = { REG_USER: "alice", REG_WORD: "alice-password" };

  it("are beside their image, and read back from there", async () => {
    const opened = openRepository(`${registry.host}/sif/image`, {
      credentials: { username: "alice", password: "alice-password" },
    });
    await pushLayout(opened.repository, work.path("image"), "1");
    const destination = `oras://${registry.host}/sif/image:1-sif`;
    const args = ["sif", "push", "image.sif", destination, "--image", "1", "--json"];
    const pushed = await work.run(args, { env });
    expect(pushed.stderr).not.toContain("alice-password");
    const digest = digestOf(readFileSync(work.path("image.sif")));
    const result = JSON.parse(pushed.stdout.trim().split("\n").at(-1) ?? "");
    expect(result).toMatchObject({ type: "result", digest, sent: true });
    const subject = await getManifest(opened.repository, parseTag("1"));
    expect(await listReferrers(opened.repository, subject?.digest ?? digest)).toMatchObject([
      { artifactType: "application/vnd.sylabs.sif.layer.v1.sif", digest: result.url.split("@")[1] },
    ]);

    const again = await work.run(args, { env });
    expect(JSON.parse(again.stdout.trim().split("\n").at(-1) ?? "")).toEqual({ ...result, sent: false });
    await opened.close();

    if (!commandExists("sqfs2tar")) return;
    const back = await work.run(["sif", destination, "-o", "back.sqfs"], { env });
    expect(`${back.stderr} ${back.status}`).toMatch(/ 0$/);
  });

  it.skipIf(noApptainer !== undefined)(`are pulled by Apptainer${label(noApptainer)}`, async () => {
    const open = await startDockerRegistry();
    try {
      const pushed = await work.run(["sif", "push", "image.sif", `oras://${open.host}/some/where`], { env });
      expect(`${pushed.stderr} ${pushed.status}`).toMatch(/ 0$/);
      const apptainer = openApptainer(work.directory);
      const pulled = apptainer.run([
        "pull",
        "--no-https",
        work.path("pulled.sif"),
        `oras://${open.host}/some/where:latest`,
      ]);
      expect(`${pulled.stderr} ${pulled.status}`).toMatch(/ 0$/);
      expect(readFileSync(work.path("pulled.sif")).equals(readFileSync(work.path("image.sif")))).toBe(true);
      expect(apptainer.run(["run", work.path("pulled.sif")]).stdout).toBe("pulled\n");
    } finally {
      await open.close();
    }
  });

  it("are refused when the image is not there, or the file is none", async () => {
    const destination = `oras://${registry.host}/sif/image:2-sif`;
    const missing = await work.run(["sif", "push", "image.sif", destination, "--image", "9"], { env });
    expect(missing.status).not.toBe(0);
    expect(missing.stderr).toContain("the repository has no such image");
    writeFileSync(work.path("no.sif"), "text");
    const none = await work.run(["sif", "push", "no.sif", destination], { env });
    expect(none.status).not.toBe(0);
    expect(none.stderr).toContain("no.sif");
    const strange = await work.run(["sif", "push", "image.sif", "ftp://a/b"], { env });
    expect(strange.stderr).toContain("is neither oras:// nor s3://");
  });
});

describe.skipIf(noS3 !== undefined)(`SIF files in a bucket${label(noS3)}`, () => {
  let work: Workplace;
  let s3: S3Server;
  let env: NodeJS.ProcessEnv;
  beforeAll(async () => {
    s3 = await startS3Server("images");
    env = {
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test-secret",
      AWS_REGION: "us-east-1",
    };
    work = await workplaceWithFile();
  });
  afterAll(async () => {
    await s3.close();
    work.remove();
  });

  it("arrive in parts, under their own name in a folder, or under the name given", async () => {
    const whole = readFileSync(work.path("image.sif"));
    expect(whole.length).toBeGreaterThan(16 * 2 ** 20);
    const pushed = await work.run(["sif", "push", "image.sif", "s3://images/sif/"], { env });
    expect(`${pushed.stderr} ${pushed.status}`).toMatch(/ 0$/);
    expect(pushed.stdout).toContain("s3://images/sif/image.sif");
    const answer = await s3.client.send(new GetObjectCommand({ Bucket: "images", Key: "sif/image.sif" }));
    const got = Buffer.from((await answer.Body?.transformToByteArray()) ?? []);
    expect(got.equals(whole)).toBe(true);
  });

  it("leave nothing behind when the bucket does not take them", async () => {
    const bad = await work.run(["sif", "push", "image.sif", "s3://elsewhere/x.sif"], { env });
    expect(bad.status).not.toBe(0);
    expect(bad.stderr).toContain("there is no bucket named elsewhere");
    expect(bad.stderr).not.toContain("test-secret");
    const noKey = await work.run(["sif", "push", "image.sif", "s3://images"], { env });
    expect(noKey.stderr).toContain("does not name an object");
    const uploads = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: "images" }));
    expect(uploads.Uploads ?? []).toEqual([]);
    const objects = await s3.client.send(new ListObjectsV2Command({ Bucket: "images" }));
    expect((objects.Contents ?? []).map(({ Key }) => Key)).toEqual(["sif/image.sif"]);
  });
});
