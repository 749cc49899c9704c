import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { makeDemoRepository } from "../support/demoCache.ts";

/** `aa` is built first, and has two errors; `zz` asks for what no cache has; `empty` is a folder without a definition. */
const broken = { aa: "container_definitions/amd64/aa", empty: "container_definitions/amd64/empty" };
let work: Workplace;
let attempts = 0;
beforeAll(() => {
  work = makeWorkplace();
  makeDemoRepository(work);
  write(`${broken.aa}/spack.yaml`, "spack:\n  specs: [ring]\n  viwe: true\n  concretizer: {unify: maybe}\n");
  write("container_definitions/amd64/zz/spack.yaml", "spack:\n  specs: [nosuchpackage]\n");
  write(`${broken.empty}/notes.txt`, "");
});
afterAll(() => work.remove());

function write(path: string, text: string): void {
  mkdirSync(work.path(path, ".."), { recursive: true });
  writeFileSync(work.path(path), text);
}

/** Lines of `--json` about containers and errors, without progress. */
const rows = (result: { readonly stdout: string }) =>
  jsonLines(result).filter(({ type }) => type === "result" || type === "error");

describe("a build of several containers, of which some fail", () => {
  it("goes on, and has a row for each and every error with its place", async () => {
    const result = await work.run(["--quiet", "build"]);
    expect(result.stdout.split("\n").filter((line) => /^\S/.test(line))).toEqual([
      "amd64/aa  failed: 2 errors",
      "amd64/empty  failed",
      expect.stringMatching(/^hello-mpi 1\.0\.0 amd64 {2}3 packages/),
      "amd64/zz  failed",
    ]);
    const errors = result.stderr.split("\n").filter((line) => line.includes("  error  "));
    expect(errors).toEqual([
      expect.stringMatching(/amd64\/aa\/spack\.yaml:3:3 {2}error {2}MANIFEST_INVALID/),
      expect.stringMatching(/amd64\/aa\/spack\.yaml:4:\d+ {2}error {2}MANIFEST_INVALID/),
      expect.stringMatching(/amd64\/empty {2}error {2}DEFINITION_INVALID/),
      expect.stringMatching(/amd64\/zz\/spack\.yaml\S* {2}error {2}NO_SOLUTION/),
    ]);
    // That of the first failure.
    expect(result.status).toBe(3);
    expect(readdirSync(work.path("dist/amd64"))).toEqual(["hello-mpi"]);
  });

  it("says so to programs, container by container", async () => {
    const result = await work.run(["--json", "build"]);
    const [aa, empty, hello, zz, error] = rows(result);
    expect(aa).toMatchObject({
      name: "aa",
      arch: "amd64",
      failed: true,
      errors: [
        { code: "MANIFEST_INVALID", line: 3 },
        { code: "MANIFEST_INVALID", line: 4 },
      ],
    });
    expect(empty).toMatchObject({ name: "empty", arch: "amd64", failed: true });
    expect(hello).toMatchObject({ name: "hello-mpi", failed: false, digest: expect.any(String) });
    expect(zz).toMatchObject({ name: "zz", failed: true, errors: [{ code: "NO_SOLUTION" }] });
    expect(error).toMatchObject({
      type: "error",
      errors: [
        { line: 3, containers: ["amd64/aa"] },
        { line: 4, containers: ["amd64/aa"] },
        { containers: ["amd64/empty"] },
        { containers: ["amd64/zz"] },
      ],
    });
    const begun = jsonLines(result).filter(({ type }) => type === "container-start");
    expect(begun.map(({ container, position, total }) => [container, position, total])).toEqual([
      ["amd64/aa", 1, 4],
      ["amd64/empty", 2, 4],
      ["amd64/hello-mpi", 3, 4],
      ["amd64/zz", 4, 4],
    ]);
    for (const { type, container } of jsonLines(result))
      if (type === "stage") expect(["amd64/hello-mpi", "amd64/zz"]).toContain(container);
  });

  it("stops at the first one where that is asked for", async () => {
    const result = await work.run(["--quiet", "build", "--fail-fast"]);
    expect(result.stdout).toBe(
      "amd64/aa  failed: 2 errors\namd64/empty  not tried\namd64/hello-mpi  not tried\namd64/zz  not tried\n",
    );
    expect(result.status).toBe(3);
    const [, skipped] = rows(await work.run(["--json", "build", "--fail-fast"]));
    expect(skipped).toEqual({ type: "result", name: "empty", arch: "amd64", failed: false, skipped: true });
  });

  it("says nothing but the errors when only one was asked for", async () => {
    const result = await work.run(["--quiet", "build", "aa"]);
    expect(result).toMatchObject({ stdout: "", status: 3 });
    expect(result.stderr.match(/ error {2}MANIFEST_INVALID/g)).toHaveLength(2);
    expect(rows(await work.run(["--json", "build", "aa"]))).toMatchObject([
      { type: "error", errors: [{ line: 3 }, { line: 4 }] },
    ]);
  });

  it("says once what is wrong for several in the same way", async () => {
    const result = await work.run(["--json", "build", "--cache", work.path("nowhere")]);
    const error = rows(result).at(-1);
    expect(error?.errors).toMatchObject([
      { code: "CACHE_UNAVAILABLE", containers: ["amd64/aa", "amd64/hello-mpi", "amd64/zz"] },
      { code: "DEFINITION_INVALID", containers: ["amd64/empty"] },
    ]);
    expect(result.status).toBe(4);
  });
});

describe("the timings of a build", () => {
  const page = (name: string): string => readFileSync(work.path(name), "utf8");

  it("are a page, with what failed, and the results as they are without it", async () => {
    const result = await work.run(["--quiet", "build", "--timings", "pages/t.html"]);
    expect(result.status).toBe(3);
    expect(result.stdout).toContain("hello-mpi 1.0.0 amd64");
    const text = page("pages/t.html");
    for (const title of ["amd64/aa: failed", "amd64/hello-mpi", "amd64/zz: failed"])
      expect(text).toContain(`<h2>${title}</h2>`);
    expect(text).toContain("Looking up packages</th>");
    const fresh = work.path(`fresh-${++attempts}`);
    const again = await work.run(
      ["build", "hello-mpi", "--timings", "t.html", "--json", "-o", `oci:${fresh}/image`],
      { env: { XDG_CACHE_HOME: `${fresh}/cache` } },
    );
    expect(jsonLines(again).at(-1)).toMatchObject({ type: "result", failed: false });
    expect(page("t.html")).toMatch(/installed mpich@4\.\d/);
  });

  it("are refused before the work where there is no place for them", async () => {
    for (const [name, code] of [
      ["hello-mpi", "USAGE"],
      ["dist.html", "USAGE"],
      ["spacktainers.yaml/t.html", "IO"],
    ] as const) {
      mkdirSync(work.path("dist.html"), { recursive: true });
      const result = await work.run(["build", "hello-mpi", "--timings", name]);
      expect(result.stderr).toContain(`error  ${code}  `);
      expect(result.stdout).toBe("");
    }
  });
});

describe("beside definitions that are broken, by name", () => {
  const single: readonly (readonly string[])[] = [
    ["build", "hello-mpi"],
    ["plan", "hello-mpi"],
    ["lock", "hello-mpi"],
    ["lock", "--check", "hello-mpi"],
    ["check", "hello-mpi"],
    ["list", "hello-mpi"],
    ["sbom", "hello-mpi"],
    ["dockerfile", "hello-mpi"],
    ["explain", "hello-mpi"],
    ["diff", "hello-mpi", "hello-mpi"],
    ["sif", "hello-mpi", "--force"],
    ["doctor", "hello-mpi"],
    ["unpack", "hello-mpi", "--into", "into"],
  ];
  it.each(single.map((args) => [args.join(" "), args] as const))("%s works", async (_, args) => {
    const result = await work.run(["--quiet", ...args]);
    expect(result.stdout + result.stderr).not.toMatch(/INVALID|amd64\/(aa|empty|zz)/);
    // `doctor` may find something wrong with this machine, `sif` need not find its tools; there is no Dockerfile from scratch.
    const [verb = ""] = args;
    if (!["doctor", "sif", "dockerfile"].includes(verb)) expect(result.status).toBe(0);
  });

  it("the broken one says what is wrong with it", async () => {
    for (const verb of ["build", "lock", "plan", "check", "sbom", "dockerfile", "explain"]) {
      const result = await work.run(["--quiet", verb, "empty"]);
      expect(result.stdout + result.stderr).toMatch(
        /DEFINITION_INVALID {2}the folder `empty` has no spack\.yaml/,
      );
      expect(result.status).toBe(3);
    }
  });
});

describe("other verbs on all containers, of which some fail", () => {
  it("`lock` locks the others", async () => {
    for (const name of ["spack.lock", "spacktainers.lock"])
      rmSync(work.path("container_definitions/amd64/hello-mpi", name), { force: true });
    const result = await work.run(["--quiet", "lock"]);
    expect(result.status).toBe(3);
    expect(result.stdout).toMatch(
      /^amd64\/aa {2}failed: 2 errors\namd64\/empty {2}failed\nhello-mpi 1\.0\.0 amd64/,
    );
    expect(result.stderr.match(/ error {2}/g)).toHaveLength(4);
    expect(readdirSync(work.path("container_definitions/amd64/hello-mpi"))).toContain("spacktainers.lock");
    const check = await work.run(["--json", "lock", "--check"]);
    expect(check.status).toBe(3);
    expect(rows(check).map(({ name, failed }) => [name, failed])).toEqual([
      ["aa", true],
      ["empty", true],
      ["zz", true],
      [undefined, undefined],
    ]);
  });

  it("`plan` plans the others", async () => {
    const result = await work.run(["--json", "plan"]);
    expect(result.status).toBe(3);
    expect(rows(result).map(({ name, failed }) => [name, failed])).toEqual([
      ["aa", true],
      ["empty", true],
      ["hello-mpi", false],
      ["zz", true],
      [undefined, undefined],
    ]);
  });

  it("`check` says everything, `list` shows everything", async () => {
    const check = await work.run(["check"]);
    expect(check.status).toBe(3);
    expect(check.stdout.match(/ error {2}/g)).toHaveLength(3);
    const list = await work.run(["list"]);
    expect(list.status).toBe(0);
    expect(list.stdout.split("\n").map((line) => line.split(/\s+/)[0])).toEqual([
      ...["NAME", "aa", "empty", "hello-mpi", "zz", ""],
    ]);
    expect(list.stdout.match(/has errors: run check/g)).toHaveLength(2);
  });

  it("`test` and `doctor` go on after what is not there", async () => {
    const test = await work.run(["--json", "test", "zz", "hello-mpi", "--with", "namespace"]);
    expect(rows(test)).toMatchObject([
      { type: "result", passed: false, results: expect.any(Array) },
      { type: "error", errors: [{ code: "NOT_FOUND", containers: ["zz"] }] },
    ]);
    expect(rows(test)[0]?.results).not.toEqual([]);
    expect(test.status).toBe(4);
    const doctor = await work.run(["--json", "doctor", "zz", "hello-mpi"]);
    expect(rows(doctor)).toMatchObject([
      { works: false, examinations: [{ image: "hello-mpi" }] },
      { errors: [{ code: "NOT_FOUND", containers: ["zz"] }] },
    ]);
  });

  it("`rebase` rebases the others", async () => {
    const result = await work.run(["--json", "rebase", "--dry-run"]);
    expect(rows(result)).toMatchObject([
      { image: "amd64/aa", failed: true },
      { image: "amd64/empty", failed: true },
      { name: "hello-mpi", failed: false },
      { image: "amd64/zz", failed: true },
      { type: "error" },
    ]);
    expect(result.status).toBe(4);
  });

  it("an interruption ends all of it at once", async () => {
    const child = work.start(["build", "--json", "--output", "oci:other/{name}"]);
    let stdout = "";
    let sent = false;
    child.stdout?.on("data", (chunk: Buffer) => {
      stdout += chunk.toString("utf8");
      if (sent || !stdout.includes('"container":"amd64/hello-mpi"')) return;
      sent = true;
      child.kill("SIGINT");
    });
    const status = await new Promise((done) => child.on("close", (code, signal) => done(code ?? signal)));
    // By the signal where a machine without the usual tools takes more than five seconds to stop: to a shell that is 130, too.
    expect([130, "SIGINT"]).toContain(status);
    expect(jsonLines({ stdout }).at(-1)).toMatchObject({ type: "error", errors: [{ code: "INTERRUPTED" }] });
    expect(stdout).not.toContain('"container":"amd64/zz"');
  });
});
