/** A token server ("Token Authentication" of the distribution project) in memory: opaque tokens, real checks. */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Guard } from "./fakeRegistry.ts";

export interface TokenServer {
  readonly url: string;
  /** Users and what they may do with which repositories: `alice` → `team/` → may push below it. */
  readonly users: Map<string, { readonly password: string; readonly writes: string }>;
  /** Repositories that everybody may read begin with this. */
  public: string;
  /** Refresh tokens and whose they are. */
  readonly refreshTokens: Map<string, string>;
  /** Seconds that tokens live, as announced. */
  lifetime: number;
  /** Every request: who asked, how, for what. */
  readonly requests: {
    method: string;
    user: string | undefined;
    scopes: readonly string[];
    service: string;
  }[];
  /** Tokens given are not valid any more. */
  revoke(): void;
  /** Lets requests in that carry a token which allows them. */
  readonly guard: Guard;
  close(): Promise<void>;
}

/** Makes the token that says what a user may do, for so many seconds. */
export type MintToken = (
  user: string | undefined,
  granted: readonly { readonly name: string; readonly actions: readonly string[] }[],
  seconds: number,
) => string;

/**
 * Starts a token server on a free port of the loopback interface.
 *
 * @param mint makes tokens that others can check; default opaque ones
 */
export async function startTokenServer(
  mint: MintToken = () => `tok-${randomBytes(18).toString("hex")}`,
): Promise<TokenServer> {
  const tokens = new Map<string, { readonly scopes: readonly string[]; readonly ends: number }>();
  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)),
      () => response.destroy(),
    );
  });

  async function answer(request: IncomingMessage): Promise<{ status: number; body: object }> {
    const url = new URL(request.url ?? "/", "http://tokens");
    let query = url.searchParams;
    let user: string | undefined;
    if (request.method === "POST") {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      query = new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
      user = tokenServer.refreshTokens.get(query.get("refresh_token") ?? "");
      if (query.get("grant_type") !== "refresh_token" || user === undefined)
        return { status: 401, body: { error: "invalid_grant", error_description: "no such refresh token" } };
    } else if (request.headers.authorization !== undefined) {
      const pair = Buffer.from(request.headers.authorization.replace(/^Basic /, ""), "base64").toString(
        "utf8",
      );
      const name = pair.slice(0, pair.indexOf(":"));
      if (tokenServer.users.get(name)?.password !== pair.slice(pair.indexOf(":") + 1)) {
        const message = `incorrect username or password: ${pair}`;
        return { status: 401, body: { errors: [{ code: "UNAUTHORIZED", message }] } };
      }
      user = name;
    }
    const asked = query.getAll("scope").flatMap((scope) => scope.split(" "));
    tokenServer.requests.push({
      method: request.method ?? "",
      user,
      scopes: asked,
      service: query.get("service") ?? "",
    });
    const writes = user === undefined ? undefined : tokenServer.users.get(user)?.writes;
    const granted = asked.flatMap((scope) => {
      const [, path = "", actions = ""] = scope.split(":");
      const mayWrite = writes !== undefined && path.startsWith(writes);
      const mayRead = mayWrite || path.startsWith(tokenServer.public);
      const given = actions.split(",").filter((action) => (action === "pull" ? mayRead : mayWrite));
      return [{ name: path, actions: given }];
    });
    const token = mint(user, granted, tokenServer.lifetime);
    const scopes = granted.flatMap(({ name, actions }) => actions.map((action) => `${name} ${action}`));
    tokens.set(token, { scopes, ends: Date.now() + tokenServer.lifetime * 1000 });
    return { status: 200, body: { token, expires_in: tokenServer.lifetime } };
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const realm = `http://127.0.0.1:${port}/token`;
  const tokenServer: TokenServer = {
    url: realm,
    users: new Map(),
    public: "public/",
    refreshTokens: new Map(),
    lifetime: 300,
    requests: [],
    revoke: () => tokens.clear(),
    guard(request, repository, write) {
      const token = tokens.get((request.headers.authorization ?? "").replace(/^Bearer /, ""));
      const action = write ? "push" : "pull";
      const valid = token !== undefined && token.ends > Date.now();
      if (valid && token.scopes.includes(`${repository} ${action}`)) return true;
      const scope = `repository:${repository}:${write ? "pull,push" : "pull"}`;
      const error = valid ? ',error="insufficient_scope"' : "";
      return `Bearer realm="${realm}",service="fake",scope="${scope}"${error}`;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return tokenServer;
}
