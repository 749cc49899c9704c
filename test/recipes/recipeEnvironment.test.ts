import { describe, expect, test } from "vitest";
import type { RecipeEnvironment } from "../../src/recipes/recipeEnvironment.ts";
import { makeSpec } from "../view/makeSpec.ts";
import { open, recipe, run, tool } from "./openedRecipes.ts";

describe("what recipes write", () => {
  test.each([
    ['env.set("A", self.prefix.share.x.join("a-b"))', "A=/sw/tool/share/x/a-b"],
    ['env.set("A", join_path(prefix, "a", "/b", "c"))', "A=/b/c"],
    ['env.set("A", f"{self.name}-{self.version.up_to(2)!s:>6}|")', "A=tool-  10.2|"],
    ['env.set("A", "{0[1]}{x.name}".format(["a", "b"], x=self))', "A=btool"],
    ['env.set("A", "%s-%03d%%" % (self.spec.name, 7))', "A=tool-007%"],
    ['env.set("A", str(self.version.up_to(-1)) + str(self.version[0]))', "A=10.210"],
    ['env.set("A", self.version.joined)', "A=1027rc1"],
    ['env.append_flags("A", "-x")', "append_flags A -x by  "],
    ['env.prepend_path("A", "b", separator=";")', "prepend_path A b by ;"],
    ['env.set_path("A", ["a", self.prefix.b])', "set_path A a,/sw/tool/b"],
    ['env.set("A", ",".join(x.upper() for x in ("a", "b") if x != "a"))', "A=B"],
    ['env.set("A", {k: v for k, v in zip("ab", "cd")}["b"])', "A=d"],
    ['env.set("A", "yes" if "+mpi" in self.spec and not self.spec.satisfies("@:9") else "no")', "A=yes"],
    ['env.set("A", str("kind=plain" in self.spec) + self.spec.variants["kind"].value)', "A=Trueplain"],
    ['env.set("A", self.size)', "A=big"],
    ['env.set("A", [1, 2, 3][-1:])', "A=[3]"],
    ['env.set("A", getattr(self, "nothing", None) or "none")', "A=none"],
    ['env.set("A", self.spec.target.family)', "A=x86_64"],
    ['env.set("A", "a/b/c".rsplit("/", 1)[0])', "A=a/b"],
  ])("%s", (body, expected) => {
    expect(run(recipe(body))).toEqual({ set: [expected], problems: [] });
  });

  test("statements of all kinds", () => {
    const body = `
parts = ["a"]
parts += ["b"]
for index, part in enumerate(parts):
    if part == "a":
        continue
    env.set("P{0}".format(index), part)
count = 0
while True:
    count += 1
    if count > 3:
        break
try:
    raise InstallError("no")
except (KeyError, SpackError) as error:
    env.set("E", str(error))
finally:
    env.set("F", count)
def inner(x, *more, y="y", **rest):
    return x + y + str(len(more)) + "".join(sorted(rest))
env.set("I", inner("x", 1, 2, k=1, j=2))
env.set("L", (lambda a, b=2: a * b)(3))
if count == 0:
    return
env.unset("GONE")`;
    expect(run(recipe(body))).toEqual({
      set: ["P1=b", "E=no", "F=4", "I=xy2jk", "L=6", "unset GONE "],
      problems: [],
    });
  });

  test("members, helpers, names of the file, `super()`, methods with conditions", () => {
    const text = `
import os

BASE = "/base"


def below(path, name="x"):
    return os.path.join(path, name)


class Base(Package):
    kind = "base"

    @property
    def place(self):
        return below(BASE, self.kind)

    def setup_run_environment(self, env):
        env.set("PLACE", self.place)


class Tool(Base):
    kind = "tool"

    def setup_run_environment(self, env):
        super().setup_run_environment(env)
        self._more(env, "M")

    @when("@:9")
    def _more(self, env, name):
        env.set(name, "old")

    @when("@10: +mpi")
    def _more(self, env, name):
        env.set(name, "new")
`;
    expect(run(text)).toEqual({ set: ["PLACE=/base/tool", "M=new"], problems: [] });
  });

  test("a method with conditions of which none holds falls back to the class above", () => {
    const text = recipe("pass").replace("    def setup_run", '    @when("~mpi")\n    def setup_run');
    expect(run(text)).toEqual({ set: [], problems: [] });
  });

  test("files of the image", () => {
    const body = `
if os.path.isdir(self.prefix.lib64):
    env.set("LIB", self.prefix.lib64)
for found in sorted(glob.glob(join_path(self.prefix, "*", "*.so*"))):
    env.append_path("GLOB", os.path.basename(found))
env.set("FIND", " ".join(os.path.dirname(x) for x in find(self.prefix, "*.conf")))
env.set("LIBS", find_libraries("libtool", self.prefix, recursive=True).directories[0])
env.set("OWN", self.spec["tool"].libs[0])`;
    const files = ["sw/tool/lib64/libtool.so", "sw/tool/lib64/libtool.so.1", "sw/tool/etc/deep/a.conf"];
    expect(run(recipe(body, "", "import glob\nimport os"), files)).toEqual({
      set: [
        "LIB=/sw/tool/lib64",
        "append_path GLOB libtool.so",
        "append_path GLOB libtool.so.1",
        "FIND=/sw/tool/etc/deep",
        "LIBS=/sw/tool/lib64",
        "OWN=/sw/tool/lib64/libtool.so",
      ],
      problems: [],
    });
  });
});

describe("dependents and other packages", () => {
  const ruler = makeSpec("ruler");
  const user = makeSpec("user", { dependencies: [["ruler", ruler.hash, "link", "run"]] });
  const recipes = {
    ruler: `
class Ruler(Package):
    def setup_dependent_run_environment(self, env, dependent_spec):
        if dependent_spec.package.extends(self.spec):
            env.prepend_path("RULES", dependent_spec.prefix.rules)

    def setup_dependent_package(self, module, dependent_spec):
        module.rule = join_path(dependent_spec.prefix, "rule")

    @property
    def marks(self):
        return "marks"
`,
    user: `
class User(Package):
    extends("ruler", when="@1:")

    def setup_run_environment(self, env):
        env.set("RULER", self.spec["ruler"].prefix)
        env.set("MARKS", self["ruler"].marks)
        env.set("RULE", rule)
`,
  };

  test("`extends`, packages of dependencies, names that dependencies set", () => {
    const environment = open({ specs: [ruler, user], recipes });
    const values = (found: ReturnType<RecipeEnvironment["own"]>) =>
      found.modifications.map(({ value }) => value);
    expect(values(environment.forDependent(ruler, user))).toEqual(["/sw/user/rules"]);
    expect(values(environment.own(user))).toEqual(["/sw/ruler", "marks", "/sw/user/rule"]);
    expect(environment.own(user).problems).toEqual([]);
  });

  test("a class of another recipe, and one that is not at hand", () => {
    const text =
      "from spack_repo.x.packages.base_tool.package import BaseTool\n\nclass Tool(BaseTool):\n    pass\n";
    const base =
      "class BaseTool(Package):\n    def setup_run_environment(self, env):\n        env.set('B', self.name)\n";
    const specs = [tool];
    expect(open({ specs, recipes: { tool: text, "base-tool": base } }).own(tool).modifications).toMatchObject(
      [{ name: "B", value: "tool" }],
    );
    const { problems } = open({ specs, recipes: { tool: text } }).own(tool);
    expect(problems).toMatchObject([{ recipe: "tool", reason: "the class BaseTool, which is not at hand" }]);
  });

  test("a compiler says itself where its programs are; of an external one it is not known", () => {
    const text = `
class Gcc(Package, CompilerPackage):
    def _cc_path(self):
        return str(self.spec.prefix.bin.gcc)

    def setup_run_environment(self, env):
        if self.cc:
            env.set("CC", self.cc)
`;
    const [built, external] = [makeSpec("gcc"), makeSpec("gcc", { external: "/usr" })];
    const environment = open({ specs: [external, built], recipes: { gcc: text } });
    expect(environment.own(built)).toMatchObject({
      modifications: [{ value: "/sw/gcc/bin/gcc" }],
      problems: [],
    });
    expect(environment.own(external)).toMatchObject({ modifications: [], problems: [{ line: 7 }] });
  });

  test("without a recipe there is nothing", () => {
    expect(open({ specs: [tool], recipes: {} }).own(tool)).toEqual({ modifications: [], problems: [] });
  });
});
