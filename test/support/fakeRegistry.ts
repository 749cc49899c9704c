/**
 * A registry in memory that follows the OCI distribution specification 1.1, and misbehaves as told. What it does not do by
 * itself (authentication, mounting, referrers, keeping half an upload) is switched by {@link FakeRegistry.behaviour}; what
 * one request meets instead of an answer is a {@link Fault}.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Takes a request over; false: it is answered as usual after all. */
export type Fault = (exchange: Exchange) => boolean | Promise<boolean>;

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly registry: FakeRegistry;
}

/** What is needed to be let in. */
export type Guard = (request: IncomingMessage, repository: string, write: boolean) => true | string;

export interface Behaviour {
  /** True, or the `WWW-Authenticate` of the refusal. */
  guard: Guard;
  /** Mounts work; or are refused as the specification says (202), or by an error. */
  mount: "yes" | "refused" | "denied";
  /** Referrers are listed; otherwise the API is unknown. */
  referrers: boolean;
  /** A broken upload keeps what arrived; otherwise it is given up, as the distribution project's registry does. */
  keepsParts: boolean;
  /** A second PATCH of one upload is refused. */
  onePiece: boolean;
  /** Where uploads go: another origin than the registry's. */
  uploadOrigin: string | undefined;
  /** Only these repositories exist; undefined: every one that is written to. */
  repositories: Set<string> | undefined;
  /** Tags on a page whatever was asked for. */
  pageSize: number;
  minimumPiece: number | undefined;
}

export interface RecordedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  status: number;
}

export interface StoredManifest {
  readonly type: string;
  readonly bytes: Buffer;
}

export interface FakeRegistry {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly behaviour: Behaviour;
  /** By repository, then by digest. */
  readonly blobs: Map<string, Map<string, Buffer>>;
  /** By repository, then by tag and by digest. */
  readonly manifests: Map<string, Map<string, StoredManifest>>;
  /** Bytes received of uploads that are open. */
  readonly uploads: Map<string, Buffer[]>;
  readonly requests: RecordedRequest[];
  /** The next `times` requests that match (`METHOD /path?query`) meet a fault. */
  fault(match: RegExp, fault: Fault, times?: number): void;
  /** Methods and paths so far, digests shortened, for comparison. */
  log(): readonly string[];
  put(repository: string, bytes: Buffer): string;
  putManifest(repository: string, reference: string, bytes: Buffer | object, type?: string): string;
  close(): Promise<void>;
}

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** Starts a registry on a free port of the loopback interface. */
export async function startFakeRegistry(address = "127.0.0.1"): Promise<FakeRegistry> {
  const faults: { match: RegExp; fault: Fault; times: number }[] = [];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const host = `${address}:${(server.address() as AddressInfo).port}`;
  const registry: FakeRegistry = {
    url: `http://${host}`,
    host,
    behaviour: {
      guard: () => true,
      mount: "yes",
      referrers: true,
      keepsParts: true,
      onePiece: false,
      uploadOrigin: undefined,
      repositories: undefined,
      pageSize: 1000,
      minimumPiece: undefined,
    },
    blobs: new Map(),
    manifests: new Map(),
    uploads: new Map(),
    requests: [],
    fault(match, fault, times = 1) {
      faults.push({ match, fault, times });
    },
    log() {
      return registry.requests.map(({ method, path, status }) =>
        `${method} ${decodeURIComponent(path)} ${status}`
          .replace(/(sha256[:-][0-9a-f]{4})[0-9a-f]{60}/g, "$1")
          .replace(/uploads\/[0-9a-f-]{36}/, "uploads/ID"),
      );
    },
    put(repository, bytes) {
      const digest = sha256(bytes);
      entry(registry.blobs, repository).set(digest, bytes);
      return digest;
    },
    putManifest(repository, reference, content, type = ociManifest) {
      const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
      const digest = sha256(bytes);
      for (const key of [reference, digest]) entry(registry.manifests, repository).set(key, { type, bytes });
      return digest;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "/", "http://registry");
    const record = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      status: 0,
    };
    registry.requests.push(record);
    response.on("close", () => {
      record.status = response.headersSent ? response.statusCode : 0;
    });
    const exchange: Exchange = { request, response, url, registry };
    const found = faults.find(
      ({ match, times }) => times > 0 && match.test(`${request.method} ${request.url}`),
    );
    const handle = async (): Promise<void> => {
      if (found !== undefined) {
        found.times--;
        if (await found.fault(exchange)) return;
      }
      await serve(exchange);
    };
    handle().catch(() => response.destroy());
  });
  return registry;
}

export const ociManifest = "application/vnd.oci.image.manifest.v1+json";
export const ociIndex = "application/vnd.oci.image.index.v1+json";

/** Refuses in the specification's form. */
export function refuse(response: ServerResponse, status: number, code: string, message = code): true {
  const body = JSON.stringify({ errors: [{ code, message, detail: {} }] });
  response.writeHead(status, { "content-type": "application/json" }).end(body);
  return true;
}

function entry<T>(map: Map<string, Map<string, T>>, key: string): Map<string, T> {
  const inner = map.get(key) ?? new Map<string, T>();
  map.set(key, inner);
  return inner;
}

async function serve(exchange: Exchange): Promise<void> {
  const { request, response, url, registry } = exchange;
  const match = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags|referrers)\/([^/]*)$/.exec(url.pathname);
  if (match === null) {
    const allowed = registry.behaviour.guard(request, "", false);
    if (allowed !== true) return unauthorized(response, allowed);
    response.writeHead(url.pathname === "/v2/" ? 200 : 404).end("{}");
    return;
  }
  const [, repository = "", kind, last = ""] = match;
  const write = !["GET", "HEAD"].includes(request.method ?? "") || kind === "blobs/uploads";
  const allowed = registry.behaviour.guard(request, repository, write);
  if (allowed !== true) return unauthorized(response, allowed);
  const known = registry.behaviour.repositories;
  if (known !== undefined && !known.has(repository)) {
    refuse(response, 404, "NAME_UNKNOWN", `The repository with name '${repository}' does not exist`);
    return;
  }
  if (kind === "blobs/uploads") return serveUpload(exchange, repository, last);
  if (kind === "blobs") serveBlob(exchange, repository, last);
  else if (kind === "manifests") await serveManifest(exchange, repository, last);
  else if (kind === "tags") serveTags(exchange, repository);
  else serveReferrers(exchange, repository, last);
}

function unauthorized(response: ServerResponse, challenge: string): void {
  response.setHeader("www-authenticate", challenge);
  refuse(response, 401, "UNAUTHORIZED", "authentication required");
}

function serveBlob({ request, response, registry }: Exchange, repository: string, digest: string): void {
  const bytes = registry.blobs.get(repository)?.get(digest);
  if (bytes === undefined) {
    refuse(response, 404, "BLOB_UNKNOWN");
    return;
  }
  const start = Number(/^bytes=(\d+)-\d*$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (start > 0 && start >= bytes.length) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
    return;
  }
  response.writeHead(start > 0 ? 206 : 200, {
    "content-length": bytes.length - start,
    "docker-content-digest": digest,
    ...(start > 0 ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : bytes.subarray(start));
}

async function serveManifest(
  { request, response, registry }: Exchange,
  repository: string,
  reference: string,
): Promise<void> {
  const all = entry(registry.manifests, repository);
  if (request.method === "PUT") {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const json = JSON.parse(bytes.toString("utf8")) as { subject?: { digest: string } };
    const digest = registry.putManifest(repository, reference, bytes, request.headers["content-type"] ?? "");
    const subject = registry.behaviour.referrers ? json.subject?.digest : undefined;
    response
      .writeHead(201, { "docker-content-digest": digest, ...(subject ? { "oci-subject": subject } : {}) })
      .end();
    return;
  }
  const found = all.get(reference);
  if (found === undefined) {
    refuse(response, 404, "MANIFEST_UNKNOWN");
    return;
  }
  if (request.method === "DELETE") {
    all.delete(reference);
    response.writeHead(202).end();
    return;
  }
  response.writeHead(200, {
    "content-type": found.type,
    "content-length": found.bytes.length,
    "docker-content-digest": sha256(found.bytes),
  });
  response.end(request.method === "HEAD" ? undefined : found.bytes);
}

function serveTags({ response, registry, url }: Exchange, repository: string): void {
  const all = registry.manifests.get(repository);
  if (all === undefined) {
    refuse(response, 404, "NAME_UNKNOWN");
    return;
  }
  const tags = [...all.keys()].filter((key) => !key.includes(":")).sort();
  const last = url.searchParams.get("last");
  const begin = last === null ? 0 : tags.indexOf(last) + 1;
  const size = Math.min(registry.behaviour.pageSize, Number(url.searchParams.get("n") ?? 1000));
  const page = tags.slice(begin, begin + size);
  const more = begin + size < tags.length;
  const link = `</v2/${repository}/tags/list?n=${size}&last=${page.at(-1)}>; rel="next"`;
  response.writeHead(200, { "content-type": "application/json", ...(more ? { link } : {}) });
  response.end(JSON.stringify({ name: repository, tags: page }));
}

function serveReferrers({ response, registry, url }: Exchange, repository: string, subject: string): void {
  if (!registry.behaviour.referrers) {
    response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
    return;
  }
  const wanted = url.searchParams.get("artifactType");
  const manifests = [...entry(registry.manifests, repository)].flatMap(([key, { bytes, type }]) => {
    const json = JSON.parse(bytes.toString("utf8")) as Record<string, never> & {
      subject?: { digest: string };
    };
    if (key !== sha256(bytes) || json.subject?.digest !== subject) return [];
    const { artifactType, annotations } = json;
    if (wanted !== null && artifactType !== wanted) return [];
    return [{ mediaType: type, digest: key, size: bytes.length, artifactType, annotations }];
  });
  response
    .writeHead(200, {
      "content-type": ociIndex,
      ...(wanted ? { "oci-filters-applied": "artifactType" } : {}),
    })
    .end(JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests }));
}

async function serveUpload(exchange: Exchange, repository: string, id: string): Promise<void> {
  const { request, response, registry, url } = exchange;
  const { behaviour, uploads } = registry;
  if (request.method === "POST" && id === "") return beginUpload(exchange, repository);
  const parts = uploads.get(id);
  if (parts === undefined) {
    refuse(response, 404, "BLOB_UPLOAD_UNKNOWN");
    return;
  }
  const size = (): number => parts.reduce((sum, part) => sum + part.length, 0);
  const headers = (): Record<string, string> => ({
    location: locationOf(registry, repository, id),
    range: `0-${Math.max(0, size() - 1)}`,
  });
  if (request.method === "GET") {
    response.writeHead(204, headers()).end();
    return;
  }
  if (request.method === "DELETE") {
    uploads.delete(id);
    response.writeHead(204).end();
    return;
  }
  const begin = Number(/^(\d+)-\d+$/.exec(request.headers["content-range"] ?? "")?.[1] ?? size());
  if (begin !== size() || (behaviour.onePiece && request.method === "PATCH" && size() > 0)) {
    request.resume();
    refuse(response, 416, "RANGE_INVALID");
    return;
  }
  try {
    for await (const chunk of request) parts.push(chunk as Buffer);
  } catch {
    if (!behaviour.keepsParts) uploads.delete(id);
    return;
  }
  if (request.method === "PATCH") {
    response.writeHead(202, headers()).end();
    return;
  }
  uploads.delete(id);
  const bytes = Buffer.concat(parts);
  const digest = url.searchParams.get("digest") ?? "";
  if (sha256(bytes) !== digest) {
    refuse(response, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    return;
  }
  registry.put(repository, bytes);
  const location = `/v2/${repository}/blobs/${digest}`;
  response.writeHead(201, { location, "docker-content-digest": digest }).end();
}

function beginUpload({ response, registry, url }: Exchange, repository: string): void {
  const [digest, from] = [url.searchParams.get("mount"), url.searchParams.get("from")];
  const bytes = registry.blobs.get(from ?? "")?.get(digest ?? "");
  if (digest !== null && registry.behaviour.mount === "denied") {
    refuse(response, 403, "DENIED", "requested access to the resource is denied");
    return;
  }
  if (bytes !== undefined && registry.behaviour.mount === "yes") {
    registry.put(repository, bytes);
    response.writeHead(201, { location: `/v2/${repository}/blobs/${digest}` }).end();
    return;
  }
  const id = randomUUID();
  registry.uploads.set(id, []);
  const least = registry.behaviour.minimumPiece;
  response
    .writeHead(202, {
      location: locationOf(registry, repository, id),
      range: "0-0",
      ...(least === undefined ? {} : { "oci-chunk-min-length": least }),
    })
    .end();
}

function locationOf({ behaviour }: FakeRegistry, repository: string, id: string): string {
  return `${behaviour.uploadOrigin ?? ""}/v2/${repository}/blobs/uploads/${id}?state=a%2Fb`;
}
