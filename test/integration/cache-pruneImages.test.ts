/** What published images have inside stays in caches. */
import { appendFileSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";

let registry: FakeRegistry;
let work: Workplace;
beforeAll(async () => {
  registry = await startFakeRegistry();
  work = makeWorkplace();
  makeDemoRepository(work);
  appendFileSync(
    work.path("spacktainers.yaml"),
    `registries: [{ url: "${registry.host}/org", repository: "spack-{name}" }]\n`,
  );
});
afterAll(async () => {
  work.remove();
  await registry.close();
});

async function run(...args: readonly string[]) {
  const result = await work.run(["--json", ...args]);
  expect(result.status, result.stdout + result.stderr).toBe(0);
  return jsonLines(result);
}

interface Plan {
  readonly needs: readonly { readonly kind: string; readonly label: string }[];
  readonly caches: readonly { readonly remove: readonly { readonly name: string }[] }[];
  readonly problems: readonly unknown[];
}

async function prune(...args: readonly string[]): Promise<Plan & { readonly goes: readonly string[] }> {
  const lines = await run("cache", "prune", "--cache", "copy", ...args);
  const plan = lines.find(({ type }) => type === "plan") as unknown as Plan;
  return { ...plan, goes: plan.caches[0]?.remove.map(({ name }) => name) ?? [] };
}

it("keeps what a published image has, though no definition asks for it any more", async () => {
  const manifest = work.path("container_definitions/amd64/hello-mpi/spack.yaml");
  writeFileSync(manifest, "spack:\n  specs: [ring]\n");
  await run("push", "hello-mpi");
  await run("cache", "copy", "cache", "copy", "ring target=x86_64", "--unsigned");
  const then = new Date(Date.now() - 48 * 3_600_000);
  for (const entry of readdirSync(work.path("copy"), { recursive: true, withFileTypes: true }))
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), then, then);
  writeFileSync(manifest, "spack:\n  specs: [gcc-runtime]\n");

  const kept = await prune();
  expect(kept.goes).toEqual([]);
  expect(kept.problems).toEqual([]);
  expect(
    kept.needs.some(({ kind, label }) => kind === "image" && label.includes("org/spack-hello-mpi:")),
  ).toBe(true);
  expect((await prune("--no-images")).goes).toEqual(["mpich", "ring"]);
  const image = `docker://${registry.host}/org/spack-hello-mpi:latest`;
  expect((await prune("--no-images", "--keep", image)).goes).toEqual([]);

  // A registry that does not answer could have any image.
  await registry.close();
  const blind = await work.run(["--json", "cache", "prune", "--cache", "copy", "--delete"]);
  expect(blind.status).toBe(4);
  expect((await prune("--no-images")).goes).toEqual(["mpich", "ring"]);
});
