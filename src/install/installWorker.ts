/** The worker thread of the install pool: installs one package at a time (see `installPool.ts`). */
import type { MessagePort } from "node:worker_threads";
import type { CompressOptions } from "../archive/compressStream.ts";
import { asSpacktainersError, type ErrorCode, type Place } from "../util/errors.ts";
import { installFragment } from "./installFragment.ts";
import type { InstallRequest, LayerFragment } from "./types.ts";

/** What the pool sends. */
export interface InstallJob {
  readonly request: InstallRequest;
  readonly path: string;
  readonly options: CompressOptions;
  /** Progress goes out: numbers, bytes of the archive read. Any message that comes in asks to stop. */
  readonly port: MessagePort;
}

/** What the worker answers. Errors travel as data: a cloned Error keeps neither its class nor its fields. */
export type InstallOutcome =
  | { readonly fragment: LayerFragment }
  | {
      readonly failure: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly place: Place;
        readonly hint: string | undefined;
      };
    };

/** Progress is sent at most this often. */
const reportEveryMs = 50;

/** Runs one job. The default export is what piscina calls. */
export default async function runInstallJob(job: InstallJob): Promise<InstallOutcome> {
  const { request, path, options, port } = job;
  const stop = new AbortController();
  port.on("message", () => stop.abort());
  let unreported = 0;
  let reported = 0;
  const report = (): void => {
    if (unreported > 0) port.postMessage(unreported);
    unreported = 0;
    reported = performance.now();
  };
  try {
    const fragment = await installFragment(request, path, {
      writing: options,
      signal: stop.signal,
      onRead(bytes) {
        unreported += bytes;
        if (performance.now() - reported >= reportEveryMs) report();
      },
    });
    report();
    return { fragment };
  } catch (error) {
    const { code, message, place, hint } = asSpacktainersError(error);
    return { failure: { code, message, place, hint } };
  } finally {
    port.close();
  }
}
