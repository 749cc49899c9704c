import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openHttp } from "../../src/net/http.ts";
import { findPython, type Python } from "../../src/spack/python.ts";
import { chooseWheel, openSolver, parseWheelName, wheelFits } from "../../src/spack/wheels.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { runTool } from "../../src/util/tool.ts";
import { commandExists } from "../support/commandExists.ts";
import { makeSolverWheels } from "../support/solverWheels.ts";

const python: Python = {
  executable: "/usr/bin/python3",
  version: [3, 11, 2],
  machine: "x86_64",
  glibc: [2, 36],
};
const fits = (file: string, on: Python = python): boolean => {
  const wheel = parseWheelName(file);
  return wheel !== undefined && wheelFits(wheel, on);
};

describe("wheelFits", () => {
  it("knows interpreters, ABIs and platforms", () => {
    expect(fits("clingo-5.8.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")).toBe(true);
    expect(fits("clingo-5.8.0-cp312-cp312-manylinux_2_17_x86_64.whl")).toBe(false);
    expect(fits("clingo-5.8.0-cp311-cp311-manylinux_2_17_aarch64.whl")).toBe(false);
    expect(fits("clingo-5.8.0-cp311-cp311-musllinux_1_1_x86_64.whl")).toBe(false);
    expect(fits("clingo-5.8.0-cp311-cp311-macosx_11_0_arm64.whl")).toBe(false);
    expect(fits("a-1-cp38-abi3-manylinux1_x86_64.whl")).toBe(true);
    expect(fits("a-1-cp312-abi3-manylinux1_x86_64.whl")).toBe(false);
    expect(fits("a-1-cp38-cp38-manylinux1_x86_64.whl")).toBe(false);
    expect(fits("pycparser-3.12-py3-none-any.whl")).toBe(true);
    expect(fits("six-1.0-py2.py3-none-any.whl")).toBe(true);
    expect(fits("old-1.0-py2-none-any.whl")).toBe(false);
    expect(fits("clingo-5.8.0.tar.gz")).toBe(false);
  });

  it("asks for a C library that is new enough", () => {
    const file = "a-1-cp311-cp311-manylinux_2_28_x86_64.whl";
    expect(fits(file, { ...python, glibc: [2, 28] })).toBe(true);
    expect(fits(file, { ...python, glibc: [2, 17] })).toBe(false);
    expect(fits(file, { ...python, glibc: undefined })).toBe(false);
    expect(fits("a-1-cp311-cp311-manylinux2014_x86_64.whl", { ...python, glibc: [2, 12] })).toBe(false);
  });
});

describe("chooseWheel", () => {
  it("takes the version asked for, else the newest release", () => {
    const files = ["1.9", "1.17.1", "1.16", "2.0rc1"].map(
      (version) => `cffi-${version}-cp311-cp311-manylinux1_x86_64.whl`,
    );
    expect(chooseWheel(files, { name: "cffi", version: undefined }, python)).toContain("-1.17.1-");
    expect(chooseWheel(files, { name: "cffi", version: "1.9" }, python)).toContain("-1.9-");
    expect(chooseWheel(files, { name: "cffi", version: "3" }, python)).toBeUndefined();
    expect(chooseWheel(files, { name: "other", version: undefined }, python)).toBeUndefined();
  });
});

describe.skipIf(!commandExists("python3"))("openSolver (needs python3)", () => {
  let folder: string;
  let real: Python;
  let server: Server;
  let index: string;
  const requests: string[] = [];
  const http = openHttp({ retries: 0 });

  beforeAll(async () => {
    real = await findPython();
    folder = mkdtempSync(join(tmpdir(), "spacktainers-wheels-"));
    makeSolverWheels(join(folder, "wheels"), real);
    server = createServer((request, response) => {
      const url = request.url ?? "";
      requests.push(url);
      const wheels = join(folder, "wheels");
      if (url.startsWith("/files/")) {
        response.end(readFileSync(join(wheels, url.slice(7))));
        return;
      }
      const name = /^\/simple\/([\w-]+)\/$/.exec(url)?.[1];
      const files = readdirSync(wheels)
        .filter((file) => file.startsWith(`${name}-`))
        .map((filename) => ({
          filename,
          url: `../../files/${filename}`,
          hashes: {
            sha256: createHash("sha256")
              .update(readFileSync(join(wheels, filename)))
              .digest("hex"),
          },
          "requires-python": filename.startsWith("cffi-2") ? ">=3.99" : ">=3.6",
        }));
      response.setHeader("content-type", "application/vnd.pypi.simple.v1+json");
      response.end(JSON.stringify({ files }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    index = `http://127.0.0.1:${(server.address() as AddressInfo).port}/simple`;
  });
  afterAll(async () => {
    await http.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (from: string, directory: string) =>
    openSolver({
      from,
      python: real,
      run: (args, env) => runTool([real.executable, ...args], { env }),
      directory: join(folder, directory),
      http,
      emit: ignoreEvents,
    });

  it("unpacks wheels of a folder, the newest that fit, once", async () => {
    const solver = await open(join(folder, "wheels"), "a");
    expect(readFileSync(join(solver.folder, "cffi.py"), "utf8")).toBe("new = True\n");
    expect(existsSync(join(solver.folder, "pycparser.py"))).toBe(true);
    expect(solver.wheels.map((wheel) => wheel.split("-")[0])).toEqual(["clingo", "cffi", "pycparser"]);
    rmSync(join(solver.folder, "cffi.py"));
    expect(await open(join(folder, "wheels"), "a")).toEqual(solver);
    expect(existsSync(join(solver.folder, "cffi.py"))).toBe(false);
    expect(readdirSync(join(folder, "a"))).toHaveLength(1);
  });

  it("downloads from an index what is for this Python, and keeps nothing but the result", async () => {
    const solver = await open(index, "b");
    expect(readFileSync(join(solver.folder, "cffi.py"), "utf8")).toBe("");
    expect(readdirSync(join(folder, "b"))).toHaveLength(1);
    const before = requests.length;
    await open(index, "b");
    expect(requests.length).toBe(before);
  });

  it("says what is missing, and leaves nothing behind", async () => {
    mkdirSync(join(folder, "empty"));
    await expect(open(join(folder, "empty"), "c")).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/has no wheel of clingo 5\.8\.0 for Python 3\.\d+ on /),
    });
    await expect(open(join(folder, "nowhere"), "c")).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    makeSolverWheels(join(folder, "broken"), real, "raise ImportError('no such symbol')\n");
    await expect(open(join(folder, "broken"), "c")).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
      message: expect.stringContaining("no such symbol"),
    });
    expect(readdirSync(join(folder, "c"))).toEqual([]);
  });
});

describe.skipIf(!commandExists("python3"))("findPython (needs python3)", () => {
  it("finds one, and says when there is none", async () => {
    const found = await findPython();
    expect(found.executable).toMatch(/^\//);
    expect(found.version[0]).toBe(3);
    await expect(findPython(["/no/python3"])).rejects.toMatchObject({ code: "RUNTIME_MISSING" });
  });
});
