/** `catalogue` on the demonstration: of locks, of what is built, of what registries have. */
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CatalogueDocument } from "../../src/catalogue/document.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { snapshot } from "../support/fileSnapshot.ts";
import { listening } from "../support/staticServer.ts";

/** A site that is described in one line. */
const site =
  "sites: {here: {runtime: apptainer, mpi: pmi2, target: x86_64_v3, image: '/images/{name}-{version}.sif'}}\n";

async function build(work: Workplace, ...options: readonly string[]): Promise<object> {
  const result = await work.run(["catalogue", "build", "--json", ...options]);
  expect(result.status, result.stdout + result.stderr).toBe(0);
  return jsonLines(result).at(-1) as object;
}

function documentOf(work: Workplace, into = "catalogue"): CatalogueDocument {
  return JSON.parse(readFileSync(work.path(into, "catalogue.json"), "utf8"));
}

describe("of what is here", () => {
  const work = makeWorkplace();
  beforeAll(() => {
    makeDemoRepository(work);
    appendFileSync(work.path("spacktainers.yaml"), site);
  });
  afterAll(() => work.remove());

  it("shows a container that is nowhere, then its lock, then its image", async () => {
    // Of an earlier attempt.
    for (const path of ["dist", "container_definitions/amd64/hello-mpi/spack.lock"])
      rmSync(work.path(path), { recursive: true, force: true });
    expect(await build(work)).toMatchObject({ containers: 1, images: 0, packages: 0, missing: [] });
    const page = work.path("catalogue/containers/hello-mpi/index.html");
    expect(readFileSync(page, "utf8")).toContain("Nothing is published, built or locked");

    expect((await work.run(["lock", "hello-mpi", "--arch", "amd64", "--quiet"])).status).toBe(0);
    expect(await build(work)).toMatchObject({ images: 1, packages: 3 });
    expect(documentOf(work).containers[0]?.images[0]).toMatchObject({ origin: "locked", version: "1.0.0" });

    expect((await work.run(["build", "hello-mpi", "--arch", "amd64", "--quiet"])).status).toBe(0);
    expect(await build(work)).toMatchObject({ images: 1, packages: 3 });
    const [image] = documentOf(work).containers[0]?.images ?? [];
    expect(image).toMatchObject({
      origin: "built",
      version: "1.0.0",
      sites: [{ site: "here", checked: true }],
    });
    const packaged = image?.layers.filter(({ role }) => role === "packages") ?? [];
    for (const { size, packages } of packaged)
      expect(packages.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(size);
    const text = readFileSync(page, "utf8");
    expect(text).toContain("#SBATCH --job-name=hello-mpi");
    expect(text).toContain("/images/hello-mpi-1.0.0.sif");
    expect(text).toContain("podman run --rm -it oci:dist/amd64/hello-mpi");
  });

  it("gives the same bytes twice", async () => {
    await build(work, "--into", "one");
    await build(work, "--into", "two");
    expect(snapshot(work.path("two"))).toEqual(snapshot(work.path("one")));
  });

  it("replaces a catalogue, and nothing else", async () => {
    await build(work, "--into", "one", "--no-sites");
    expect(documentOf(work, "one").containers[0]?.images[0]?.sites).toEqual([]);
    writeFileSync(work.path("dist/mine.txt"), "mine");
    const refused = await work.run(["catalogue", "build", "--into", "dist", "--json"]);
    expect(refused.status).toBe(1);
    expect(jsonLines(refused).at(-1)).toMatchObject({ type: "error", errors: [{ code: "OUTPUT_EXISTS" }] });
    expect(readFileSync(work.path("dist/mine.txt"), "utf8")).toBe("mine");
    expect(readdirSync(work.directory).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
  });

  it("refuses what it cannot do", async () => {
    for (const [options, status] of [
      [["--site", "nowhere"], 2],
      [["--base-url", "javascript:alert(1)"], 2],
      [["nobody"], 2],
    ] as const) {
      const result = await work.run(["catalogue", "build", "--into", "none", ...options]);
      expect(result.status, result.stderr).toBe(status);
      expect(existsSync(work.path("none"))).toBe(false);
    }
    expect((await work.run(["catalogue", "serve", "--from", "dist"])).status).toBe(4);
  });

  it("serves it until it is interrupted", async () => {
    await build(work);
    const child = work.start(["catalogue", "serve", "--port", "0", "--json"]);
    const ended = new Promise<number | null>((done) => child.once("exit", done));
    const line = await new Promise<string>((done) => child.stdout?.setEncoding("utf8").once("data", done));
    const { url } = JSON.parse(line) as { readonly url: string };
    await listening(url);
    const response = await fetch(`${url}containers/hello-mpi/`);
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(await response.text()).toContain("<h1>hello-mpi</h1>");
    child.kill("SIGINT");
    await ended;
    await expect(fetch(url)).rejects.toThrow();
  });
});

describe("of what is published", () => {
  const work = makeWorkplace();
  let registry: FakeRegistry;
  beforeAll(async () => {
    registry = await startFakeRegistry();
    makeDemoRepository(work);
    for (const name of ["own", "foreign"]) {
      const keys = await work.run(["keys", name], { env: { COSIGN_PASSWORD: "" } });
      expect(keys.status, keys.stderr).toBe(0);
    }
    appendFileSync(
      work.path("spacktainers.yaml"),
      // The second one does not answer: nothing listens at the discard port.
      `${site}registries: [{url: "${registry.host}/org"}, {url: "127.0.0.1:9/org"}]\nsigning: {key: own.key, public: [own.pub]}\n`,
    );
    const push = async (): Promise<void> => {
      const options = ["--arch", "amd64", "--quiet", "--registry", `${registry.host}/org`];
      const pushed = await work.run(["push", "hello-mpi", ...options], { env: { COSIGN_PASSWORD: "" } });
      expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
    };
    await push();
    // A later version, of which the first spec is another one: the version is MPICH's.
    const definition = work.path("container_definitions/amd64/hello-mpi/spack.yaml");
    writeFileSync(
      definition,
      readFileSync(definition, "utf8").replace(/specs:.*?(?=\n {2}\w)/su, "specs: [mpich]"),
    );
    await push();
  });
  afterAll(async () => {
    work.remove();
    await registry.close();
  });

  it("has all versions, what changed, and who signed; and says who did not answer", async () => {
    const result = await build(work, "--base-url", "https://example.org/containers/");
    expect(result).toMatchObject({
      containers: 1,
      images: 2,
      missing: [expect.stringContaining("127.0.0.1:9")],
    });
    const { containers, missing } = documentOf(work);
    expect(missing).toHaveLength(1);
    const [newer, older] = containers[0]?.images ?? [];
    expect(newer).toMatchObject({
      origin: "published",
      version: "4.0.2",
      tags: ["4.0.2", "latest"],
      repositories: [`${registry.host}/org/hello-mpi`],
      supply: {
        signature: "verified",
        provenance: "verified",
        documents: [
          { format: "CycloneDX", attested: true },
          { format: "SPDX", attested: true },
        ],
        problems: [],
      },
      changes: { since: "1.0.0", packages: [{ name: "ring", before: "1.0.0" }] },
      sites: [{ site: "here", checked: true }],
    });
    expect(older).toMatchObject({ version: "1.0.0", tags: ["1.0.0"], sites: [] });
    const page = readFileSync(work.path("catalogue/containers/hello-mpi/index.html"), "utf8");
    expect(page).toContain("ring 1.0.0 is gone");
    expect(page).toContain(`srun --container-image=&#39;127.0.0.1:`);
    expect(readFileSync(work.path("catalogue", older?.path ?? ""), "utf8")).toContain("1.0.0 amd64");
    expect(readFileSync(work.path("catalogue/feed.xml"), "utf8")).toContain(
      'href="https://example.org/containers/containers/hello-mpi/index.html"',
    );
    expect(readFileSync(work.path("catalogue/index.html"), "utf8")).toContain("127.0.0.1:9");
  });

  it("does not call a signature verified that no trusted key made", async () => {
    const configuration = work.path("spacktainers.yaml");
    const text = readFileSync(configuration, "utf8");
    const supply = async (signing: string): Promise<object | undefined> => {
      writeFileSync(configuration, text.replace(/^signing:.*\n/m, signing));
      await build(work, "--no-sites", "--into", "other");
      return documentOf(work, "other").containers[0]?.images[0]?.supply;
    };
    try {
      expect(await supply("")).toMatchObject({
        signature: "unverified",
        provenance: "unverified",
        signers: [],
      });
      expect(await supply("signing: {public: [foreign.pub]}\n")).toMatchObject({
        signature: "refused",
        provenance: "unverified",
        problems: [expect.any(String)],
      });
    } finally {
      writeFileSync(configuration, text);
    }
  });
});
