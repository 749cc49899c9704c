/**
 * The AWS SDK on our own connections, so that it uses the same proxies and time limits as everything else (by itself it
 * knows no proxies). Implements the SDK's request handler interface, by shape.
 */
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { type LazyTransport, openTransport, type TransportOptions } from "./transport.ts";

/** A request as the SDK makes it: signed, its path encoded. */
export interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>> | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Readable;
}

export interface SdkHandler {
  readonly metadata: { readonly handlerProtocol: string };
  handle(
    request: SdkRequest,
    options?: { readonly abortSignal?: unknown },
  ): Promise<{ readonly response: SdkResponse }>;
  destroy(): void;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): object;
}

/** A request handler for SDK clients (`requestHandler`). */
export function openSdkHandler(options: TransportOptions = {}): SdkHandler {
  const transport: LazyTransport = openTransport(options);
  return {
    metadata: { handlerProtocol: "http/1.1" },
    async handle(request, handleOptions = {}) {
      const { dispatcher } = await transport();
      const signal = handleOptions.abortSignal;
      const port = request.port === undefined ? "" : `:${request.port}`;
      const headers = Object.fromEntries(
        // undici writes the first two itself, and does not know how to wait for permission to send.
        Object.entries(request.headers).filter(
          ([name]) => !/^(connection|content-length|expect)$/i.test(name),
        ),
      );
      const response = await dispatcher.request({
        origin: `${request.protocol}//${request.hostname}${port}`,
        path: request.path + queryOf(request.query ?? {}),
        method: request.method as Dispatcher.HttpMethod,
        headers,
        body: (request.body ?? null) as Dispatcher.DispatchOptions["body"] & null,
        ...(signal instanceof AbortSignal ? { signal } : {}),
      });
      const answered = Object.entries(response.headers).map(([name, value]) => [name, String(value ?? "")]);
      return {
        response: {
          statusCode: response.statusCode,
          headers: Object.fromEntries(answered),
          body: response.body,
        },
      };
    },
    destroy() {
      transport.close().catch(() => {});
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

function queryOf(query: Readonly<Record<string, string | readonly string[] | null>>): string {
  const parts: string[] = [];
  for (const name of Object.keys(query).sort()) {
    const value = query[name];
    if (value === null || value === undefined) parts.push(escaped(name));
    else for (const one of [value].flat()) parts.push(`${escaped(name)}=${escaped(one)}`);
  }
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** As the signature counts it: everything but letters, digits and `-_.~` is encoded. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
}
