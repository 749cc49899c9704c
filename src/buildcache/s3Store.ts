/** A build cache in an S3 bucket, of Amazon's or of any other server that speaks its protocol. */
import type { GetObjectCommandOutput, S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { ContentChanged, continuedBytes, type OpenBytes } from "../net/byteStream.ts";
import { downloadBytes } from "../net/download.ts";
import { notFound, statusFailure, transportFailure } from "../net/failure.ts";
import { type RetryPolicy, TransientFailure, withRetries } from "../net/retry.ts";
import { openSdkHandler } from "../net/sdkHandler.ts";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { refusalMeansAbsence } from "./httpStore.ts";
import type { CacheStore, StoreOptions } from "./store.ts";
import type { CacheSource } from "./types.ts";

type Sdk = typeof import("@aws-sdk/client-s3");

/**
 * @param source `s3://BUCKET/PREFIX`; credentials by the SDK's usual chain (environment, profile, roles), or none
 */
export function openS3Store(source: CacheSource, options: StoreOptions): CacheStore {
  const parsed = new URL(source.url);
  const bucket = parsed.hostname;
  const prefix = prefixOf(parsed);
  const key = (path: string): string => (prefix === "" ? path : `${prefix}/${path}`);
  const root = `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
  const locate = (path: string): string => `${root}/${path}`;
  const policy: RetryPolicy = {
    retries: options.retries ?? 4,
    delayMs: options.retryDelayMs ?? 300,
    emit: options.emit,
    signal: options.signal,
  };
  const connection = openConnection(source, options.signal);
  const denied = refusalMeansAbsence();

  /** One command; failures in our words, passing ones as {@link TransientFailure}. */
  async function send<T>(path: string, run: (sdk: Sdk, client: S3Client, abort: object) => Promise<T>) {
    const { sdk, client } = await connection();
    const abort = options.signal === undefined ? {} : { abortSignal: options.signal };
    return run(sdk, client, abort).catch((thrown) => {
      throw s3Failure(thrown, locate(path), bucket, options.signal);
    });
  }

  const opener =
    (path: string, version?: string): OpenBytes =>
    async (offset, validator) => {
      const answer = await send(path, (sdk, client, abort) =>
        client.send(
          new sdk.GetObjectCommand({
            Bucket: bucket,
            Key: key(path),
            ...(offset > 0 ? { Range: `bytes=${offset}-` } : {}),
            ...(validator === undefined ? {} : { IfMatch: validator }),
            ...(version === undefined ? {} : { IfNoneMatch: version }),
          }),
          abort,
        ),
      ).catch((thrown) => {
        if (thrown instanceof RangeNotSatisfiable) return undefined;
        throw thrown;
      });
      // Nothing from `offset` on: right when that is the end, which the digest will tell.
      if (answer === undefined) return { body: nothing(), offset, total: undefined, validator: undefined };
      return { body: bodyOf(answer), offset, total: totalOf(answer, offset), validator: answer.ETag };
    };

  const isAbsent = (thrown: unknown): boolean =>
    thrown instanceof SpacktainersError && thrown.code === "NOT_FOUND";

  return {
    kind: "s3",
    url: root,
    id: `${root} ${source.s3?.endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL ?? ""}`,
    locate,
    localFile: () => undefined,
    async get(path, { maxBytes, version }) {
      const open = opener(path, version);
      const missing = { status: "missing", bytes: new Uint8Array(), version: undefined } as const;
      try {
        const first = await denied(withRetries(policy, locate(path), () => open(0, undefined)));
        if (first === undefined) return missing;
        const limits = { maxBytes, verified: false };
        const chunks: Uint8Array[] = [];
        for await (const chunk of continuedBytes(locate(path), first, opener(path), policy, limits))
          chunks.push(chunk);
        return { status: "found", bytes: Buffer.concat(chunks), version: first.validator };
      } catch (thrown) {
        if (thrown instanceof NotModified) return { status: "unchanged", bytes: new Uint8Array(), version };
        if (isAbsent(thrown)) return missing;
        throw thrown;
      }
    },
    async getRange(path, start, length) {
      if (length <= 0) return new Uint8Array();
      return withRetries(policy, locate(path), async () => {
        const Range = `bytes=${start}-${start + length - 1}`;
        const answer = await send(path, (sdk, client, abort) =>
          client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key(path), Range }), abort),
        ).catch((thrown) => {
          if (thrown instanceof RangeNotSatisfiable) return undefined;
          throw thrown;
        });
        if (answer === undefined) return new Uint8Array();
        const chunks: Uint8Array[] = [];
        let have = 0;
        try {
          for await (const chunk of bodyOf(answer)) {
            chunks.push(chunk.subarray(0, length - have));
            have += chunk.length;
            if (have >= length) break;
          }
        } catch (thrown) {
          throw transportFailure(thrown, locate(path), options.signal);
        }
        return Buffer.concat(chunks);
      });
    },
    async stat(path) {
      const read = withRetries(policy, locate(path), () =>
        send(path, (sdk, client, abort) =>
          client.send(new sdk.HeadObjectCommand({ Bucket: bucket, Key: key(path) }), abort),
        ),
      );
      const answer = await denied(read).catch((thrown) => {
        if (isAbsent(thrown)) return undefined;
        throw thrown;
      });
      return answer === undefined ? undefined : { size: answer.ContentLength, version: answer.ETag };
    },
    download: (path, destination, downloadOptions) =>
      downloadBytes(locate(path), destination, opener(path), policy, downloadOptions),
    async hasFolder(path) {
      const list = withRetries(policy, locate(path), () =>
        send(path, (sdk, client, abort) =>
          client.send(
            new sdk.ListObjectsV2Command({ Bucket: bucket, Prefix: `${key(path)}/`, MaxKeys: 1 }),
            abort,
          ),
        ),
      );
      return list.then(
        (answer) => (answer.KeyCount ?? answer.Contents?.length ?? 0) > 0,
        (thrown) => {
          // Those who may read need not be allowed to list, and some servers cannot.
          if (thrown instanceof SpacktainersError && ["ACCESS_DENIED", "NOT_FOUND"].includes(thrown.code))
            return undefined;
          throw thrown;
        },
      );
    },
    close: () => connection.close(),
  };
}

/** The path of the URL without slashes around it. Throws CACHE_UNAVAILABLE when it is malformed. */
export function prefixOf({ pathname, href }: URL): string {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch (cause) {
    throw new SpacktainersError("CACHE_UNAVAILABLE", "the cache's URL is malformed", {
      place: { url: redactUrl(href) },
      hint: "a % in it must be followed by two hexadecimal digits",
      cause,
    });
  }
  let [start, end] = [0, path.length];
  while (path[start] === "/") start++;
  while (end > start && path[end - 1] === "/") end--;
  return path.slice(start, end);
}

/**
 * The SDK (a large library) and its client, loaded at the first request.
 *
 * @param source `s3://BUCKET…`, with how to reach it
 * @returns throws ACCESS_DENIED when a configured profile has no credentials
 */
export function openConnection(source: CacheSource, signal: AbortSignal | undefined) {
  let made: Promise<{ sdk: Sdk; client: S3Client }> | undefined;
  const connect = () => {
    made ??= makeClient(source, signal).catch((thrown) => {
      throw transportFailure(thrown, source.url, signal);
    });
    return made;
  };
  connect.close = async (): Promise<void> => {
    if (made !== undefined) (await made.catch(() => undefined))?.client.destroy();
  };
  return connect;
}

async function makeClient(
  source: CacheSource,
  signal: AbortSignal | undefined,
): Promise<{ sdk: Sdk; client: S3Client }> {
  // The SDK prints a notice about coming Node versions; what we support is our own decision.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const sdk = await import("@aws-sdk/client-s3");
  const { endpoint, region, profile, anonymous } = source.s3 ?? {};
  const elsewhere = endpoint ?? process.env.AWS_ENDPOINT_URL_S3 ?? process.env.AWS_ENDPOINT_URL;
  const config: S3ClientConfig = {
    // We count attempts ourselves, as for HTTP.
    maxAttempts: 1,
    followRegionRedirects: true,
    // Other servers than Amazon's do not know the newer checksums; digests are verified by us in any case.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    logger: silent,
    requestHandler: openSdkHandler({ signal }) as S3ClientConfig["requestHandler"] & object,
    ...(elsewhere === undefined ? {} : { forcePathStyle: true }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(profile === undefined ? {} : { profile }),
  };
  const unsigned: S3ClientConfig = {
    ...config,
    credentials: { accessKeyId: "", secretAccessKey: "" },
    signer: { sign: async (request) => request },
  };
  const withRegion = async (chosen: S3ClientConfig): Promise<S3Client> => {
    const client = new sdk.S3Client(chosen);
    const known = await client.config.region().then(
      () => true,
      () => false,
    );
    return known ? client : new sdk.S3Client({ ...chosen, region: "us-east-1" });
  };
  if (anonymous) return { sdk, client: await withRegion(unsigned) };
  const client = await withRegion(config);
  const credentials = await client.config.credentials().then(
    () => true,
    (thrown: Error) => {
      if (profile !== undefined)
        throw new SpacktainersError("ACCESS_DENIED", `no credentials for the profile ${profile}`, {
          place: { url: redactUrl(source.url) },
          hint: `check the profile, or log in again (${thrown.message.slice(0, 200)})`,
          cause: thrown,
        });
      return false;
    },
  );
  // Without credentials only public buckets can be read, and those without a signature.
  return { sdk, client: credentials ? client : await withRegion(unsigned) };
}

/** The SDK must not write to the terminal. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

class NotModified extends Error {}
class RangeNotSatisfiable extends Error {}

/**
 * The SDK's exceptions in our words.
 *
 * @param url what was asked for
 */
export function s3Failure(
  thrown: unknown,
  url: string,
  bucket: string,
  signal: AbortSignal | undefined,
): unknown {
  if (thrown instanceof SpacktainersError || thrown instanceof TransientFailure) return thrown;
  const { name, message, code, $metadata } = thrown as {
    name?: string;
    message?: string;
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  // The SDK's exceptions carry the whole exchange, signed headers included: none of that may get into ours.
  const cause = Object.assign(new Error(`${name}: ${message}`), code === undefined ? {} : { code });
  const status = $metadata?.httpStatusCode;
  const place = { url };
  if (status === 304) return new NotModified();
  if (status === 416 || name === "InvalidRange") return new RangeNotSatisfiable();
  if (status === 412 || name === "PreconditionFailed") return new ContentChanged();
  if (name === "NoSuchBucket")
    return new SpacktainersError("CACHE_UNAVAILABLE", `there is no bucket named ${bucket}`, {
      place,
      hint: "check the cache's URL, its endpoint and its region",
      cause: thrown,
    });
  if (name === "RequestTimeTooSkewed" || name === "SlowDown")
    return new TransientFailure(new SpacktainersError("NETWORK", `S3 answered ${name}`, { place, cause }));
  if (status === 404) return notFound(url);
  if (status === 401 || status === 403)
    return new SpacktainersError("ACCESS_DENIED", `S3 refuses access to the bucket ${bucket} (${name})`, {
      place,
      hint: "check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID, `aws sso login`) and the bucket's policy",
      cause,
    });
  if (status !== undefined && status >= 300)
    return (
      statusFailure(status, url, undefined) ??
      new SpacktainersError("NETWORK", `S3 answered ${name}`, { place, cause })
    );
  return transportFailure(cause, url, signal);
}

function bodyOf(answer: GetObjectCommandOutput): AsyncIterable<Uint8Array> {
  // In Node the body is a stream; the type also covers browsers.
  return answer.Body === undefined ? nothing() : (answer.Body as unknown as AsyncIterable<Uint8Array>);
}

function totalOf(answer: GetObjectCommandOutput, offset: number): number | undefined {
  const total = /\/(\d{1,15})$/.exec(answer.ContentRange ?? "")?.[1];
  if (total !== undefined) return Number(total);
  return answer.ContentLength === undefined ? undefined : offset + answer.ContentLength;
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
