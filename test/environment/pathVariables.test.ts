import { describe, expect, it } from "vitest";
import { expandPath } from "../../src/environment/pathVariables.ts";
import { machine } from "./machines.ts";

const here = machine({
  environment: { FOO: "/foo", foo2: "/lower", TMPDIR: "/tmp/x", SPACK_USER_CACHE_PATH: "/cache" },
});
const expanded = (path: string) => expandPath(path, here).path;

describe("expandPath", () => {
  // As Spack 1.1.0 and 0.23.0 replace them.
  it.each([
    ["$user", "me"],
    ["${User}/x", "me/x"],
    ["$tempdir/x", "/tmp/x/x"],
    ["$user_cache_path/x", "/cache/x"],
    ["$arch", "linux-debian12-x86_64_v3"],
    ["${architecture}", "linux-debian12-x86_64_v3"],
    ["$platform-$os-$operating_system-$target", "linux-debian12-debian12-x86_64_v3"],
    ["$target_family", "x86_64"],
    ["$date/x", "2026-01-31/x"],
    ["~/a", "/home/me/a"],
    ["~", "/home/me"],
    ["~me/a", "/home/me/a"],
    ["~nosuch/a", "~nosuch/a"],
    ["a~/b", "a~/b"],
    ["$FOO/a", "/foo/a"],
    ["${FOO}/a", "/foo/a"],
    ["$foo/a", "$foo/a"],
    ["$foo2", "/lower"],
    ["$NOPE/a", "$NOPE/a"],
    ["${NOPE}", "${NOPE}"],
    ["$$FOO", "$/foo"],
    ["$FOO$foo2", "/foo/lower"],
    ["${FOO", "${FOO"],
    ["$userx", "$userx"],
    ["$user-x", "me-x"],
    ["${user}x", "mex"],
    ["${FOO:-x}", "${FOO:-x}"],
    ["$env/a", "$env/a"],
  ])("%s is %s", (path, value) => expect(expandPath(path, here)).toEqual({ path: value, unknown: [] }));

  it("knows an installed Spack by SPACK_ROOT only", () => {
    expect(expandPath("$spack/etc/x.yaml", here)).toEqual({ path: "$spack/etc/x.yaml", unknown: ["$spack"] });
    expect(expandPath("${SPACK}/etc", machine({ environment: { SPACK_ROOT: "/opt/spack" } }))).toEqual({
      path: "/opt/spack/etc",
      unknown: [],
    });
    expect(expandPath("$spack_short_version", here).unknown).toEqual(["$spack_short_version"]);
  });

  it("does not guess the system", () => {
    expect(expandPath("a/$os/$ARCH", machine({ os: undefined }))).toEqual({
      path: "a/$os/$ARCH",
      unknown: ["$os", "$ARCH"],
    });
  });

  it("takes variables of the environment when Spack has none of the name", () => {
    expect(expandPath("$env/x", machine({ environment: { env: "/set" } })).path).toBe("/set/x");
  });

  it("does not take what every object has for a variable", () =>
    expect(expanded("$constructor")).toBe("$constructor"));
});
