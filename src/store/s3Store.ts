/** A folder of an S3 bucket, of Amazon's or of any other server that speaks its protocol. */
import type { GetObjectCommandOutput } from "@aws-sdk/client-s3";
import { continuedBytes, type OpenBytes, readWhole, watched } from "../net/byteStream.ts";
import { downloadBytes } from "../net/download.ts";
import { transportFailure } from "../net/failure.ts";
import { withRetries } from "../net/retry.ts";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { refusalMeansAbsence } from "./refusalMeansAbsence.ts";
import { NotModified, openBucket, RangeNotSatisfiable } from "./s3Bucket.ts";
import { openS3Writer } from "./s3Writer.ts";
import type { ListedFile, Store, StoreOptions, StoreSource } from "./store.ts";

/**
 * @param source `s3://BUCKET/PREFIX`; credentials by the SDK's usual chain (environment, profile, roles), or none
 */
export function openS3Store(source: StoreSource, options: StoreOptions): Store {
  const bucket = openBucket(source, options);
  const { root, key, locate, send, policy, name: Bucket } = bucket;
  const denied = refusalMeansAbsence();

  const opener =
    (path: string, version?: string): OpenBytes =>
    async (offset, validator) => {
      const answer = await send(path, (sdk, client, abort) =>
        client.send(
          new sdk.GetObjectCommand({
            Bucket,
            Key: key(path),
            ...(offset > 0 ? { Range: `bytes=${offset}-` } : {}),
            IfMatch: validator,
            IfNoneMatch: version,
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

  async function* listFiles(folder: string): AsyncGenerator<ListedFile, void, undefined> {
    const below = key("");
    const Prefix = folder === "" ? below : `${key(folder)}/`;
    let ContinuationToken: string | undefined;
    do {
      const page = await withRetries(policy, locate(folder), () =>
        send(folder, (sdk, client, abort) =>
          client.send(new sdk.ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }), abort),
        ),
      );
      for (const { Key = "", Size: size, ETag: version, LastModified } of page.Contents ?? []) {
        // Some programs make empty objects to stand for folders.
        if (Key.startsWith(below) && !Key.endsWith("/"))
          yield { path: Key.slice(below.length), size, version, modified: LastModified?.getTime() };
      }
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  return {
    kind: "s3",
    url: root,
    id: `${root} ${source.s3?.endpoint ?? hostEnvironment().AWS_ENDPOINT_URL_S3 ?? hostEnvironment().AWS_ENDPOINT_URL ?? ""}`,
    locate,
    localFile: () => undefined,
    async get(path, { maxBytes, version }) {
      const open = opener(path, version);
      const missing = { status: "missing", bytes: new Uint8Array(), version: undefined } as const;
      try {
        return await readWhole(locate(path), policy, async () => {
          const first = await denied(withRetries(policy, locate(path), () => open(0, undefined)));
          if (first === undefined) return missing;
          const limits = { maxBytes, verified: false };
          const chunks: Uint8Array[] = [];
          for await (const chunk of continuedBytes(locate(path), first, {
            open: opener(path),
            policy,
            limits,
          }))
            chunks.push(chunk);
          return { status: "found" as const, bytes: Buffer.concat(chunks), version: first.validator };
        });
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
          client.send(new sdk.GetObjectCommand({ Bucket, Key: key(path), Range }), abort),
        ).catch((thrown) => {
          if (thrown instanceof RangeNotSatisfiable) return undefined;
          throw thrown;
        });
        if (answer === undefined) return new Uint8Array();
        const chunks: Uint8Array[] = [];
        let have = 0;
        try {
          for await (const chunk of watched(locate(path), bodyOf(answer), {})) {
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
          client.send(new sdk.HeadObjectCommand({ Bucket, Key: key(path) }), abort),
        ),
      );
      const answer = await denied(read).catch((thrown) => {
        if (isAbsent(thrown)) return undefined;
        throw thrown;
      });
      return answer === undefined
        ? undefined
        : { size: answer.ContentLength, version: answer.ETag, modified: answer.LastModified?.getTime() };
    },
    download: (path, destination, downloadOptions) =>
      downloadBytes(locate(path), destination, { open: opener(path), policy }, downloadOptions),
    async hasFolder(path) {
      const list = withRetries(policy, locate(path), () =>
        send(path, (sdk, client, abort) =>
          client.send(new sdk.ListObjectsV2Command({ Bucket, Prefix: `${key(path)}/`, MaxKeys: 1 }), abort),
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
    list: listFiles,
    writer: openS3Writer(bucket),
    close: () => bucket.close(),
  };
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
