import { afterEach, expect, it } from "vitest";
import { openRegistries, usesPlainHttp } from "../../src/registry/openRegistries.ts";
import { parseReference, parseRepository } from "../../src/registry/reference.ts";
import type { RegistrySettings } from "../../src/registry/registrySettings.ts";
import { ignoreEvents, type WorkEvent } from "../../src/util/events.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
});

function open(configured: readonly RegistrySettings[], env: NodeJS.ProcessEnv = {}) {
  const registries = openRegistries({
    configured,
    env,
    emit: ignoreEvents,
    signal: new AbortController().signal,
  });
  closing.push(registries);
  return registries;
}

const settings = (url: string, secrets = false): RegistrySettings => ({
  type: "oci",
  url,
  username: secrets ? { environmentVariable: "NAME" } : undefined,
  password: secrets ? { environmentVariable: "WORD" } : undefined,
});

it("opens each registry once, as it is configured", () => {
  const registries = open([settings("http://registry.example.org:5000")]);
  const [first, second, other] = ["a", "b/c"]
    .map((path) => `registry.example.org:5000/${path}`)
    .concat("other.example.org/a")
    .map((name) => registries.repository(parseRepository(name)));
  expect(first?.session).toBe(second?.session);
  expect(first?.session.origin).toBe("http://registry.example.org:5000");
  expect(other?.session.origin).toBe("https://other.example.org");
});

it("does not mind the path of a registry that is configured", () => {
  const registries = open([settings("http://registry.example.org/My-Org")]);
  const name = parseRepository("registry.example.org/my-org/a");
  expect(registries.repository(name).session.origin).toBe("http://registry.example.org");
});

it("needs the variables that the configuration names, and only when the registry is used", () => {
  const configured = [settings("https://registry.example.org", true)];
  const name = parseRepository("registry.example.org/a");
  const without = open(configured, { NAME: "me", WORD: "" });
  expect(() => without.repository(name)).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining("WORD") }),
  );
  expect(without.repository(parseRepository("other.example.org/a"))).toBeDefined();
  expect(open(configured, { NAME: "me", WORD: "secret" }).repository(name)).toBeDefined();
});

it("warns of variables that are not set, once a registry, where nothing is written", () => {
  const warnings: WorkEvent[] = [];
  const registries = openRegistries({
    configured: [settings("https://registry.example.org", true)],
    readOnly: true,
    env: { NAME: "me" },
    emit: (event) => warnings.push(event),
    signal: new AbortController().signal,
  });
  closing.push(registries);
  for (const path of ["a", "b"]) registries.repository(parseRepository(`registry.example.org/${path}`));
  registries.repository(parseRepository("other.example.org/a"));
  expect(warnings).toEqual([
    expect.objectContaining({
      type: "warning",
      code: "CONFIG_INVALID",
      message: expect.stringMatching(/^the variable WORD, .* is not set: the credentials of this machine/),
    }),
  ]);
});

it.each([
  ["registry.example.org", [], false],
  ["registry.example.org", ["http://registry.example.org/my-org"], true],
  ["registry.example.org:5000", ["http://registry.example.org"], false],
  ["localhost:5000", [], true],
  ["127.0.0.1:5000", ["127.0.0.1:5000/x"], true],
  ["localhost:5000", ["https://localhost:5000"], false],
] as const)("knows whether %s speaks plain HTTP, with %j configured", (host, urls, expected) => {
  const configured = urls.map((url) => settings(url));
  expect(usesPlainHttp(parseReference(`${host}/a`).host, configured)).toBe(expected);
});
