import { describe, expect, it } from "vitest";
import type { Spack } from "../../src/spack/spack.ts";
import { spackCommand, spackEnvironment } from "../../src/spack/spackCommand.ts";

const spack = {
  checkout: { folder: "/cache/git/abc", url: "u", commit: undefined, modified: false },
  python: { executable: "/usr/bin/python3", version: [3, 11, 2], machine: "x86_64", glibc: [2, 36] },
  solver: { folder: "/cache/solver", wheels: [] },
  folders: { user: "/cache/user" },
} as unknown as Spack;

describe("spackEnvironment", () => {
  it("has what the machine and its network need, and nothing of how somebody has set up Spack, Python or a compiler", () => {
    const ours = {
      HOME: "/home/u",
      PATH: "/home/u/bin:/usr/bin",
      https_proxy: "http://proxy:3128",
      SSL_CERT_FILE: "/etc/ca.pem",
      SPACK_ROOT: "/home/u/spack",
      SPACK_ENV: "/home/u/env",
      SPACK_PYTHON: "/home/u/python",
      SPACK_CONFIG: "x",
      PYTHONPATH: "/home/u/lib",
      PYTHONSTARTUP: "/home/u/start.py",
      LD_LIBRARY_PATH: "/home/u/lib",
      CC: "icc",
      CFLAGS: "-O0",
      AWS_SECRET_ACCESS_KEY: "canary",
      GITHUB_TOKEN: "canary",
      SPACKTAINERS_TEST: "1",
    };
    const env = spackEnvironment(spack, ours);
    expect(env).toMatchObject({
      HOME: "/home/u",
      https_proxy: "http://proxy:3128",
      SSL_CERT_FILE: "/etc/ca.pem",
      SPACK_ROOT: "/cache/git/abc",
      SPACK_PYTHON: "/usr/bin/python3",
      SPACK_DISABLE_LOCAL_CONFIG: "1",
      SPACK_USER_CACHE_PATH: "/cache/user",
      PYTHONPATH: "/cache/solver",
      LC_ALL: "C.UTF-8",
    });
    for (const name of ["SPACK_ENV", "SPACK_CONFIG", "PYTHONSTARTUP", "LD_LIBRARY_PATH", "CC", "CFLAGS"])
      expect(env).not.toHaveProperty(name);
    expect(JSON.stringify(env)).not.toContain("canary");
  });
});

describe("spackCommand", () => {
  it("names an environment or a scope", () => {
    const words = (context: Parameters<typeof spackCommand>[1]) =>
      spackCommand(spack, context, ["find", "-l"]).argv;
    expect(words({ environment: "/env" })).toEqual([
      "/usr/bin/python3",
      "/cache/git/abc/bin/spack",
      "-e",
      "/env",
      "find",
      "-l",
    ]);
    expect(words({ scope: "/scope" }).slice(2, 4)).toEqual(["-C", "/scope"]);
  });
});
