import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluateWhen } from "../../src/environment/whenExpression.ts";
import { machine } from "./machines.ts";

const here = machine();

describe("evaluateWhen", () => {
  it.each([
    ["True", true],
    ["platform == 'linux'", true],
    ['os != "debian12"', false],
    ["'x86_64' in target and not platform == 'darwin'", true],
    ["'zen' not in target", true],
    ["platform in ['linux', 'darwin']", true],
    ["arch_str.startswith('linux-centos')", false],
    ["arch_str == 'platform=linux os=debian12 target=x86_64_v3'", true],
    ["'os=debian12' in str(arch)", true],
    ["hostname.startswith('node') and hostname.endswith('.cluster')", true],
    ["re.match(r'node\\d+', hostname)", true],
    ["re.search('login', hostname) is not None", false],
    ["re.match('node(?P<n>[0-9]+)', hostname).group('n') == '01'", true],
    ["env.get('MODE') == 'full'", true],
    ["env.get('NOPE', 'small') == 'small'", true],
    ["env.get('NOPE')", false],
    ["env.get('EMPTY')", false],
    ["'MODE' in env and 'NOPE' not in env", true],
    ["env['MODE'] in ('full', 'most')", true],
    ["any(name in hostname for name in ['login', 'node'])", true],
    ["len(env.get('MODE', '')) > 3", true],
    ["'a' if platform == 'linux' else nosuchname", true],
    ["platform == 'linux' or nosuchname", true],
    ["arch.satisfies('target=x86_64:')", true],
    ["arch.satisfies('target=x86_64_v4:')", false],
    ["arch.satisfies('target=aarch64:')", false],
    ["arch.satisfies('os=debian12')", true],
    ["architecture.satisfies('platform=linux target=:x86_64_v3')", true],
    ["arch.satisfies('arch=linux-debian12-x86_64_v3')", true],
    ["arch.intersects('target=x86_64_v4:')", false],
    ["arch.target >= 'x86_64_v2'", true],
    ["arch.target > 'x86_64_v3'", false],
    ["'x86_64_v2' < arch.target", true],
    ["arch.target == 'x86_64_v3' and arch.target in ('x86_64_v3', 'zen3')", true],
    ["arch.target.family == 'x86_64'", true],
    ["'avx2' in arch.target", true],
    ["'avx512f' in arch.target", false],
    ["arch.os == 'debian12' and arch.platform == 'linux'", true],
    ["[x for x in ('a', 'b') if x > 'a'] == ['b']", true],
  ])("%s is %s", (text, value) => expect(evaluateWhen(text, here)).toEqual({ value }));

  it("writes the architecture as the generation does", () => {
    const old = machine({ dialect: "0.x" });
    expect(evaluateWhen("arch_str == 'arch=linux-debian12-x86_64_v3'", old)).toEqual({ value: true });
  });

  it.each([
    ["cluster == 'x'", 0, "`cluster` is not a name that conditions know"],
    ["platform == 'linux' and nosuch", 24, "`nosuch` is not a name"],
    ["env['NOPE'] == 'x'", 3, "the environment variable `NOPE` is not set"],
    ["(True", 5, "`)` is missing"],
    ["platform == ", 12, "something is missing at the end"],
    ["True True", 5, "`True` is not understood here"],
    ["import os", 0, "`import` is not understood here"],
    ["", 0, "something is missing"],
    ["platform = 'linux'", 9, "`=` is not understood here"],
    ["arch.satisfies('x86_64:')", 14, "`x86_64:` is not a spec"],
    ["platform < 1", 9, "have no order"],
    ["platform.nosuch()", 9, "a text has no `nosuch`"],
    ["target == 'a' &&  os == 'b'", 15, "not understood"],
  ])("Python has no value for %s", (text, offset, problem) =>
    expect(evaluateWhen(text, here)).toEqual({
      unsupported: false,
      problem: expect.stringContaining(problem),
      offset,
    }),
  );

  it.each([
    "__import__('os').name == 'posix'",
    "open('/etc/hostname').read()",
    "(lambda: True)()",
    "f'{platform}' == 'linux'",
    "'%s' % platform == 'linux'",
    "re.compile('a', re.X)",
    "arch.concrete",
    "platform.swapcase() == 'LINUX'",
  ])("%s is not evaluated", (text) => expect(evaluateWhen(text, here)).toMatchObject({ unsupported: true }));

  it("bounds nesting, not the number of comparisons", () => {
    const many = Array.from({ length: 90 }, () => "os=='x'").join(" or ");
    expect(evaluateWhen(many, here)).toEqual({ value: false });
    expect(evaluateWhen(`${"(".repeat(80)}True${")".repeat(80)}`, here)).toHaveProperty("problem");
    expect(evaluateWhen(`${"not ".repeat(2000)}True`, here)).toHaveProperty("problem");
    expect(evaluateWhen("(".repeat(9000), here)).toHaveProperty("problem");
  });

  it("gives up what takes for ever", () => {
    const slow = machine({ environment: { A: `${"a".repeat(40)}!` } });
    expect(evaluateWhen("re.match('(a+)+$', env['A'])", slow)).toMatchObject({
      unsupported: true,
      problem: "this search takes too long",
    });
    expect(evaluateWhen("9**9**9**9", here)).toHaveProperty("problem");
    expect(evaluateWhen("'a' * 10**12", here)).toHaveProperty("problem");
    const loops = "any(False for a in range(9999) for b in range(9999))";
    expect(evaluateWhen(loops, here)).toMatchObject({ problem: "the condition takes too many steps" });
  });

  it("says what is missing where the system is not known", () => {
    const unknown = machine({ os: undefined });
    for (const text of ["os == 'x'", "arch_str == 'x'", "arch.os == 'x'", "arch.satisfies('os=debian12')"])
      expect(evaluateWhen(text, unknown)).toMatchObject({
        unsupported: true,
        problem: expect.stringContaining("platforms: ARCHITECTURE: os"),
      });
    expect(evaluateWhen("arch.satisfies('target=x86_64:')", unknown)).toEqual({ value: true });
  });

  it("never throws", () => {
    const word = fc.constantFrom(
      ..."platform os env arch re . ( ) [ ] { } , : == in not and or if else for x 'a' 1 2.5 + - * / % ** < None True".split(
        " ",
      ),
      "env.get('A')",
      "arch.satisfies(",
      "re.match(",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word, { maxLength: 20 }).map((words) => words.join(" ")),
        ),
        (text) => {
          expect(evaluateWhen(text, here)).toBeTypeOf("object");
        },
      ),
      { numRuns: 500 },
    );
  });
});
