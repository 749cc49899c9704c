/** Amazon ECR: tokens by AWS's usual chain of credentials, repositories made when they are missing. */
import type { ECRClient, ECRClientConfig } from "@aws-sdk/client-ecr";
import { statusFailure, transportFailure } from "../net/failure.ts";
import { type RetryPolicy, TransientFailure, withRetries } from "../net/retry.ts";
import { openSdkHandler } from "../net/sdkHandler.ts";
import { sdkIdentity } from "../net/sdkIdentity.ts";
import { SpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";
import type { EmitEvent } from "../util/events.ts";
import { setProcessVariable } from "../util/surroundings.ts";
import type { RegistryHost, RepositoryName } from "./reference.ts";
import type { Credentials } from "./types.ts";

type Sdk = typeof import("@aws-sdk/client-ecr");

/** What the name of a private ECR registry says. */
export interface EcrName {
  /** Twelve digits. */
  readonly account: string;
  readonly region: string;
}

export interface EcrOptions {
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
  readonly retries?: number;
  readonly retryDelayMs?: number;
}

/** The ECR API as far as registries need it. */
export interface EcrAuthority {
  /** Name and password for the registry, valid for hours; undefined when this machine has no AWS credentials. */
  credentials(): Promise<Credentials | undefined>;
  /** The next {@link EcrAuthority.credentials} are new ones. */
  forget(): void;
  /** Makes a repository; that it is there already is no error. */
  create(repository: RepositoryName): Promise<void>;
  close(): void;
}

/** A token is renewed so long before its end, in milliseconds. */
const renewalMs = 5 * 60_000;

/**
 * Takes the name of a private ECR registry apart: `ACCOUNT.dkr.ecr[-fips].REGION.amazonaws.com[.cn]`, or the newer
 * `ACCOUNT.dkr-ecr[-fips].REGION.on.aws`.
 */
export function parseEcrHost(host: string): EcrName | undefined {
  const parts =
    /^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]{1,32})\.(?:amazonaws\.com(?:\.cn)?|on\.aws|on\.amazonwebservices\.com\.cn)$/.exec(
      host,
    );
  const [, account, region] = parts ?? [];
  return account === undefined || region === undefined ? undefined : { account, region };
}

/** Whether a host is a private ECR registry. */
export function isEcr(host: string): boolean {
  return parseEcrHost(host) !== undefined;
}

/**
 * The ECR API of a registry. The SDK (a large library) is loaded at the first use; its endpoint can be changed as for
 * every AWS program (`AWS_ENDPOINT_URL_ECR`).
 *
 * @param host an ECR registry, or any other that is said to be one; then the region is that of the environment
 */
export function ecrAuthority(host: RegistryHost, options: EcrOptions): EcrAuthority {
  const name = parseEcrHost(host);
  const place = { url: host };
  const policy: RetryPolicy = {
    retries: options.retries ?? 4,
    delayMs: options.retryDelayMs ?? 300,
    emit: options.emit,
    signal: options.signal,
  };
  let connection: Promise<{ sdk: Sdk; client: ECRClient } | undefined> | undefined;
  let token: Promise<Credentials | undefined> | undefined;

  async function connect(): Promise<{ sdk: Sdk; client: ECRClient } | undefined> {
    connection ??= makeClient(name?.region, options.signal);
    return connection;
  }

  async function send<T>(
    what: string,
    run: (sdk: Sdk, client: ECRClient, abort: object) => Promise<T>,
  ): Promise<T | undefined> {
    const made = await connect();
    if (made === undefined) return undefined;
    const abort = options.signal === undefined ? {} : { abortSignal: options.signal };
    return withRetries(policy, host, () =>
      run(made.sdk, made.client, abort).catch((thrown) => {
        throw ecrFailure(thrown, host, what, options.signal);
      }),
    );
  }

  async function askToken(): Promise<Credentials | undefined> {
    const answer = await send("an authorization token", (sdk, client, abort) =>
      client.send(new sdk.GetAuthorizationTokenCommand({}), abort),
    );
    if (answer === undefined) return undefined;
    const [data] = answer.authorizationData ?? [];
    const pair = Buffer.from(data?.authorizationToken ?? "", "base64").toString("utf8");
    const colon = pair.indexOf(":");
    if (colon < 1) throw new SpacktainersError("ACCESS_DENIED", "ECR gave no authorization token", { place });
    const expiresAt = data?.expiresAt?.getTime();
    return {
      kind: "user",
      username: pair.slice(0, colon),
      password: pair.slice(colon + 1),
      origin: "AWS",
      expiresAt,
    };
  }

  return {
    async credentials() {
      const known = await token;
      if (known?.expiresAt !== undefined && Date.now() > known.expiresAt - renewalMs) token = undefined;
      token ??= askToken();
      // A failure is not remembered.
      token.catch(() => {
        token = undefined;
      });
      return token;
    },
    forget() {
      token = undefined;
    },
    async create({ path }) {
      const owner = name === undefined ? {} : { registryId: name.account };
      const answer = await send(`to make the repository ${path}`, (sdk, client, abort) =>
        client
          .send(new sdk.CreateRepositoryCommand({ repositoryName: path, ...owner }), abort)
          .catch((thrown) => {
            // Somebody else was faster.
            if ((thrown as Error).name === "RepositoryAlreadyExistsException") return true;
            throw thrown;
          }),
      );
      if (answer === undefined)
        throw new SpacktainersError("ACCESS_DENIED", `no AWS credentials to make the repository ${path}`, {
          place,
          hint: "set AWS_PROFILE, or log in with `aws sso login`; or make the repository beforehand",
        });
    },
    close() {
      connection?.then((made) => made?.client.destroy()).catch(() => {});
    },
  };
}

async function makeClient(
  region: string | undefined,
  signal: AbortSignal | undefined,
): Promise<{ sdk: Sdk; client: ECRClient } | undefined> {
  // The SDK prints a notice about coming Node versions; what we support is our own decision.
  setProcessVariable("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true");
  const sdk = await import("@aws-sdk/client-ecr");
  const config: ECRClientConfig = {
    // We count attempts ourselves, as for HTTP.
    maxAttempts: 1,
    // The SDK must not write to the terminal.
    logger: { trace() {}, debug() {}, info() {}, warn() {}, error() {} },
    requestHandler: openSdkHandler({ signal }) as ECRClientConfig["requestHandler"] & object,
    ...sdkIdentity(),
    ...(region === undefined ? {} : { region }),
  };
  let client = new sdk.ECRClient(config);
  const hasRegion = await client.config.region().then(
    () => true,
    () => false,
  );
  if (!hasRegion) client = new sdk.ECRClient({ ...config, region: "us-east-1" });
  const credentials = await client.config.credentials().catch(() => undefined);
  if (credentials !== undefined) return { sdk, client };
  client.destroy();
  return undefined;
}

/** The SDK's exceptions in our words. */
function ecrFailure(thrown: unknown, host: string, what: string, signal: AbortSignal | undefined): unknown {
  const { name, message, code, $metadata } = thrown as {
    name?: string;
    message?: string;
    code?: string;
    $metadata?: { httpStatusCode?: number };
  };
  const place = { url: host };
  // The SDK's exceptions carry the whole exchange, signed headers and tokens included: none of that may get into our errors.
  const cause = Object.assign(new Error(`${name}: ${message}`), code === undefined ? {} : { code });
  const status = $metadata?.httpStatusCode;
  if (status === undefined) return transportFailure(cause, `https://${host}`, signal);
  const said = escapeControlsInLine(`${name}: ${message}`.slice(0, 400));
  if (name === "ThrottlingException" || name === "TooManyRequestsException")
    return new TransientFailure(new SpacktainersError("NETWORK", `ECR is busy: ${said}`, { place, cause }));
  if (status >= 500) return statusFailure(status, `https://${host}`, undefined);
  const denied =
    status === 401 ||
    status === 403 ||
    /AccessDenied|UnrecognizedClient|ExpiredToken|InvalidSignature/.test(name ?? "");
  return denied
    ? new SpacktainersError("ACCESS_DENIED", `AWS refuses ${what}: ${said}`, {
        place,
        hint: "check the AWS credentials (AWS_PROFILE, `aws sso login`) and the policy of their user",
        cause,
      })
    : new SpacktainersError("REGISTRY_REFUSED", `ECR refuses ${what}: ${said}`, { place, cause });
}
