/** A bucket and how to speak to it: connection, credentials, failures in our words. */
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { ContentChanged } from "../net/byteStream.ts";
import { notFound, statusFailure, transportFailure } from "../net/failure.ts";
import { type RetryPolicy, TransientFailure } from "../net/retry.ts";
import { openSdkHandler } from "../net/sdkHandler.ts";
import { sdkIdentity } from "../net/sdkIdentity.ts";
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { hostEnvironment, setProcessVariable } from "../util/surroundings.ts";
import type { StoreOptions, StoreSource } from "./store.ts";
import { storePath } from "./storePath.ts";

/** The SDK: a large library, loaded at the first request. */
export type Sdk = typeof import("@aws-sdk/client-s3");

/** A folder of a bucket. */
export interface Bucket {
  readonly name: string;
  /** `s3://BUCKET/PREFIX`. */
  readonly root: string;
  readonly policy: RetryPolicy;
  /** The key of a file; of `""`, what all keys begin with. */
  key(path: string): string;
  locate(path: string): string;
  /** One command; failures in our words, passing ones as {@link TransientFailure}. */
  send<T>(path: string, run: (sdk: Sdk, client: S3Client, abort: object) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * @param source `s3://BUCKET/PREFIX`; credentials by the SDK's usual chain (environment, profile, roles), or none
 * @throws CACHE_UNAVAILABLE for a malformed URL
 */
export function openBucket(source: StoreSource, options: StoreOptions): Bucket {
  const parsed = new URL(source.url);
  const name = parsed.hostname;
  const prefix = prefixOf(parsed);
  const root = `s3://${name}${prefix === "" ? "" : `/${prefix}`}`;
  const locate = (path: string): string => [root, ...storePath(path)].join("/");
  const connection = openConnection(source, options.signal);
  return {
    name,
    root,
    locate,
    key: (path) => [...(prefix === "" ? [] : [prefix]), storePath(path).join("/")].join("/"),
    policy: {
      retries: options.retries ?? 4,
      delayMs: options.retryDelayMs ?? 300,
      emit: options.emit,
      signal: options.signal,
    },
    async send(path, run) {
      const { sdk, client } = await connection();
      const abort = options.signal === undefined ? {} : { abortSignal: options.signal };
      return run(sdk, client, abort).catch((thrown) => {
        throw s3Failure(thrown, locate(path), name, options.signal);
      });
    },
    close: () => connection.close(),
  };
}

/** The path of the URL without slashes around it. Throws CACHE_UNAVAILABLE when it is malformed. */
function prefixOf({ pathname, href }: URL): string {
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch (cause) {
    throw new SpacktainersError("CACHE_UNAVAILABLE", "the URL is malformed", {
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
function openConnection(source: StoreSource, signal: AbortSignal | undefined) {
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
  source: StoreSource,
  signal: AbortSignal | undefined,
): Promise<{ sdk: Sdk; client: S3Client }> {
  // The SDK prints a notice about coming Node versions; what we support is our own decision.
  setProcessVariable("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true");
  const sdk = await import("@aws-sdk/client-s3");
  const { endpoint, region, profile, anonymous } = source.s3 ?? {};
  const elsewhere = endpoint ?? hostEnvironment().AWS_ENDPOINT_URL_S3 ?? hostEnvironment().AWS_ENDPOINT_URL;
  const config: S3ClientConfig = {
    // We count attempts ourselves, as for HTTP.
    maxAttempts: 1,
    followRegionRedirects: true,
    // Other servers than Amazon's do not know the newer checksums; digests are verified by us in any case.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    logger: silent,
    requestHandler: openSdkHandler({ signal }) as S3ClientConfig["requestHandler"] & object,
    ...sdkIdentity(),
    ...(elsewhere === undefined ? {} : { forcePathStyle: true, endpoint: elsewhere }),
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

/** The object still has the version that was asked about. */
export class NotModified extends Error {}
/** There is nothing where the range begins. */
export class RangeNotSatisfiable extends Error {}

/**
 * The SDK's exceptions in our words.
 *
 * @param url what was asked for
 */
function s3Failure(thrown: unknown, url: string, bucket: string, signal: AbortSignal | undefined): unknown {
  if (thrown instanceof SpacktainersError || thrown instanceof TransientFailure) return thrown;
  const { name, message, code, $metadata } = thrown as {
    name?: string;
    message?: string;
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  // The SDK's exceptions carry the whole exchange, signed headers included: none of that may get into our errors.
  const cause = Object.assign(new Error(`${name}: ${message}`), code === undefined ? {} : { code });
  const status = $metadata?.httpStatusCode;
  const place = { url };
  if (status === 304) return new NotModified();
  if (status === 416 || name === "InvalidRange") return new RangeNotSatisfiable();
  if (status === 412 || name === "PreconditionFailed") return new ContentChanged();
  if (name === "NoSuchBucket")
    return new SpacktainersError("CACHE_UNAVAILABLE", `there is no bucket named ${bucket}`, {
      place,
      hint: "check the URL, the endpoint and the region",
      cause: thrown,
    });
  if (["RequestTimeTooSkewed", "SlowDown", "ConditionalRequestConflict"].includes(name ?? ""))
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
