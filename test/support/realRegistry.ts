/** Real registries for tests, where they are installed: Debian's `docker-registry`, and go-containerregistry's (`crane`). */
import { execFileSync, spawn } from "node:child_process";
import { createPrivateKey, randomUUID, sign, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { commandExists } from "./commandExists.ts";
import { freePort, listening } from "./staticServer.ts";
import type { MintToken } from "./tokenServer.ts";

export interface RealRegistry {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** With `secure`: `127.0.0.1:PORT` of the same registry by HTTPS, and the file of its certificate. */
  readonly secure: { readonly host: string; readonly certificate: string } | undefined;
  /** Kills it, as a power cut would, and starts it again with the same data and address. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface DockerRegistryOptions {
  /** Who may enter, by Basic authentication: passwords by name. */
  readonly users?: Readonly<Record<string, string>>;
  /** Tokens of this server are needed. */
  readonly tokens?: { readonly realm: string; readonly certificate: string };
  /** A folder whose copy is what the registry has at first. */
  readonly data?: string;
  /** It is served by HTTPS, too, with a certificate of its own. */
  readonly secure?: boolean;
}

/**
 * Why Debian's registry cannot be used here, or undefined.
 * @param others programs that are needed besides: `htpasswd` for a registry with users, `openssl` for one with tokens or by HTTPS
 */
export function dockerRegistryTrouble(...others: readonly ("htpasswd" | "openssl")[]): string | undefined {
  const missing = ["docker-registry", ...others].find((program) => !commandExists(program));
  return missing && `${missing} is not installed`;
}

/** Starts Debian's registry, empty unless it is given something. */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<RealRegistry> {
  const folder = await mkdtemp(join(tmpdir(), "spacktainers-registry-"));
  const host = `127.0.0.1:${await freePort()}`;
  if (options.data !== undefined) await cp(options.data, join(folder, "data"), { recursive: true });
  let auth = "";
  if (options.users !== undefined) {
    const lines = Object.entries(options.users).map(([name, password]) =>
      execFileSync("htpasswd", ["-niB", "-C", "4", name], { input: password, encoding: "utf8" }).trim(),
    );
    await writeFile(join(folder, "htpasswd"), `${lines.join("\n")}\n`);
    auth = `auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}\n`;
  }
  if (options.tokens !== undefined) {
    await writeFile(join(folder, "tokens.pem"), options.tokens.certificate);
    auth = `auth: {token: {realm: "${options.tokens.realm}", service: fake, issuer: spacktainers-tests, rootcertbundle: ${folder}/tokens.pem}}\n`;
  }
  const start = async (address: string, tls: string, clean: () => Promise<void>): Promise<RealRegistry> => {
    const config = join(folder, `config-${address.split(":").at(-1)}.yml`);
    await writeFile(
      config,
      `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${folder}/data}, delete: {enabled: true}}
http: {addr: "${address}", secret: ${randomUUID()}${tls}}
${auth}`,
    );
    return serve(address, "docker-registry", ["serve", config], clean);
  };
  const registry = await start(host, "", () => rm(folder, { recursive: true, force: true }));
  if (options.secure !== true) return registry;
  // A process of its own, which has the same files.
  const [key, certificate] = [join(folder, "https.key"), join(folder, "https.pem")];
  const subject = ["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, ...subject],
    { stdio: "ignore", timeout: 60_000 },
  );
  const address = `127.0.0.1:${await freePort()}`;
  const tls = `, tls: {certificate: ${certificate}, key: ${key}}`;
  const other = await start(address, tls, async () => {});
  return {
    ...registry,
    secure: { host: address, certificate },
    async close() {
      await other.close();
      await registry.close();
    },
  };
}

/** The program `crane`, as `scripts/install-components.sh` installs it. */
export function crane(): string | undefined {
  const own = resolve(import.meta.dirname, "../../.scratch/go/bin/crane");
  if (existsSync(own)) return own;
  return commandExists("crane") ? "crane" : undefined;
}

/** Starts go-containerregistry's registry, empty, in memory. */
export async function startCraneRegistry(): Promise<RealRegistry> {
  const program = crane();
  if (program === undefined) throw new Error("crane is not installed");
  const host = `127.0.0.1:${await freePort()}`;
  return serve(host, program, ["registry", "serve", "--address", host], async () => {});
}

async function serve(
  host: string,
  program: string,
  args: readonly string[],
  clean: () => Promise<void>,
): Promise<RealRegistry> {
  const start = async (): Promise<() => Promise<void>> => {
    const child = spawn(program, args, { stdio: "ignore", env: { ...process.env, HTTP_PROXY: "" } });
    const ended = new Promise<void>((done) => child.once("exit", () => done()));
    await listening(`http://${host}/v2/`);
    return () => {
      child.kill("SIGKILL");
      return ended;
    };
  };
  let stop = await start();
  return {
    host,
    secure: undefined,
    async restart() {
      await stop();
      stop = await start();
    },
    async close() {
      await stop();
      await clean();
    },
  };
}

/** A key and its certificate for signing tokens as docker-registry reads them (JWT, ES256, certificate in `x5c`). */
export async function tokenSigner(): Promise<{ readonly mint: MintToken; readonly certificate: string }> {
  const folder = await mkdtemp(join(tmpdir(), "spacktainers-signer-"));
  const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-days", "2", "-subj", "/CN=spacktainers-tests"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", certificate, ...subject], {
    stdio: "ignore",
  });
  const privateKey = createPrivateKey(readFileSync(key));
  const pem = readFileSync(certificate, "utf8");
  await rm(folder, { recursive: true });
  const x5c = [new X509Certificate(pem).raw.toString("base64")];
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return {
    certificate: pem,
    mint(user, granted, seconds) {
      const now = Math.floor(Date.now() / 1000);
      const access = granted.map(({ name, actions }) => ({ type: "repository", name, actions }));
      const claims = {
        iss: "spacktainers-tests",
        sub: user ?? "",
        aud: "fake",
        exp: now + Math.ceil(seconds),
        nbf: now - 10,
        iat: now,
        jti: randomUUID(),
        access,
      };
      const text = `${encode({ typ: "JWT", alg: "ES256", x5c })}.${encode(claims)}`;
      const signature = sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
      return `${text}.${signature.toString("base64url")}`;
    },
  };
}
