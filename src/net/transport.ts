/** Connections: `undici` with the environment's proxies, made at the first request. */
import { setMaxListeners } from "node:events";
import type { Dispatcher } from "undici";
import { hostEnvironment } from "../util/surroundings.ts";
import { repairUndici } from "./undiciRepair.ts";

export interface TransportOptions {
  /** The signal that requests will be given: many at a time listen to it. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds to wait for a connection; default 15 000. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds of silence after which a connection counts as broken; default 30 000. */
  readonly idleTimeoutMs?: number;
  /** Hosts that are reached without a proxy, whatever the environment says. */
  readonly direct?: readonly string[];
}

/** The library, and the pool that requests go through. */
export interface Transport {
  readonly undici: typeof import("undici");
  readonly dispatcher: Dispatcher;
}

/** Gives the transport, made when first asked for: commands that need no network do not pay for it. */
export interface LazyTransport {
  (): Promise<Transport>;
  /** Closes its connections, if there are any. */
  close(): Promise<void>;
}

/** A transport of its own pool. Proxies are those of `http_proxy`, `https_proxy` and `no_proxy`. */
export function openTransport(options: TransportOptions = {}): LazyTransport {
  let made: Promise<Transport> | undefined;
  const { direct = [] } = options;
  // Node warns of a leak from eleven listeners on.
  if (options.signal !== undefined) setMaxListeners(0, options.signal);
  const transport = () => {
    repairUndici();
    made ??= import("undici").then((undici) => ({
      undici,
      dispatcher: new undici.EnvHttpProxyAgent({
        connect: { timeout: options.connectTimeoutMs ?? 15_000 },
        headersTimeout: options.idleTimeoutMs ?? 30_000,
        bodyTimeout: options.idleTimeoutMs ?? 30_000,
        connections: 16,
        ...(direct.length === 0 ? {} : { noProxy: [noProxy(), ...direct].join(",") }),
        // Plain HTTP goes through a proxy as ordinary requests: many proxies refuse tunnels to port 80.
        proxyTunnel: false,
      }),
    }));
    return made;
  };
  transport.close = async (): Promise<void> => {
    if (made !== undefined) await (await made).dispatcher.destroy();
  };
  return transport;
}

function noProxy(): string {
  return hostEnvironment().no_proxy ?? hostEnvironment().NO_PROXY ?? "";
}
