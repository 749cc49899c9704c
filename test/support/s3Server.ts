/** An S3 server (moto) for tests, where it is installed: `moto_server` on the path, or the module in SPACKTAINERS_TEST_PYTHON. */
import { spawn } from "node:child_process";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { freePort, listening, runs } from "./staticServer.ts";

export interface S3Server {
  /** Endpoint. */
  readonly url: string;
  readonly client: S3Client;
  /** Puts files into a bucket, below a prefix. */
  put(
    bucket: string,
    prefix: string,
    files: ReadonlyMap<string, Buffer>,
    options?: { readonly public?: boolean },
  ): Promise<void>;
  /** From now on only this user may read; signatures are checked. */
  requireUser(): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }>;
  close(): Promise<void>;
}

function command(): readonly [string, readonly string[]] | undefined {
  if (runs("moto_server", ["--help"])) return ["moto_server", []];
  for (const python of [process.env.SPACKTAINERS_TEST_PYTHON, "python3", "/usr/bin/python3"])
    if (python !== undefined && runs(python, ["-c", "import moto.server"]))
      return [python, ["-m", "moto.server"]];
  return undefined;
}

/** Whether an S3 server can be started here. */
export function hasS3Server(): boolean {
  return command() !== undefined;
}

/** Starts an S3 server with one bucket. Everything is in its memory. */
export async function startS3Server(bucket: string): Promise<S3Server> {
  const found = command();
  if (found === undefined) throw new Error("no S3 server on this machine");
  const port = await freePort();
  const child = spawn(found[0], [...found[1], "-H", "127.0.0.1", "-p", String(port)], { stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  await listening(`${url}/moto-api/`);
  const server = await s3ServerAt(url, bucket, { accessKeyId: "test", secretAccessKey: "test" });
  return {
    ...server,
    requireUser: () => requireUser(url),
    async close() {
      server.client.destroy();
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** An S3 server that runs already, with a bucket made in it. */
export async function s3ServerAt(
  url: string,
  bucket: string,
  credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
): Promise<Pick<S3Server, "url" | "client" | "put">> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  const client = new S3Client({
    endpoint: url,
    region: "us-east-1",
    forcePathStyle: true,
    // Not every server takes a body with checksums behind it.
    requestChecksumCalculation: "WHEN_REQUIRED",
    credentials,
  });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return {
    url,
    client,
    async put(name, prefix, files, options = {}) {
      const access = options.public ? ({ ACL: "public-read" } as const) : {};
      for (const [path, bytes] of files)
        await client.send(
          new PutObjectCommand({ Bucket: name, Key: `${prefix}${path}`, Body: bytes, ...access }),
        );
    },
  };
}

/** Makes a user who may read everything in S3, and has moto check who asks (its own way to be told). */
async function requireUser(url: string): Promise<{ accessKeyId: string; secretAccessKey: string }> {
  const scope = "Credential=test/20250101/us-east-1/iam/aws4_request";
  const iam = async (form: Record<string, string>): Promise<string> => {
    const answer = await fetch(`${url}/`, {
      method: "POST",
      headers: { authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=none` },
      body: new URLSearchParams({ Version: "2010-05-08", UserName: "reader", ...form }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(text);
    return text;
  };
  await iam({ Action: "CreateUser" });
  const statement = [{ Effect: "Allow", Action: "s3:*", Resource: "*" }];
  const policy = JSON.stringify({ Version: "2012-10-17", Statement: statement });
  await iam({ Action: "PutUserPolicy", PolicyName: "read", PolicyDocument: policy });
  const key = await iam({ Action: "CreateAccessKey" });
  const between = (tag: string): string => new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(key)?.[1] ?? "";
  await fetch(`${url}/moto-api/reset-auth`, { method: "POST", body: "0" });
  return { accessKeyId: between("AccessKeyId"), secretAccessKey: between("SecretAccessKey") };
}
