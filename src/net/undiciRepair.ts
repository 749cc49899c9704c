/**
 * A repair of a fault in undici 7 (nodejs/undici issue 5360; mended in version 8, which needs a newer Node than ours):
 * when a server closes the connection after its answer (`Connection: close`, HTTP/1.0) while we read more slowly than it
 * sends, an assertion fails where nobody can catch it and ends the process. Before the parser learns that the connection
 * ended, it must be woken and given what it has not parsed yet.
 */
import { subscribe } from "node:diagnostics_channel";

/** The part of undici's HTTP/1 parser that matters here. */
interface Parser {
  ptr: unknown;
  paused: boolean;
  /** Ours: there was nothing more to read. */
  drained?: boolean;
  readonly socket: { read(): Uint8Array | null };
  readonly llhttp: { llhttp_resume(ptr: unknown): void };
  execute(chunk: Uint8Array): void;
  finish(): unknown;
}

const nothing = Buffer.alloc(0);
const repaired = new WeakSet<object>();
let subscribed = false;

/** Repairs the parser when the first connection is made. May be called any number of times. */
export function repairUndici(): void {
  if (subscribed) return;
  subscribed = true;
  subscribe("undici:client:connected", (message) => {
    const { socket } = message as { socket?: Readonly<Record<symbol, unknown>> };
    if (socket === undefined) return;
    for (const symbol of Object.getOwnPropertySymbols(socket)) {
      const value = socket[symbol];
      if (isParser(value)) repair(Object.getPrototypeOf(value));
    }
  });
}

function repair(prototype: Parser): void {
  if (repaired.has(prototype) || !Object.hasOwn(prototype, "finish")) return;
  repaired.add(prototype);
  const { finish } = prototype;
  prototype.finish = function finishWhenRead(this: Parser) {
    while (this.paused && this.ptr !== null) {
      this.llhttp.llhttp_resume(this.ptr);
      this.paused = false;
      const rest = this.socket.read();
      // A body that only the end of the connection ends is completed by what follows.
      if (rest === null && this.drained) break;
      this.drained = rest === null;
      // What arrives is kept by the reader of the body, however slow; at this point it is a socket's buffer at most.
      this.execute(rest ?? nothing);
    }
    return this.ptr === null ? null : finish.call(this);
  };
}

function isParser(value: unknown): value is Parser {
  if (typeof value !== "object" || value === null) return false;
  const { paused, finish, execute, llhttp, socket } = value as Partial<Parser>;
  return (
    typeof paused === "boolean" &&
    typeof finish === "function" &&
    typeof execute === "function" &&
    typeof llhttp?.llhttp_resume === "function" &&
    typeof socket?.read === "function"
  );
}
