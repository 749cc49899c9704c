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
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  const client = new S3Client({
    endpoint: url,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
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
    async close() {
      client.destroy();
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    },
  };
}
