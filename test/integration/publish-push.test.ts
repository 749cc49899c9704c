import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CommandResult, emptyMachine, makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";

const repository = "org/spack-hello-mpi";

interface Row {
  readonly type: string;
  readonly repository: string;
  readonly arch: string;
  readonly tags: readonly string[];
  readonly digest?: string;
  readonly upToDate: boolean;
  readonly failed: boolean;
  readonly layers: {
    readonly uploaded: number;
    readonly mounted: number;
    readonly present: number;
    readonly referenced: number;
  };
  readonly bytesSent: number;
}

/** The rows of a push with `--json`. */
function rows({ stdout }: CommandResult): readonly Row[] {
  return stdout
    .split("\n")
    .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as Row] : []))
    .filter(({ type }) => type === "result");
}

/** A repository whose images go to registries; the cache home of a machine of its own. */
function publishingPlace(hosts: readonly string[]): Workplace {
  const work = makeWorkplace();
  makeDemoRepository(work);
  const registries = hosts.map((host) => `{url: "${host}/org", repository: "spack-{name}"}`);
  appendFileSync(work.path("spacktainers.yaml"), `registries: [${registries.join(", ")}]\n`);
  return work;
}

const onlyRing = "spack:\n  specs:\n  - ring\n";
const manifest = "container_definitions/amd64/hello-mpi/spack.yaml";

describe("push to a registry", () => {
  let registry: FakeRegistry;
  let work: Workplace;

  beforeEach(async () => {
    registry = await startFakeRegistry();
    work = publishingPlace([registry.host]);
  });
  afterEach(async () => {
    work.remove();
    await registry.close();
  });

  it("publishes what build makes, under all tags", async () => {
    const pushed = await work.run(["push", "--json"]);
    expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
    const [row] = rows(pushed);
    expect(row).toMatchObject({
      repository: `${registry.host}/${repository}`,
      tags: ["1.0.0", "latest"],
      upToDate: false,
    });
    const built = await work.run(["build", "hello-mpi", "--json"]);
    const result = JSON.parse(built.stdout.trim().split("\n").at(-1) ?? "");
    expect(row?.digest).toBe(result.digest);
    const stored = registry.manifests.get(repository);
    for (const tag of ["1.0.0", "latest"])
      expect(stored?.get(tag)?.bytes).toEqual(stored?.get(row?.digest ?? "")?.bytes);
  });

  it("moves no bytes from an empty machine when nothing has changed, in a few requests", async () => {
    expect((await work.run(["push"])).status).toBe(0);
    const before = registry.requests.length;
    const again = await work.run(["push", "--json"], emptyMachine(work));
    expect(rows(again)).toMatchObject([{ upToDate: true, bytesSent: 0, failed: false }]);
    const requests = registry.log().slice(before);
    expect(
      requests.filter((request) => !request.startsWith("GET /v2/org/spack-hello-mpi/manifests/")),
    ).toEqual([]);
    expect(requests.length).toBeLessThanOrEqual(6);
  });

  it("makes and sends only what has changed, from an empty machine, and it is what a build of everything makes", async () => {
    expect((await work.run(["push"])).status).toBe(0);
    writeFileSync(work.path(manifest), onlyRing);
    const machine = emptyMachine(work);
    const before = registry.requests.length;
    const pushed = await work.run(["push", "--json"], machine);
    expect(rows(pushed)).toMatchObject([{ layers: { uploaded: 1, referenced: 3 } }]);
    expect(existsSync(join(machine.env.XDG_CACHE_HOME ?? "", "spacktainers/downloads/sha256"))).toBe(false);
    const uploads = registry
      .log()
      .slice(before)
      .filter((request) => request.startsWith("PUT /v2/org/spack-hello-mpi/blobs"));
    // The top layer, the configuration, and both bills of materials; what is in the other layers is there.
    expect(uploads).toHaveLength(4);
    const built = await work.run(["build", "hello-mpi", "--json"], emptyMachine(work));
    const result = JSON.parse(built.stdout.trim().split("\n").at(-1) ?? "");
    expect(rows(pushed)[0]?.digest).toBe(result.digest);
  });

  it("takes layers from the images of other containers", async () => {
    expect((await work.run(["push"])).status).toBe(0);
    const other = "container_definitions/amd64/only-ring";
    mkdirSync(work.path(other));
    writeFileSync(work.path(other, "spack.yaml"), onlyRing);
    const before = registry.requests.length;
    const pushed = await work.run(["push", "only-ring", "--json"], emptyMachine(work));
    expect(rows(pushed)).toMatchObject([{ layers: { uploaded: 1, mounted: 3 } }]);
    const mounts = registry
      .log()
      .slice(before)
      .filter((request) => /POST .*mount=.*from=org\/spack-hello-mpi 201/.test(request));
    expect(mounts).toHaveLength(3);
  });

  it("sends a layer where the registry does not mount it", async () => {
    expect((await work.run(["push"])).status).toBe(0);
    registry.behaviour.mount = "refused";
    const other = "container_definitions/amd64/only-ring";
    mkdirSync(work.path(other));
    writeFileSync(work.path(other, "spack.yaml"), onlyRing);
    const pushed = await work.run(["push", "only-ring", "--json"], emptyMachine(work));
    expect(rows(pushed)).toMatchObject([{ layers: { uploaded: 4 }, failed: false }]);
  });

  it("makes a layer whose record is missing or damaged, with a warning", async () => {
    expect((await work.run(["push"])).status).toBe(0);
    writeFileSync(work.path(manifest), onlyRing);
    const stored = registry.blobs.get(repository) ?? new Map<string, Buffer>();
    const document = JSON.parse(registry.manifests.get(repository)?.get("latest")?.bytes.toString() ?? "{}");
    const records: string[] = document.layers.flatMap(
      (layer: { annotations?: Record<string, string> }) =>
        layer.annotations?.["dev.spacktainers.layer.contents"]?.split(" ")[0] ?? [],
    );
    expect(records).toHaveLength(3);
    stored.delete(records[0] ?? "");
    stored.set(records[1] ?? "", Buffer.alloc(stored.get(records[1] ?? "")?.length ?? 0));
    const pushed = await work.run(["push", "--json"], emptyMachine(work));
    expect(rows(pushed)).toMatchObject([{ layers: { referenced: 1 }, failed: false }]);
    expect(pushed.stdout.match(/cannot be reused/g)).toHaveLength(2);
  });

  it("pushes again on request", async () => {
    const first = await work.run(["push", "--json"]);
    const again = await work.run(["push", "--force", "--json"], emptyMachine(work));
    expect(rows(again)).toMatchObject([{ upToDate: false, layers: { present: 4 } }]);
    expect(rows(again)[0]?.digest).toBe(rows(first)[0]?.digest);
  });

  it("tells which tag, registry or name is wrong before anything is made", async () => {
    for (const [args, code] of [
      [["push", "--tag", ".x"], "REFERENCE_INVALID"],
      [["push", "--registry", "elsewhere.example"], "USAGE"],
      [["push", "nothing"], "UNKNOWN_CONTAINER"],
    ] as const) {
      const result = await work.run(args);
      expect(result.stderr).toContain(code);
      expect(result.status).not.toBe(0);
    }
    writeFileSync(
      work.path("spacktainers.yaml"),
      readFileSync(work.path("spacktainers.yaml"), "utf8").replace(/registries:.*\n/, ""),
    );
    expect((await work.run(["push"])).stderr).toMatch(/CONFIG_INVALID.*no registry is configured/);
    expect(registry.requests).toEqual([]);
  });

  it("goes on after an upload that broke off", async () => {
    registry.fault(/^PUT .*blobs\/uploads/, ({ request, response }) => {
      request.once("data", () => response.destroy());
      return true;
    });
    const pushed = await work.run(["push", "--json"]);
    expect(rows(pushed)).toMatchObject([{ failed: false, layers: { uploaded: 4 } }]);
  });
});

describe("push of several containers, of which some cannot be made", () => {
  let registry: FakeRegistry;
  let work: Workplace;
  beforeEach(async () => {
    registry = await startFakeRegistry();
    work = publishingPlace([registry.host]);
    for (const name of ["aa", "empty"]) mkdirSync(work.path("container_definitions/amd64", name));
    writeFileSync(
      work.path("container_definitions/amd64/aa/spack.yaml"),
      "spack:\n  specs: [ring]\n  viwe: true\n  concretizer: {unify: maybe}\n",
    );
  });
  afterEach(async () => {
    work.remove();
    await registry.close();
  });

  it("publishes the others, with a row for each, and shows every error", async () => {
    const pushed = await work.run(["push", "--json"]);
    expect(rows(pushed)).toMatchObject([
      { name: "aa", failed: true, errors: [{ line: 3 }, { line: 4 }] },
      { name: "empty", failed: true, errors: [{ code: "DEFINITION_INVALID" }] },
      { name: "hello-mpi", failed: false, digest: expect.any(String) },
    ]);
    expect(JSON.parse(pushed.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      type: "error",
      errors: [
        { code: "MANIFEST_INVALID", line: 3, containers: ["amd64/aa"] },
        { code: "MANIFEST_INVALID", line: 4, containers: ["amd64/aa"] },
        { code: "DEFINITION_INVALID", containers: ["amd64/empty"] },
      ],
    });
    expect(pushed.status).toBe(3);
    const again = await work.run(["push", "hello-mpi", "--json"]);
    expect(rows(again)).toMatchObject([{ upToDate: true, failed: false }]);
    expect(again.status).toBe(0);
  });

  it("publishes nothing more after the first failure where that is asked for", async () => {
    const pushed = await work.run(["push", "--json", "--fail-fast"]);
    expect(rows(pushed)).toMatchObject([
      { name: "aa", failed: true },
      { name: "empty", failed: false, skipped: true },
      { name: "hello-mpi", failed: false, skipped: true },
    ]);
    expect(pushed.status).toBe(3);
    expect(registry.requests).toEqual([]);
  });
});

describe("push to several registries", () => {
  it("publishes to those that work, reports the one that does not, and completes it later", async () => {
    const [good, bad] = [await startFakeRegistry(), await startFakeRegistry()];
    const work = publishingPlace([bad.host, good.host]);
    try {
      bad.behaviour.guard = () => 'Basic realm="private"';
      const pushed = await work.run(["push", "--json"]);
      expect(pushed.status).toBe(4);
      expect(rows(pushed)).toMatchObject([{ failed: true }, { failed: false, layers: { uploaded: 4 } }]);
      expect(pushed.stdout).toMatch(/"code":"ACCESS_DENIED"/);
      expect(good.manifests.get(repository)?.has("latest")).toBe(true);
      bad.behaviour.guard = () => true;
      // From another machine: the layers come from the registry that has them.
      const later = await work.run(["push", "--json"], emptyMachine(work));
      expect(later.status, later.stdout).toBe(0);
      expect(rows(later)).toMatchObject([{ upToDate: false, layers: { uploaded: 4 } }, { upToDate: true }]);
      expect(bad.manifests.get(repository)?.get("latest")?.bytes).toEqual(
        good.manifests.get(repository)?.get("latest")?.bytes,
      );
    } finally {
      work.remove();
      await Promise.all([good.close(), bad.close()]);
    }
  });

  it("takes user name and password from the variables that the configuration names, and shows them nowhere", async () => {
    const registry = await startFakeRegistry();
    const work = publishingPlace([registry.host]);
    try {
      registry.behaviour.guard = ({ headers }) =>
        headers.authorization === `Basic ${Buffer.from("me:s3cret-word").toString("base64")}` ||
        'Basic realm="private"';
      const file = work.path("spacktainers.yaml");
      writeFileSync(
        file,
        readFileSync(file, "utf8").replace(
          '"spack-{name}"',
          '"spack-{name}", username: $REG_USER, password: $REG_WORD',
        ),
      );
      const missing = await work.run(["push"]);
      expect(missing.stderr).toMatch(/CONFIG_INVALID.*REG_USER.*not set/);
      const wrong = await work.run(["push"], { env: { REG_USER: "me", REG_WORD: "wrong-word" } });
      expect(wrong.status).toBe(4);
      expect(wrong.stdout + wrong.stderr).not.toContain("wrong-word");
      const right = await work.run(["push", "--json"], { env: { REG_USER: "me", REG_WORD: "s3cret-word" } });
      expect(right.status, right.stdout).toBe(0);
      expect(right.stdout + right.stderr).not.toContain("s3cret-word");
    } finally {
      work.remove();
      await registry.close();
    }
  });
});

const trouble = dockerRegistryTrouble() ?? (commandExists("skopeo") ? undefined : "skopeo is not installed");

describe.skipIf(trouble !== undefined)(
  `push to Debian's registry${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let registry: RealRegistry;
    beforeAll(async () => {
      registry = await startDockerRegistry();
    });
    afterAll(() => registry.close());

    it("publishes what skopeo reads, and refers to it from an empty machine", async () => {
      const work = publishingPlace([registry.host]);
      try {
        const pushed = await work.run(["push", "--json"]);
        expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
        // Not this machine's credentials, which an ordinary user may not even be able to look for.
        writeFileSync(work.path("auth.json"), "{}");
        const env = { ...process.env, REGISTRY_AUTH_FILE: work.path("auth.json") };
        const inspected = JSON.parse(
          execFileSync(
            "skopeo",
            ["inspect", "--tls-verify=false", `docker://${registry.host}/${repository}:latest`],
            { encoding: "utf8", env },
          ),
        );
        expect(inspected.Digest).toBe(rows(pushed)[0]?.digest);
        writeFileSync(work.path(manifest), onlyRing);
        const changed = await work.run(["push", "--json"], emptyMachine(work));
        expect(rows(changed)).toMatchObject([{ layers: { uploaded: 1, referenced: 3 } }]);
        const copy = work.path("copy");
        execFileSync(
          "skopeo",
          [
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            `docker://${registry.host}/${repository}:latest`,
            `oci:${copy}:latest`,
          ],
          { env },
        );
        rmSync(copy, { recursive: true });
      } finally {
        work.remove();
      }
    });

    it("signs with the configured key, states what is inside, and verifies it all", async () => {
      const work = publishingPlace([registry.host]);
      try {
        appendFileSync(work.path("spacktainers.yaml"), "signing: {key: own.key, public: own.pub}\n");
        const env = { COSIGN_PASSWORD: "s3cret-word" };
        expect((await work.run(["keys", "own"], { env })).status).toBe(0);
        expect((await work.run(["keys", "other"], { env })).status).toBe(0);
        const pushed = await work.run(["push", "--force", "--json"], { env });
        expect(pushed.status, pushed.stdout + pushed.stderr).toBe(0);
        expect(pushed.stdout + pushed.stderr).not.toContain("s3cret-word");
        const reference = `${registry.host}/${repository}:1.0.0`;
        for (const image of ["hello-mpi", reference]) {
          const verified = await work.run(["verify", image, "--attestation", "provenance", "--json"]);
          expect(verified.status, verified.stdout + verified.stderr).toBe(0);
          const { report } = JSON.parse(verified.stdout.trim().split("\n").at(-1) ?? "");
          expect(report.image).toBe(rows(pushed)[0]?.digest);
          expect(report.documents.map(({ attested }: { attested: boolean }) => attested)).toEqual([
            true,
            true,
          ]);
          expect(report.blobs.present).toBe(report.blobs.total);
        }
        const wrong = await work.run(["verify", reference, "--key", "other.pub"]);
        expect(wrong.status).toBe(5);
        expect(wrong.stderr).toContain("KEY_UNKNOWN");
        const bill = JSON.parse((await work.run(["sbom", reference, "--quiet"])).stdout);
        expect(bill.packages.map(({ name }: { name: string }) => name)).toContain("mpich");
        // Nothing new is attached to what is signed, and another key can sign as well.
        expect((await work.run(["sign", reference], { env })).stdout).toContain("is already signed");
        expect((await work.run(["sign", reference, "--key", "other.key"], { env })).status).toBe(0);
        expect((await work.run(["verify", reference, "--key", "other.pub"])).status).toBe(0);
      } finally {
        work.remove();
      }
    });

    it("is safe when two push at once", async () => {
      const one = publishingPlace([registry.host]);
      const two = publishingPlace([registry.host]);
      try {
        const [first, second] = await Promise.all([one.run(["push", "--json"]), two.run(["push", "--json"])]);
        expect([first.status, second.status], first.stdout + second.stdout).toEqual([0, 0]);
        expect(rows(first)[0]?.digest).toBe(rows(second)[0]?.digest);
      } finally {
        one.remove();
        two.remove();
      }
    });
  },
);
