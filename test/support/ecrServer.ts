/**
 * The two calls of the ECR API that the client makes, as AWS answers them: JSON 1.1, the call in `X-Amz-Target`, requests
 * signed with Signature Version 4, which is checked. Written from the API's reference; the SDK's own model reads the answers.
 */
import { createHash, createHmac } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface EcrCall {
  readonly target: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export interface EcrServer {
  readonly url: string;
  readonly calls: EcrCall[];
  /** Secrets by access key. */
  readonly keys: Map<string, string>;
  /** Password of the user `AWS`. */
  password: string;
  /** Seconds that it is valid. */
  lifetime: number;
  readonly repositories: Set<string>;
  /** The next calls are refused like this. */
  readonly refusals: { readonly status: number; readonly type: string; readonly message: string }[];
  close(): Promise<void>;
}

const prefix = "AmazonEC2ContainerRegistry_V20150921.";

export async function startEcrServer(): Promise<EcrServer> {
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, type, body }) => {
        const headers = { "content-type": "application/x-amz-json-1.1", "x-amzn-requestid": "11111111" };
        const json = type === undefined ? body : { __type: `com.amazonaws.ecr#${type}`, ...body };
        response.writeHead(status, headers).end(JSON.stringify(json));
      },
      () => response.destroy(),
    );
  });

  async function answer(request: IncomingMessage): Promise<{ status: number; type?: string; body: object }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const refuse = (status: number, type: string, message: string) => ({ status, type, body: { message } });
    const target = String(request.headers["x-amz-target"] ?? "");
    if (request.method !== "POST" || request.url !== "/" || !target.startsWith(prefix))
      return refuse(400, "UnknownOperationException", "");
    if (request.headers["content-type"] !== "application/x-amz-json-1.1")
      return refuse(400, "SerializationException", "");
    const signed = checkSignature(request, body, ecr.keys);
    if (typeof signed === "string") return refuse(400, signed, "The request signature is not valid.");
    const input = JSON.parse(body.toString("utf8")) as Record<string, unknown>;
    const name = target.slice(prefix.length);
    ecr.calls.push({ target: name, ...signed, input });
    const next = ecr.refusals.shift();
    if (next !== undefined) return refuse(next.status, next.type, next.message);
    if (name === "GetAuthorizationToken") {
      const authorizationToken = Buffer.from(`AWS:${ecr.password}`).toString("base64");
      const expiresAt = Date.now() / 1000 + ecr.lifetime;
      const proxyEndpoint = `https://123456789012.dkr.ecr.${signed.region}.amazonaws.com`;
      return { status: 200, body: { authorizationData: [{ authorizationToken, expiresAt, proxyEndpoint }] } };
    }
    if (name !== "CreateRepository") return refuse(400, "UnknownOperationException", "");
    const repositoryName = String(input.repositoryName);
    if (!/^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$/.test(repositoryName))
      return refuse(400, "InvalidParameterException", "Invalid parameter at 'repositoryName'");
    if (ecr.repositories.has(repositoryName))
      return refuse(
        400,
        "RepositoryAlreadyExistsException",
        `The repository with name '${repositoryName}' already exists in the registry with id '123456789012'`,
      );
    ecr.repositories.add(repositoryName);
    return {
      status: 200,
      body: {
        repository: {
          repositoryArn: `arn:aws:ecr:${signed.region}:123456789012:repository/${repositoryName}`,
          registryId: "123456789012",
          repositoryName,
          createdAt: Date.now() / 1000,
          imageTagMutability: "MUTABLE",
        },
      },
    };
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const ecr: EcrServer = {
    url: `http://127.0.0.1:${port}`,
    calls: [],
    keys: new Map(),
    password: "ecr-password-1",
    lifetime: 12 * 3600,
    repositories: new Set(),
    refusals: [],
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return ecr;
}

/** Signature Version 4 as AWS documents it ("Create a signed AWS API request"): what the signature is of, or the refusal. */
function checkSignature(
  request: IncomingMessage,
  body: Buffer,
  keys: ReadonlyMap<string, string>,
): { region: string; accessKeyId: string } | string {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([a-z0-9-]+)\/(\w+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    );
  if (parts === null) return "MissingAuthenticationTokenException";
  const [, accessKeyId = "", day = "", region = "", service = "", names = "", signature = ""] = parts;
  const secret = keys.get(accessKeyId);
  if (secret === undefined) return "UnrecognizedClientException";
  if (service !== "ecr" || !names.split(";").includes("host") || !names.includes("x-amz-target"))
    return "InvalidSignatureException";
  const sha = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
  const headers = names.split(";").map((name) => `${name}:${String(request.headers[name] ?? "").trim()}\n`);
  const canonical = ["POST", "/", "", headers.join(""), names, sha(body)].join("\n");
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", request.headers["x-amz-date"], scope, sha(canonical)].join("\n");
  const hmac = (key: string | Buffer, data: string): Buffer =>
    createHmac("sha256", key).update(data).digest();
  const key = [day, region, service, "aws4_request"].reduce<string | Buffer>(hmac, `AWS4${secret}`);
  return hmac(key, text).toString("hex") === signature
    ? { region, accessKeyId }
    : "InvalidSignatureException";
}
