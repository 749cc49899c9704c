import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { acceptUrl, isLoopback, parseRegistryAddress, registryOrigin } from "../../src/registry/address.ts";
import {
  formatReference,
  formatRepository,
  manifestReference,
  parseReference,
  parseRegistryHost,
  parseRepository,
  parseRepositoryPath,
  parseTag,
} from "../../src/registry/reference.ts";
import { SpacktainersError } from "../../src/util/errors.ts";

const hex = "0123456789abcdef".repeat(4);
const digest = `sha256:${hex}`;

describe("parseReference", () => {
  it.each([
    ["debian", "docker.io/library/debian:latest"],
    ["debian:12", "docker.io/library/debian:12"],
    ["grafana/grafana", "docker.io/grafana/grafana:latest"],
    ["docker.io/debian:12", "docker.io/library/debian:12"],
    ["index.docker.io/library/debian", "docker.io/library/debian:latest"],
    ["registry-1.docker.io/a/b:c", "docker.io/a/b:c"],
    ["ghcr.io/My-Org/Some_Name:V1", "ghcr.io/my-org/some_name:V1"],
    ["localhost/a", "localhost/a:latest"],
    ["localhost:5000/a/b/c:1.0", "localhost:5000/a/b/c:1.0"],
    ["127.0.0.1:5000/a", "127.0.0.1:5000/a:latest"],
    ["[::1]:5000/a:b", "[::1]:5000/a:b"],
    ["Quay.IO/a/b", "quay.io/a/b:latest"],
    [`quay.io/a/b@${digest}`, `quay.io/a/b@${digest}`],
    [`quay.io/a/b:1@${digest}`, `quay.io/a/b:1@${digest}`],
    ["a__b/c--d/e.f_g", "docker.io/a__b/c--d/e.f_g:latest"],
    // As for Docker: without a slash there is no host.
    ["localhost:5000", "docker.io/library/localhost:5000"],
  ])("reads %s as %s", (text, whole) => {
    const name = parseReference(text);
    expect(formatReference(name)).toBe(whole);
    expect(parseReference(whole)).toEqual(name);
  });

  it("asks by digest where there is one", () => {
    expect(manifestReference(parseReference(`a:1@${digest}`))).toBe(digest);
    expect(manifestReference(parseReference("a:1"))).toBe("1");
  });

  it.each([
    ["", /path of the repository is missing/],
    ["/a", /malformed/],
    ["a/", /malformed/],
    ["a//b", /malformed/],
    ["a/../b", /malformed/],
    ["Debian", /no capital letters/],
    ["quay.io/A/b", /no capital letters/],
    ["a:", /tag is malformed/],
    ["a:-b", /tag is malformed/],
    ["a:b c", /tag is malformed/],
    [`a:${"x".repeat(129)}`, /tag is malformed/],
    ["a@", /after @/],
    ["a@sha256:12", /after @/],
    [`a@sha512:${hex}${hex}`, /after @/],
    [`a@sha256:${hex.toUpperCase()}`, /after @/],
    ["localhost:0/a", /no such port/],
    ["localhost:65536/a", /no such port/],
    ["a.b:c/d", /host is malformed/],
    ["-a.b/c", /host is malformed/],
    ["a..b/c", /host is malformed/],
    ["999.1.1.1/c", /host is malformed/],
    ["[::zz]/c", /host is malformed/],
    ["https://quay.io/a", /it is a URL/],
    ["docker://debian", /it is a URL/],
    [`quay.io/${"a/".repeat(130)}b`, /longer than 255/],
    ["x".repeat(5000), /longer than 1024/],
    ["a\u0000b", /malformed/],
    ["a\u001b[31m", /malformed/],
  ])("refuses %j with one clear error", (text, message) => {
    const thrown = catching(() => parseReference(text, { file: "f", line: 3 }));
    expect(thrown).toMatchObject({ code: "REFERENCE_INVALID", place: { file: "f", line: 3 } });
    expect(thrown?.message).toMatch(message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(thrown?.message).not.toMatch(/[\u0000-\u001f]/);
    expect(thrown?.message.length).toBeLessThan(300);
  });

  it("does not repeat a password in an error", () => {
    const text = "https://user:hunter2secret@quay.io/a";
    expect(catching(() => parseReference(text))?.message).not.toContain("hunter2");
    expect(catching(() => parseReference("user:hunter2secret@quay.io/a"))?.message).not.toContain("hunter2");
  });

  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
  const component = fc.stringMatching(/^[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}$/);
  const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
  const host = fc
    .tuple(fc.array(label, { minLength: 1, maxLength: 3 }), port)
    .map(([labels, number]) => `${labels.join(".")}.example${number === undefined ? "" : `:${number}`}`);
  const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/);
  const digests = fc.stringMatching(/^[0-9a-f]{64}$/).map((text) => `sha256:${text}`);

  it("reads every name of the grammar, and writes it as it was", () => {
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
    fc.assert(
      fc.property(host, path, optional(tag), optional(digests), (registry, repository, label_, content) => {
        const text = `${registry}/${repository}${label_ === undefined ? "" : `:${label_}`}${content === undefined ? "" : `@${content}`}`;
        const name = parseReference(text);
        expect(name).toMatchObject({ host: registry, path: repository });
        expect(name.digest).toBe(content);
        expect(name.tag).toBe(label_ ?? (content === undefined ? "latest" : undefined));
        expect(formatReference(name)).toBe(name.tag === label_ ? text : `${text}:latest`);
        expect(parseRepository(formatRepository(name))).toEqual({ host: registry, path: repository });
      }),
    );
  });

  it("gives a name that is stable, or one error, for any text", { timeout: 60_000 }, () => {
    const pieces = fc.constantFrom(
      "a",
      "B",
      ".",
      ":",
      "/",
      "@",
      "[",
      "]",
      "-",
      "_",
      "5000",
      digest,
      "localhost",
      " ",
    );
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.array(pieces).map((all) => all.join("")),
    );
    fc.assert(
      fc.property(text, (any) => {
        try {
          const name = parseReference(any);
          expect(parseReference(formatReference(name))).toEqual(name);
          const { pathname, host: authority } = new URL(`https://${formatRepository(name)}`);
          // What goes into a URL stays in its place there.
          expect(pathname).toBe(`/${name.path}`);
          expect(authority === "" ? name.host : name.host.replace(/:443$/, "")).toContain(authority);
        } catch (thrown) {
          if (!(thrown instanceof SpacktainersError)) throw thrown;
          expect(thrown.code).toBe("REFERENCE_INVALID");
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("parseRegistryAddress", () => {
  it.each([
    ["ghcr.io/My-Org", "ghcr.io", "my-org", undefined, "https://ghcr.io"],
    ["docker.io/someone", "docker.io", "someone", undefined, "https://registry-1.docker.io"],
    ["localhost:5000", "localhost:5000", undefined, undefined, "http://localhost:5000"],
    ["https://localhost:5000/", "localhost:5000", undefined, "https", "https://localhost:5000"],
    ["http://registry.lan/x/y", "registry.lan", "x/y", "http", "http://registry.lan"],
    ["registry.lan:8443", "registry.lan:8443", undefined, undefined, "https://registry.lan:8443"],
    ["[::1]:5000", "[::1]:5000", undefined, undefined, "http://[::1]:5000"],
  ])("reads %s", (text, host, prefix, scheme, origin) => {
    const address = parseRegistryAddress(text);
    expect(address).toEqual({ host, prefix, scheme });
    expect(registryOrigin(address.host, address.scheme)).toBe(origin);
  });

  it.each(["", "http://", "ftp://a.b", "a b", "https://u:p@a.b/c", "a.b/../c"])("refuses %j", (text) => {
    expect(() => parseRegistryAddress(text)).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
  });
});

describe("acceptUrl", () => {
  it("takes what is as secure as the registry, relative or not", () => {
    expect(acceptUrl("/v2/x?a=b", "https://r.example/v2/", "it")).toBe("https://r.example/v2/x?a=b");
    expect(acceptUrl("https://cdn.example/x#y", "https://r.example/", "it")).toBe("https://cdn.example/x");
    expect(acceptUrl("https://u:p@cdn.example/x", "http://127.0.0.1/", "it")).toBe("https://cdn.example/x");
    expect(acceptUrl("http://localhost:1/x", "http://127.0.0.1/", "it")).toBe("http://localhost:1/x");
    expect(acceptUrl("http://b.lan/x", "http://a.lan/", "it")).toBe("http://b.lan/x");
  });

  it.each([
    ["http://r.example/x", "https://r.example/"],
    ["http://127.0.0.1/x", "https://r.example/"],
    ["http://r.example/x", "http://127.0.0.1/"],
    ["ftp://r.example/x", "https://r.example/"],
    ["javascript:x", "https://r.example/"],
    ["http://", "https://r.example/"],
    [`https://r.example/${"x".repeat(9000)}`, "https://r.example/"],
  ])("refuses %s of %s", (text, base) => {
    expect(() => acceptUrl(text, base, "it")).toThrow(expect.objectContaining({ code: "NETWORK" }));
  });

  it("knows this machine", () => {
    for (const host of ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
      expect(isLoopback(host)).toBe(true);
    for (const host of ["localhost.example", "1270.0.0.1", "xlocalhost", "10.0.0.1", "[::2]"])
      expect(isLoopback(host)).toBe(false);
  });
});

it("parts are checked by themselves too", () => {
  expect(parseTag("v1.2_3-x")).toBe("v1.2_3-x");
  expect(() => parseTag(".x")).toThrow();
  const ghcr = parseRegistryHost("ghcr.io");
  expect(parseRepositoryPath("Org/Name", ghcr)).toBe("org/name");
  expect(() => parseRepositoryPath("a@b", ghcr)).toThrow();
});

function catching(work: () => unknown): SpacktainersError | undefined {
  try {
    work();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof SpacktainersError) return thrown;
    throw thrown;
  }
}
