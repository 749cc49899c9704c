import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ServedCatalogue, serveCatalogue } from "../../../src/commands/catalogue/serveCatalogue.ts";

const directory = mkdtempSync(join(tmpdir(), "spacktainers-serve-"));
const end = new AbortController();
let served: ServedCatalogue;

beforeAll(async () => {
  const site = join(directory, "site");
  mkdirSync(join(site, "containers/a b"), { recursive: true });
  writeFileSync(join(directory, "secret"), "secret");
  writeFileSync(join(site, ".hidden"), "hidden");
  writeFileSync(join(site, "catalogue.json"), '{"format":"spacktainers-catalogue","version":1}');
  writeFileSync(join(site, "index.html"), "<p>front");
  writeFileSync(join(site, "containers/a b/index.html"), "<p>inside");
  mkdirSync(join(directory, "else"));
  served = await serveCatalogue({ directory, from: "site", port: 0, signal: end.signal });
});
afterAll(async () => {
  end.abort();
  await served.ended;
  rmSync(directory, { recursive: true });
});

/** The status and the content, by a path that no client has tidied. */
function ask(path: string, { method = "GET", host = "127.0.0.1" } = {}): Promise<string> {
  const { port } = new URL(served.url);
  return new Promise((done, fail) => {
    let text = "";
    const socket = connect(Number(port), "127.0.0.1", () => {
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: close\r\n\r\n`);
    });
    socket.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    socket.on("error", fail).on("close", () => {
      const [head = "", ...body] = text.split("\r\n\r\n");
      done(`${head.split(" ")[1]} ${body.join("").trim()}`);
    });
  });
}

it("serves the pages to this machine, by the names of this machine", async () => {
  expect(served.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  expect(await ask("/")).toBe("200 <p>front");
  expect(await ask("/containers/a%20b/")).toBe("200 <p>inside");
  expect(await ask("/containers/a%20b")).toBe("308 0");
  expect(await ask("/index.html", { host: "localhost" })).toBe("200 <p>front");
  expect(await ask("/", { host: "evil.example.org" })).toBe("403 only for this machine");
  expect(await ask("/", { method: "POST" })).toBe("405 only for reading");
});

it.each([
  "/../secret",
  "/%2e%2e/secret",
  "/..%2fsecret",
  "/containers/../../secret",
  "/containers/%2e%2e%2f%2e%2e%2fsecret",
  "//etc/passwd",
  "/.hidden",
  "/nothing",
  "/%00",
  "/%",
])("has nothing at %s", async (path) => {
  expect(await ask(path)).toMatch(/^4\d\d /);
});

it("follows no link out of the folder", async () => {
  symlinkSync(join(directory, "secret"), join(directory, "site/link"));
  expect(await ask("/link")).toMatch(/^4\d\d /);
});

it("serves nothing but catalogues, and says which port is taken", async () => {
  const signal = new AbortController().signal;
  await expect(serveCatalogue({ directory, from: "else", port: 0, signal })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
  const port = Number(new URL(served.url).port);
  await expect(serveCatalogue({ directory, from: "site", port, signal })).rejects.toMatchObject({
    code: "IO",
  });
});
