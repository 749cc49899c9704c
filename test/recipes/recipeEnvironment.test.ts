import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RecipeEnvironment } from "../../src/recipes/recipeEnvironment.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { recipeFiles } from "../../src/view/recipeFiles.ts";
import { specTester } from "../../src/view/specTester.ts";
import { makeSpec } from "../view/makeSpec.ts";

interface Given {
  /** Dependencies before dependents. */
  readonly specs: readonly ConcreteSpec[];
  readonly recipes: Readonly<Record<string, string>>;
  readonly files?: readonly GivenFile[];
}

/** A file by its path, also with its text. */
type GivenFile = string | { readonly path: string; readonly text: string };

function open({ specs, recipes, files = [] }: Given): RecipeEnvironment {
  const graph = new Map(specs.map((spec) => [spec.hash, spec]));
  const entries = files.map((file) => {
    const named = typeof file === "string" ? { path: file } : file;
    return { ...named, type: "file", mode: 0o644, size: 0 } as const;
  });
  return new RecipeEnvironment({
    graph,
    order: specs,
    satisfies: specTester(graph),
    prefixOf: (spec) => `/sw/${spec.name}`,
    recipeOf: (name) => recipes[name],
    files: recipeFiles(new FileTree([{ entries }])),
  });
}

/** A recipe with this body of `setup_run_environment`, and more in the class and before it. */
function recipe(body: string, members = "", before = ""): string {
  const lines = body
    .trim()
    .split("\n")
    .map((line) => `        ${line}`);
  return `from spack.package import *\n${before}\n\nclass Tool(Package):\n    size = "big"\n${members}\n    def setup_run_environment(self, env):\n${lines.join("\n")}\n`;
}

const tool = makeSpec("tool", {
  version: "10.2.7-rc1",
  variants: [
    ["mpi", true],
    ["kind", "plain"],
  ],
});

/** What a body sets, as `NAME=value`, and what was not understood, as `line: reason`. */
function run(text: string, files: readonly GivenFile[] = [], spec = tool) {
  const { modifications, problems } = open({ specs: [spec], recipes: { tool: text }, files }).own(spec);
  return {
    set: modifications.map(({ operation, name, value, separator }) =>
      operation === "set"
        ? `${name}=${value}`
        : `${operation} ${name} ${value ?? ""}${separator === ":" ? "" : ` by ${separator}`}`,
    ),
    problems: problems.map(({ line, reason, raised }) => `${raised ? "raised " : ""}${line}: ${reason}`),
  };
}

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

describe("what is not understood", () => {
  test("is named with its line; the rest goes on", () => {
    const body = `
env.set("A", "1")
host = which("uname")
env.set("B", host)
env.set("C", "3")`;
    expect(run(recipe(body))).toEqual({ set: ["A=1", "C=3"], problems: ["9: the name `which`"] });
  });

  test("a condition that is not understood: neither branch, and what they set is not known", () => {
    const body = `
if os.getlogin() == "root":
    place = "root"
else:
    place = "other"
env.set("P", place)
env.set("Q", "q")`;
    expect(run(recipe(body, "", "import os")).set).toEqual(["Q=q"]);
    expect(run(recipe(body, "", "import os")).problems).toEqual(["8: `os.getlogin`"]);
  });

  test("a condition that may end the method ends it", () => {
    const body = `
env.set("A", "1")
if os.getlogin() == "root":
    return
env.set("B", "2")`;
    expect(run(recipe(body, "", "import os"))).toEqual({ set: ["A=1"], problems: ["9: `os.getlogin`"] });
  });

  test("a list that was changed by something unknown is unknown", () => {
    const body = `
parts = ["a"]
parts.extend(which("ls"))
env.set("P", ":".join(parts))`;
    const { set, problems } = run(recipe(body));
    expect(set).toEqual([]);
    expect(problems).toEqual(["9: the name `which`"]);
  });

  test("in `try`, nothing is guessed", () => {
    const body = `
try:
    env.set("A", which("a"))
except Exception:
    env.set("A", "none")
env.set("B", "b")`;
    expect(run(recipe(body)).set).toEqual(["B=b"]);
    expect(run(recipe(body)).problems).toHaveLength(1);
  });

  describe("scripts are read, never run", () => {
    const sourcing = (more = "") =>
      recipe(`env.extend(EnvironmentModifications.from_sourcing_file(self.prefix.join("a.sh")${more}))`);
    const script = (text: string) => [{ path: "sw/tool/a.sh", text }];

    test("what one does becomes changes, as Spack finds them by running it", () => {
      const text =
        "export TREES=12\nexport T_PATH=/opt/f:$T_PATH\nexport PATH=/opt/f/bin:$PATH:/opt/f/last\nunset GONE\nLOCAL=1\nexport PS1=x\n";
      expect(run(sourcing(), script(text))).toEqual({
        set: [
          "TREES=12",
          "prepend_path T_PATH /opt/f:",
          "append_path PATH /opt/f/last",
          "prepend_path PATH /opt/f/bin",
        ],
        problems: [],
      });
      expect(run(sourcing(", clean=True, exclude=['TREES']"), script(text)).set).not.toContain("TREES=12");
      expect(run(sourcing(", include=['PS1']"), script(text)).set).toContain("PS1=x");
    });

    test.each([
      ["X=1\nif true; then", "line 2 has `if true; then`"],
      ["touch /x", "line 1 has `touch /x`"],
    ])("%j is not understood", (text, reason) => {
      expect(run(sourcing(), script(text))).toEqual({
        set: [],
        problems: [`8: what the script /sw/tool/a.sh does: ${reason}`],
      });
    });

    test.each([
      "export OLD=$PATH",
      "export PATH=$PATH:$PATH",
      "export PATH=x$PATH",
      'export PATH="${PATH}y"',
    ])("what a former PATH is unknown for: %s", (text) => {
      expect(run(sourcing(), script(text)).problems).toEqual([
        `8: what the script /sw/tool/a.sh makes of PATH in ${text.startsWith("export OLD") ? "OLD" : "PATH"}`,
      ]);
    });

    test("one that is not there fails as in Spack; one whose text is not kept is named", () => {
      expect(run(sourcing()).problems).toEqual([
        "raised 8: Trying to source non-existing file: /sw/tool/a.sh",
      ]);
      expect(run(sourcing(), ["sw/tool/a.sh"]).problems).toEqual([
        "8: what the script /sw/tool/a.sh does: its text is not kept",
      ]);
      expect(run(sourcing(", shell='zsh'"), script("")).problems).toEqual([
        "8: the argument `shell` of `from_sourcing_file`",
      ]);
    });
  });

  test("a failure keeps what came before", () => {
    expect(run(recipe('env.set("A", "1")\nenv.set("B", [][0])\nenv.set("C", "3")'))).toEqual({
      set: ["A=1"],
      problems: ["raised 9: index out of range"],
    });
  });

  test("variables of whoever runs Spack are not made up", () => {
    const { set, problems } = run(
      recipe(
        'env.set("A", os.environ.get("NOT_SET", "x"))\nenv.set("B", os.environ["HOME"])',
        "",
        "import os",
      ),
    );
    expect(set).toEqual(["A=x"]);
    expect(problems).toEqual(["9: the variable HOME of whoever runs it"]);
  });
});

describe("hostile recipes end", () => {
  test.each([
    ["loops", "while True:\n    pass"],
    [
      "loops in loops",
      "for a in range(9999):\n    for b in range(9999):\n        for c in range(9999):\n            pass",
    ],
    ["calls of itself", "self.setup_run_environment(env)"],
    ["texts that grow", 'x = "x"\nwhile True:\n    x = x + x'],
    ["repeated texts", 'env.set("A", "x" * 99999999999)'],
    ["lists that grow", "x = [1]\nwhile True:\n    x.extend(x)"],
    ["lists in themselves", "x = []\nx.append(x)\nenv.set('A', str(x))"],
    ["numbers that grow", "x = 3\nwhile True:\n    x = x * x"],
    ["changes without end", 'while True:\n    env.set("A", "1")'],
    ["formats", 'env.set("A", "{0:>999999999}".format("x"))'],
    ["generators", "env.set('A', sum(x for x in range(9999) for y in range(9999)))"],
    ["lambdas", "f = lambda g: g(g)\nf(f)"],
    [
      "prototypes",
      'env.set("A", self.__proto__)\nenv.set("B", {}["constructor"])\nenv.set("C", constructor)',
    ],
  ])("%s", (_, body) => {
    const { problems } = run(recipe(body));
    expect(problems.length).toBeGreaterThan(0);
  });

  test("no method makes it throw", () => {
    const words = fc.constantFrom(
      ...'env.set( "A" , self.prefix self.spec ) [ ] 0 1 for if else x in = ( . lib + % "%s" .format( lambda : None os.path.join( find( self.version -1 {} not is range( 3 .libs self[ "tool" try: except: return raise self.x'.split(
        " ",
      ),
      "\n",
      "\n    ",
    );
    fc.assert(
      fc.property(fc.array(words, { maxLength: 40 }), (parts) => {
        const found = run(recipe(parts.join(" "), "", "import os"));
        expect(Array.isArray(found.set)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});
