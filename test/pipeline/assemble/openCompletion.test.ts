import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { planBase } from "../../../src/base/buildBase.ts";
import type { Base, BuildBaseOptions } from "../../../src/base/types.ts";
import { type BaseConfiguration, defaultConfiguration } from "../../../src/definitions/configuration.ts";
import { readManifest } from "../../../src/environment/manifest.ts";
import { openHttp } from "../../../src/net/http.ts";
import type { Assembly } from "../../../src/pipeline/assemble/assembleContainer.ts";
import { openCompletion } from "../../../src/pipeline/assemble/openCompletion.ts";
import { baseSpec } from "../../../src/pipeline/base/baseSpec.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import { makeSigningKey, startArchive, type TestArchive } from "../../base/makeArchive.ts";
import { file } from "../../base/makeDeb.ts";
import { elf, viewPackage } from "../../view/entries.ts";
import { makeSpec } from "../../view/makeSpec.ts";

let folder: string;
let archive: TestArchive;
const http = openHttp({ retries: 0 });

beforeAll(async () => {
  const key = await makeSigningKey();
  folder = await mkdtemp(join(tmpdir(), "completion-"));
  await writeFile(join(folder, "key.asc"), key.publicKey);
  archive = await startArchive(key);
  const postinst = "#!/bin/sh\nset -e\ngroupadd tool\n";
  await archive.publish("bookworm", [
    { name: "tool", entries: [file("usr/bin/tool", "tool")], postinst },
    { name: "libssl3", entries: [file("usr/lib/x86_64-linux-gnu/libother.so", "x")] },
  ]);
});
afterAll(async () => {
  await http.close();
  await archive.close();
  await rm(folder, { recursive: true });
});

const app = viewPackage(makeSpec("app"), { "lib/libapp.so": elf({ needed: ["libssl.so.3"] }) });

/** One package, which needs a library of the system. */
function assemblyOn(base: Base): Assembly {
  const manifestText = "spack: { specs: [app] }\n";
  const { environment } = readManifest(manifestText, "/repo/app/spack.yaml");
  if (environment === undefined) throw new Error("invalid");
  const { spec, prefix, inventory } = app;
  return {
    names: { name: "app", arch: "amd64", version: "1.0" },
    configuration: defaultConfiguration("/repo"),
    loaded: { environment, manifestText },
    resolved: {
      graph: new Map([[spec.hash, spec]]),
      roots: [spec.hash],
      externals: [],
      lockText: "{}",
      hasSpackPackage: undefined,
      packages: [{ spec }],
    },
    prefixes: new Map([[spec.hash, prefix]]),
    inventories: [inventory],
    base,
    baseName: "debian",
    allow: [],
    compression: { format: "gzip", level: 6 },
  };
}

/** Completes a base as a build does that already makes it while the packages are installed. */
async function complete(cacheDir: string, completes: boolean) {
  const events: WorkEvent[] = [];
  const options: BuildBaseOptions = {
    architecture: "amd64",
    cacheDir,
    emit: (event) => events.push(event),
    http,
  };
  const configured: BaseConfiguration = {
    kind: "debian",
    distribution: "debian",
    suite: "bookworm",
    packages: ["tool"],
    complete: completes,
    mirrors: [archive.url],
    securityMirrors: [archive.url],
    keyring: [join(folder, "key.asc")],
  };
  const base = await planBase(baseSpec(configured), options);
  const request = { configured, base, fragments: ["one"], options, locked: false, published: undefined };
  const completion = await openCompletion(request);
  const [, completed] = await Promise.all([
    completion.base.build(),
    completion.complete(async (built) => assemblyOn(built)),
  ]);
  return {
    packages: completed.base.packages?.map(({ name }) => name),
    made: events.filter((event) => event.type === "task-start" && event.kind === "base").length,
    notices: events.flatMap((event) =>
      event.type === "warning" && event.message.includes("maintainer scripts") ? [event.message] : [],
    ),
  };
}

describe("what maintainer scripts would have done", () => {
  it.each([
    ["completed", true, 2, ["libssl3", "tool"]],
    ["as configured", false, 1, ["tool"]],
  ] as const)("is said once for a base %s, made or found", async (_, completes, made, packages) => {
    const cache = await mkdtemp(join(folder, "cache-"));
    const first = await complete(cache, completes);
    expect(first).toMatchObject({ made, packages });
    expect(first.notices).toEqual([expect.stringContaining("tool (groupadd)")]);
    const second = await complete(cache, completes);
    expect(second).toEqual({ ...first, made: 0 });
  });
});
