/** A real HTTP server (nginx) for a directory, where it is installed. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface StaticServer {
  readonly url: string;
  /** Lines of the access log so far: `status method path bytes range`. */
  log(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Whether nginx is on this machine. */
export function hasNginx(): boolean {
  return runs("nginx", ["-v"]);
}

/** Whether a program can be run. */
export function runs(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Waits until something listens at a URL: on a busy machine, servers take their time. */
export async function listening(url: string): Promise<void> {
  const until = Date.now() + 120_000;
  while (Date.now() < until) {
    const answered = await fetch(url).then(
      () => true,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens at ${url}`);
}

/** Serves `root` at `/`; with `password`, only to `user` with that password. */
export async function startNginx(root: string, password?: string): Promise<StaticServer> {
  const folder = await mkdtemp(join(tmpdir(), "spacktainers-nginx-"));
  const port = await freePort();
  if (password !== undefined) await writeFile(join(folder, "users"), `user:{PLAIN}${password}\n`);
  const auth = password === undefined ? "" : `auth_basic test; auth_basic_user_file ${folder}/users;`;
  const settings = `
daemon off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  log_format short '$status $request_method $uri $body_bytes_sent $http_range';
  access_log ${folder}/access.log short;
  client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
  uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
  server { listen 127.0.0.1:${port}; root ${root}; ${auth} }
}`;
  await writeFile(join(folder, "nginx.conf"), settings);
  const user = process.getuid?.() === 0 ? ["-g", "user root;"] : [];
  const child = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder, ...user], {
    stdio: "ignore",
  });
  await listening(`http://127.0.0.1:${port}/`);
  return {
    url: `http://127.0.0.1:${port}`,
    async log() {
      const { readFile } = await import("node:fs/promises");
      return (await readFile(join(folder, "access.log"), "utf8")).trim().split("\n");
    },
    async close() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
