/**
 * Programs that keep credentials, `docker-credential-NAME` (the protocol of docker/docker-credential-helpers): the
 * registry on standard input, JSON on standard output. Secrets are in no argument and no message.
 */
import { spawn } from "node:child_process";
import { interruption } from "../net/retry.ts";
import { SpacktainersError } from "../util/errors.ts";
import { isJsonObject } from "../util/json.ts";
import type { Credentials } from "./types.ts";

const maxOutput = 65_536;
/** A helper may have to ask its user; in milliseconds. */
const patienceMs = 60_000;

export interface HelperOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks a helper for the credentials of a registry.
 *
 * @param name as in `credHelpers` and `credsStore`
 * @param server the registry as helpers know it
 * @returns undefined when it has none
 * @throws RUNTIME_MISSING when there is no such program; PROCESS_FAILED when it fails; INTERRUPTED
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  { env, signal }: HelperOptions,
): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(name))
    throw new SpacktainersError("CONFIG_INVALID", "the name of a credential helper is malformed");
  const program = `docker-credential-${name}`;
  const { status, output } = await run(program, server, env, signal);
  if (status !== 0) {
    // The protocol has no code for this, only the words.
    if (/credentials not found|no credentials server URL|could not be found in the keychain/i.test(output))
      return undefined;
    throw failed(program, `it ended with status ${status}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(output);
  } catch {
    throw failed(program, "its answer is not JSON");
  }
  const { Username, Secret } = isJsonObject(json) ? json : {};
  if (typeof Username !== "string" || typeof Secret !== "string")
    throw failed(program, "its answer has no Username and Secret");
  if (Secret === "") return undefined;
  if (Username === "<token>") return { kind: "identity", token: Secret, origin: program };
  return { kind: "user", username: Username, password: Secret, origin: program };
}

function run(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<{ readonly status: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(interruption(signal, input));
      return;
    }
    const child = spawn(program, ["get"], { env, stdio: ["pipe", "pipe", "ignore"] });
    const chunks: Buffer[] = [];
    let length = 0;
    let trouble: SpacktainersError | undefined;
    const stop = (error: SpacktainersError): void => {
      trouble ??= error;
      child.kill("SIGKILL");
      // What it started may live on and hold the pipe; without a reader it ends as well.
      child.stdout.destroy();
    };
    const timer = setTimeout(() => stop(failed(program, "it does not answer")), patienceMs);
    const interrupt = (): void => stop(interruption(signal, input));
    signal?.addEventListener("abort", interrupt, { once: true });
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", interrupt);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      end();
      const missing = error.code === "ENOENT";
      reject(
        missing
          ? new SpacktainersError("RUNTIME_MISSING", `the credential helper ${program} is not installed`)
          : failed(program, `it cannot be started (${error.code})`),
      );
    });
    child.on("close", (status) => {
      end();
      if (trouble !== undefined) reject(trouble);
      else resolve({ status, output: Buffer.concat(chunks).toString("utf8") });
    });
    child.stdout.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxOutput) stop(failed(program, "its answer is too long"));
      else chunks.push(chunk);
    });
    // It may end without reading.
    child.stdin.on("error", () => {});
    child.stdin.end(`${input}\n`);
  });
}

function failed(program: string, what: string): SpacktainersError {
  return new SpacktainersError("PROCESS_FAILED", `the credential helper ${program} failed: ${what}`);
}
