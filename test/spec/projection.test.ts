import { describe, expect, it } from "vitest";
import { defaultProjection, projectPath } from "../../src/spec/projection.ts";
import { graphOf, hashOf } from "./graph.ts";

const graph = graphOf([
  {
    name: "app",
    version: "git.foo/bar=1.2",
    parameters: { mpi: true, libs: ["a", "b"], kind: "x" },
    dependencies: [
      ["gcc", ["build"], ["c"]],
      ["mpich", ["link"], ["mpi"]],
    ],
  },
  { name: "gcc", version: "12.2.0" },
  { name: "mpich", version: "4.0.2", dependencies: [["zlib", ["link"]]] },
  { name: "zlib", version: "1.3" },
]);
const app = graph.get(hashOf("app"));
const mpich = graph.get(hashOf("mpich"));
if (app === undefined || mpich === undefined) throw new Error("no graph");

it("the defaults are those of the two Spack generations", () => {
  expect(projectPath(mpich, defaultProjection(5))).toBe(`linux-x86_64_v3/mpich-4.0.2-${hashOf("mpich")}`);
  const [old] = graphOf([{ name: "zlib", version: "1.3" }], 4).values();
  if (old === undefined) throw new Error("no graph");
  expect(projectPath(old, defaultProjection(4))).toBe(
    `linux-debian12-x86_64_v3/gcc-12.2.0/zlib-1.3-${hashOf("zlib")}`,
  );
});

describe("projections", () => {
  it.each([
    ["{name}/{version}", "app/git.foo_bar_1.2"],
    ["{name}-{hash:7}", "app-appaaaa"],
    ["{NAME}{@version}", "app_git.foo_bar_1.2"],
    ["{architecture}/{arch.os}/{architecture.target.family}", "linux-debian12-x86_64_v3/debian12/x86_64"],
    ["{compiler.name}-{compiler.version}", "gcc-12.2.0"],
    ["{^mpi.name}-{^mpi.version}", "mpich-4.0.2"],
    ["{^zlib.version}/{^mpich.hash:4}", "1.3/mpic"],
    ["{variants.mpi}/{variants.kind.value}/{variants.libs}", "+mpi/x/libs__a_b"],
    ["{name}//./{namespace}/", "app/builtin"],
    ["x{ namespace=namespace}", "x_namespace_builtin"],
    ["", ""],
    ["{specfile_version}", "v5"],
  ])("%s gives %s", (projection, path) => {
    expect(projectPath(app, projection, graph)).toBe(path);
  });

  it("prints none where nothing tells the compiler", () => {
    expect(projectPath(mpich, "{compiler.name}-{compiler.version}", graph)).toBe("none-none");
  });

  it.each([
    "/abs/{name}",
    "../{name}",
    "{name",
    "name}",
    "{nope}",
    "{variants.nope}",
    "{^nope.name}",
    "{@name}",
    "{a/b}",
    "{/hash}",
    "\\{name\\}",
  ])("refuses %s", (projection) => {
    expect(() => projectPath(app, projection, graph)).toThrowError(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });
});
