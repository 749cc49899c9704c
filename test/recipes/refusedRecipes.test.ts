import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { recipe, run } from "./openedRecipes.ts";

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
    expect(problems).toEqual(["9: the variable HOME of the user who runs it"]);
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
