/** A small signed Debian archive behind a real HTTP server, for tests. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import type { PrivateKey } from "openpgp";
import * as openpgp from "openpgp";
import { type DebParts, makeDeb, packagesParagraph, sha256 } from "./makeDeb.ts";

export interface SigningKey {
  readonly privateKey: PrivateKey;
  /** Armoured. */
  readonly publicKey: string;
}

export async function makeSigningKey(name = "Test Archive"): Promise<SigningKey> {
  const { privateKey, publicKey } = await openpgp.generateKey({
    userIDs: [{ name }],
    format: "object",
    type: "ecc",
    curve: "ed25519Legacy",
    date: new Date("2020-01-01T00:00:00Z"),
  });
  return { privateKey, publicKey: publicKey.armor() };
}

export async function sign(text: string, { privateKey }: SigningKey, date?: Date): Promise<string> {
  const message = await openpgp.createCleartextMessage({ text });
  return openpgp.sign({ message, signingKeys: privateKey, ...(date === undefined ? {} : { date }) });
}

export interface ReleaseFields {
  readonly suite: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export function releaseText({ suite, fields, files }: ReleaseFields): string {
  const all = {
    Origin: "Debian",
    Suite: suite,
    Codename: suite,
    Date: "Sat, 11 Jul 2020 10:16:37 UTC",
    Architectures: "all amd64 arm64",
    Components: "main",
    "Acquire-By-Hash": "yes",
    "No-Support-for-Architecture-all": "Packages",
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\n`);
  lines.push("SHA256:\n");
  for (const [path, bytes] of files) lines.push(` ${sha256(bytes)} ${bytes.length} ${path}\n`);
  return lines.join("");
}

/** A server whose files can be changed while it runs. */
export interface TestArchive {
  readonly url: string;
  /** Content by path without leading slash. */
  readonly files: Map<string, Uint8Array>;
  /** Paths asked for, with the status answered. */
  readonly requests: string[];
  /** Makes and signs `dists/<suite>` from these packages. */
  publish(suite: string, packages: readonly DebParts[], options?: PublishOptions): Promise<void>;
  close(): Promise<void>;
}

export interface PublishOptions {
  readonly fields?: Readonly<Record<string, string>>;
  readonly key?: SigningKey;
  /** Further indexes by path below the suite's folder. */
  readonly indexes?: Readonly<Record<string, Uint8Array>>;
}

export async function startArchive(key: SigningKey): Promise<TestArchive> {
  const files = new Map<string, Uint8Array>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "/").slice(1));
    const content = files.get(path);
    const etag = content === undefined ? "" : `"${sha256(content).slice(0, 16)}"`;
    const status = content === undefined ? 404 : request.headers["if-none-match"] === etag ? 304 : 200;
    requests.push(`${status} ${path}`);
    if (status === 404) response.writeHead(404).end();
    else if (status === 304) response.writeHead(304, { etag }).end();
    else answer(request, content ?? Buffer.alloc(0), etag);

    function answer(asked: IncomingMessage, bytes: Uint8Array, tag: string): void {
      const start = Number(/^bytes=(\d+)-$/.exec(asked.headers.range ?? "")?.[1] ?? 0);
      const headers = { etag: tag, "content-length": bytes.length - start };
      if (start > 0)
        response.writeHead(206, {
          ...headers,
          "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
        });
      else response.writeHead(200, headers);
      response.end(bytes.subarray(start));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/debian`,
    files,
    requests,
    async publish(suite, packages, options = {}) {
      const paragraphs: Record<string, string[]> = { amd64: [], arm64: [] };
      for (const parts of packages) {
        const deb = await makeDeb(parts);
        const paragraph = packagesParagraph(parts, deb);
        const filename = /^Filename: (.*)$/m.exec(paragraph)?.[1] ?? "";
        files.set(`debian/${decodeURIComponent(filename)}`, deb);
        for (const architecture of ["amd64", "arm64"])
          if ([architecture, "all"].includes(parts.architecture ?? "amd64"))
            paragraphs[architecture]?.push(paragraph);
      }
      const indexes = new Map<string, Uint8Array>();
      for (const [architecture, list] of Object.entries(paragraphs)) {
        const text = Buffer.from(list.join("\n"));
        indexes.set(`main/binary-${architecture}/Packages`, text);
        indexes.set(`main/binary-${architecture}/Packages.gz`, gzipSync(text));
      }
      for (const [path, bytes] of Object.entries(options.indexes ?? {})) indexes.set(path, bytes);
      for (const [path, bytes] of indexes) {
        const folder = path.slice(0, path.lastIndexOf("/"));
        files.set(`debian/dists/${suite}/${path}`, bytes);
        files.set(`debian/dists/${suite}/${folder}/by-hash/SHA256/${sha256(bytes)}`, bytes);
      }
      const text = releaseText({
        suite,
        files: indexes,
        ...(options.fields ? { fields: options.fields } : {}),
      });
      files.set(`debian/dists/${suite}/InRelease`, Buffer.from(await sign(text, options.key ?? key)));
    },
    close: () => closeServer(server),
  };
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
