import { describe, expect, it } from "vitest";
import { chooseFromCaches } from "../../src/concretize/chooseFromCaches.ts";
import { type PackageSource, sourceOf } from "../../src/concretize/packageSource.ts";
import { readManifest } from "../../src/environment/manifest.ts";
import type { Environment } from "../../src/environment/types.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { SpacktainersError, SpacktainersErrors } from "../../src/util/errors.ts";
import { makeSpec } from "./specs.ts";

function environmentOf(specs: readonly string[], rest = ""): Environment {
  const { environment, errors } = readManifest(
    `spack:\n  specs: ${JSON.stringify(specs)}\n${rest}`,
    "spack.yaml",
    { dialect: "0.x" },
  );
  if (environment === undefined) throw new Error(errors.map(({ message }) => message).join());
  return environment;
}

const platform = { target: "x86_64_v3" };

function choose(source: PackageSource, specs: readonly string[], rest = "", on = platform) {
  const { roots, graph } = chooseFromCaches(environmentOf(specs, rest), source, on);
  return roots.map(({ hash }) => graph.get(hash));
}

function refusal(
  source: PackageSource,
  specs: readonly string[],
  rest = "",
  platform?: { readonly target: string },
): SpacktainersError[] {
  try {
    choose(source, specs, rest, platform);
  } catch (thrown) {
    if (thrown instanceof SpacktainersErrors) return thrown.errors;
    if (thrown instanceof SpacktainersError) return [thrown];
    throw thrown;
  }
  throw new Error("something was chosen");
}

const lines = (errors: readonly SpacktainersError[]) =>
  errors.map(
    ({ code, place, message, hint }) => `${place.line}:${place.column} ${code} ${message} | ${hint}`,
  );

describe("one root", () => {
  const old = makeSpec("zlib@1.2.13", { variants: { shared: true, pic: true } });
  const best = makeSpec("zlib@1.3.1", { variants: { shared: true, pic: true } });
  const static_ = makeSpec("zlib@1.3.1", { variants: { shared: false, pic: true } });
  const develop = makeSpec("zlib@develop", { variants: { shared: true, pic: false } });
  const source = sourceOf([old, static_, best]);

  it("takes the newest version", () => {
    expect(choose(source, ["zlib"])).toEqual([best]);
    expect(choose(sourceOf([old, best, develop]), ["zlib"])).toEqual([develop]);
  });

  it("takes what the spec asks for", () => {
    expect(choose(source, ["zlib@1.2"])).toEqual([old]);
    expect(choose(source, ["zlib~shared"])).toEqual([static_]);
    expect(choose(source, [`/${static_.hash.slice(0, 30)}${static_.hash.slice(30)}`])).toEqual([static_]);
  });

  it("takes what `packages:` requires, prefers, and does not refuse", () => {
    const packages = (text: string) => `  packages:\n    zlib: { ${text} }\n`;
    expect(choose(source, ["zlib"], packages('require: "@1.2"'))).toEqual([old]);
    expect(choose(source, ["zlib"], packages("require: [{ one_of: [~shared, '@1.2'] }]"))).toEqual([static_]);
    expect(choose(source, ["zlib"], packages("require: [{ any_of: ['@1.2', +shared] }]"))).toEqual([old]);
    expect(choose(source, ["zlib"], packages("prefer: [~shared]"))).toEqual([static_]);
    expect(choose(source, ["zlib"], packages("conflict: ['@1.3+shared']"))).toEqual([static_]);
    expect(choose(source, ["zlib"], packages("require: [{ spec: ~shared, when: '@1.3' }]"))).toEqual([
      static_,
    ]);
  });

  it("takes what `reuse:` lets through", () => {
    const reuse = (text: string) => `  concretizer: { reuse: ${text} }\n`;
    expect(choose(source, ["zlib"], reuse("{ exclude: [zlib@1.3] }"))).toEqual([old]);
    expect(choose(source, ["zlib"], reuse("{ include: [~shared] }"))).toEqual([static_]);
    expect(choose(source, ["zlib"], reuse("{ from: [{ type: local, include: [foo] }] }"))).toEqual([best]);
    const from = "{ exclude: [zlib], from: [{ type: buildcache, exclude: [+shared] }, { type: local }] }";
    expect(choose(source, ["zlib"], reuse(from))).toEqual([static_]);
    const two =
      "{ from: [{ type: buildcache, include: [zlib@1.2] }, { type: buildcache, include: [zlib~shared] }] }";
    expect(choose(source, ["zlib"], reuse(two))).toEqual([static_]);
    expect(lines(refusal(source, ["zlib"], reuse("{ exclude: [zlib] }")))).toEqual([
      expect.stringMatching(/`concretizer: reuse` excludes `zlib` \(line 3\)/),
    ]);
    expect(lines(refusal(source, ["zlib"], reuse("{ include: [ring] }")))).toEqual([
      expect.stringMatching(/`concretizer: reuse` includes only `ring`/),
    ]);
  });

  it("takes default values of variants from `packages: variants`, after the version", () => {
    expect(choose(source, ["zlib"], "  packages: { zlib: { variants: ~shared } }\n")).toEqual([static_]);
    expect(choose(source, ["zlib"], "  packages: { all: { variants: ~shared } }\n")).toEqual([static_]);
    expect(choose(sourceOf([old, best]), ["zlib"], "  packages: { zlib: { variants: ~pic } }\n")).toEqual([
      best,
    ]);
  });

  it("does not let `version:` change which of the existing packages is reused, as Spack does not", () => {
    expect(choose(source, ["zlib"], '  packages: { zlib: { version: ["1.2.13"] } }\n')).toEqual([best]);
  });

  it("leaves requirements on all packages out where they make no sense", () => {
    expect(choose(source, ["zlib"], "  packages: { all: { require: +mpi } }\n")).toEqual([best]);
    expect(refusal(source, ["zlib"], "  packages: { zlib: { require: +mpi } }\n")).toHaveLength(1);
  });

  it("prefers newer targets, never one that is newer than the platform", () => {
    const generic = makeSpec("lz4@1", { target: "x86_64" });
    const v2 = makeSpec("lz4@1", { target: "x86_64_v2" });
    const v4 = makeSpec("lz4@1", { target: "x86_64_v4" });
    const arm = makeSpec("lz4@1", { target: "aarch64" });
    const all = sourceOf([generic, v2, v4, arm]);
    expect(choose(all, ["lz4"])).toEqual([v2]);
    expect(choose(all, ["lz4 target=x86_64"])).toEqual([generic]);
    expect(choose(all, ["lz4"], "", { target: "aarch64" })).toEqual([arm]);
    expect(lines(refusal(sourceOf([v4]), ["lz4"]))[0]).toMatch(/the platform is x86_64_v3/);
  });

  it("says of every root why nothing fits, nearest first, in the user's words", () => {
    expect(lines(refusal(source, ["zlib@1.4~shared", "zlbi", "zlib+pic"], ""))).toEqual([
      `2:12 NO_SOLUTION \`zlib@1.4~shared\`: none of 3 cached configurations fits | nearest: zlib@1.3.1/${static_.hash.slice(0, 7)}: not @1.4; zlib@1.3.1/${best.hash.slice(0, 7)}: not @1.4, not ~shared (it is +shared); zlib@1.2.13/${old.hash.slice(0, 7)}: not @1.4, not ~shared (it is +shared)`,
      "2:30 NO_SOLUTION `zlbi`: no cache has a package `zlbi` | did you mean `zlib`?",
    ]);
    expect(
      lines(refusal(sourceOf([best]), ["zlib"], '  packages:\n    zlib:\n      require: "@1.2"\n')),
    ).toEqual([
      `2:12 NO_SOLUTION \`zlib\`: the only cached configuration does not fit | nearest: zlib@1.3.1/${best.hash.slice(0, 7)}: \`packages: zlib\` requires \`@1.2\` (line 5)`,
    ]);
  });

  it("names the compiler and the target that a configuration has instead", () => {
    const only = sourceOf([makeSpec("lz4@1", { compiler: "12.2.0" })]);
    expect(
      lines(refusal(only, ["lz4 %gcc@13", "lz4 target=x86_64_v2"])).map((line) =>
        line.replace(/^.*\w{7}: /, ""),
      ),
    ).toEqual(["not %gcc@13 (it is %gcc@12.2.0)", "not target=x86_64_v2 (it is debian12-x86_64_v3)"]);
  });

  it("says when only recipes could tell", () => {
    const resolution = chooseFromCaches(environmentOf(["zlib"]), source, platform);
    expect(resolution.undetermined).toEqual([
      { request: "zlib", hash: best.hash, variants: ["shared"], alternatives: [static_.hash] },
    ]);
    expect(chooseFromCaches(environmentOf(["zlib+shared"]), source, platform).undetermined).toBeUndefined();
  });

  it("uses the defaults that recipes know", () => {
    const facts = {
      defaultsOf: (_: ConcreteSpec, variant: string) => (variant === "shared" ? [false] : undefined),
    };
    const { roots } = chooseFromCaches(environmentOf(["zlib"]), source, platform, { facts });
    expect(roots[0]?.hash).toBe(static_.hash);
  });
});

describe("closures", () => {
  it("uses only packages whose whole run-time closure can be had; build dependencies do not matter", () => {
    const gone = makeSpec("dep@2");
    const there = makeSpec("dep@1");
    const codegen = makeSpec("codegen@1");
    const system = makeSpec("glibc@2.36", { external: "/usr" });
    const newer = makeSpec("app@2", { link: [gone, system] });
    const older = makeSpec("app@1", { link: [there, system], build: [codegen] });
    const source = sourceOf(
      [gone, there, codegen, system, newer, older],
      (hash) => hash !== gone.hash && hash !== codegen.hash,
    );
    expect(choose(source, ["app"])).toEqual([older]);
    expect(lines(refusal(source, ["app@2"]))[0]).toMatch(/its dependency dep@2\/\w+ is in no cache/);
  });

  it("judges dependencies by what `packages:` says of them", () => {
    const plain = makeSpec("zlib@1", { variants: { shared: true } });
    const source = sourceOf([plain, makeSpec("app@1", { link: [plain] })]);
    expect(lines(refusal(source, ["app"], "  packages: { zlib: { require: ~shared } }\n"))[0]).toMatch(
      /`packages: zlib` requires `~shared` \(line 3\) \(its dependency zlib@1\//,
    );
  });

  it("judges providers by what `packages:` says of the virtual", () => {
    const mpich = makeSpec("mpich@4");
    const openmpi = makeSpec("openmpi@5");
    const withMpich = makeSpec("app@1", { link: [[mpich, ["mpi"]]] });
    const withOpenmpi = makeSpec("app@1", { link: [[openmpi, ["mpi"]]] });
    const source = sourceOf([mpich, openmpi, withMpich, withOpenmpi]);
    expect(choose(source, ["app"], "  packages: { mpi: { require: mpich } }\n")).toEqual([withMpich]);
    expect(choose(source, ["app"], "  packages: { mpi: { require: openmpi } }\n")).toEqual([withOpenmpi]);
    expect(choose(source, ["app"], "  packages: { all: { providers: { mpi: [mpich] } } }\n")).toEqual([
      withMpich,
    ]);
    expect(choose(source, ["app"])).toEqual([withOpenmpi]);
    expect(choose(source, ["mpi"], "  packages: { all: { providers: { mpi: [mpich] } } }\n")).toEqual([
      mpich,
    ]);
    expect(choose(source, ["app ^mpich"])).toEqual([withMpich]);
    // Recipes say which versions of a virtual a package provides.
    expect(lines(refusal(source, ["mpi@9:"]))[0]).toMatch(/it does not provide `mpi@9:`/);
    expect(choose(sourceOf([makeSpec("zlib@1.3"), mpich]), ["mpi@2:"])).toEqual([mpich]);
    expect(refusal(source, ["app"], "  packages: { mpi: { require: mvapich } }\n")).toHaveLength(1);
  });
});

describe("several roots", () => {
  const z12 = makeSpec("zlib@1.2");
  const z13 = makeSpec("zlib@1.3");
  const a12 = makeSpec("a@1", { link: [z12] });
  const a13 = makeSpec("a@1", { link: [z13] });
  const b12 = makeSpec("b@1", { link: [z12] });
  const c13 = makeSpec("c@1", { link: [z13] });
  const source = sourceOf([z12, z13, a12, a13, b12, c13]);
  const unify = (value: string) => `  concretizer: { unify: ${value} }\n`;

  it("fit together: one configuration of every package", () => {
    expect(choose(source, ["a", "b"])).toEqual([a12, b12]);
    expect(choose(source, ["c", "a"])).toEqual([c13, a13]);
    expect(choose(source, ["a", "zlib@1.2"])).toEqual([a12, z12]);
  });

  it("are each the best by themselves without `unify`", () => {
    expect(choose(source, ["a", "b", "c"], unify("false"))).toEqual([a13, b12, c13]);
  });

  it("are split with `when_possible` where a variant that one excludes is what brings the dependency of the other", () => {
    const mpich = makeSpec("mpich@4.0");
    const plain = makeSpec("ring@2.0", { variants: { mpi: false } });
    const parallel = makeSpec("ring@2.0", { variants: { mpi: true }, link: [[mpich, ["mpi"]]] });
    const user = makeSpec("py-ring@1.0", { link: [plain] });
    const rings = sourceOf([mpich, plain, parallel, user]);
    const whenPossible = unify("when_possible");
    expect(choose(rings, ["ring~mpi", "ring ^mpich@4"], whenPossible)).toEqual([plain, parallel]);
    expect(choose(rings, ["ring ^mpi", "py-ring ^ring~mpi"], whenPossible)).toEqual([parallel, user]);
    expect(refusal(rings, ["ring~mpi", "ring ^mpich@4"], unify("true"))).toHaveLength(1);
    // Not every +shared has mpich: that ~shared has none is chance, and somebody may build what the caches do not have.
    const static_ = makeSpec("ring@2.0", { variants: { mpi: false, shared: false } });
    const withShared = (mpi: boolean) =>
      makeSpec("ring@2.0", { variants: { mpi, shared: true }, link: mpi ? [[mpich, ["mpi"]]] : [] });
    const others = sourceOf([mpich, static_, withShared(true), withShared(false)]);
    expect(refusal(others, ["ring~shared", "ring ^mpich@4"], whenPossible)).toHaveLength(1);
  });

  it("are split in rounds with `when_possible` only where they contradict each other", () => {
    expect(choose(source, ["zlib@1.2", "zlib@1.3", "a"], unify("when_possible"))).toEqual([z12, z13, a12]);
    expect(refusal(source, ["b", "c"], unify("when_possible"))).toHaveLength(1);
  });

  it("are told when the search was cut short", () => {
    const both = sourceOf([z12, z13, a12, a13, b12, makeSpec("b@1", { link: [z13] })]);
    const within = (comparisons: number) =>
      chooseFromCaches(environmentOf(["a", "b"]), both, platform, { comparisons });
    expect(within(1000).incomplete).toBeUndefined();
    const cut = within(5);
    expect(cut.incomplete).toEqual(["a", "b"]);
    expect(cut.roots).toHaveLength(2);
    expect(() => within(1)).toThrow("no choice was found among a very large number of candidates");
  });

  it("are told which of them cannot be had together, and in what they differ", () => {
    const other = makeSpec("other@1");
    const [error, ...more] = refusal(sourceOf([z12, z13, b12, c13, other]), ["other", "b", "c"]);
    expect(more).toEqual([]);
    expect(error?.message).toBe(
      `\`b\` and \`c\` cannot be combined with the packages of the caches: they need different configurations of zlib (zlib@1.2/${z12.hash.slice(0, 7)}, zlib@1.3/${z13.hash.slice(0, 7)})`,
    );
    expect(error?.place).toMatchObject({ line: 2, column: 20 });
  });

  it("back off from the newest where the others need it", () => {
    const newest = makeSpec("d@3", { link: [z13] });
    const middle = makeSpec("d@2", { link: [z12] });
    const oldest = makeSpec("d@1", { link: [z12] });
    expect(choose(sourceOf([z12, z13, b12, newest, middle, oldest]), ["d", "b"])).toEqual([middle, b12]);
  });

  it("may each have run-time libraries of their own, as in Spack", () => {
    const libc = (target: string) => makeSpec("glibc@2.36", { external: "/usr", target });
    const [oldLibc, newLibc] = [libc("x86_64_v2"), libc("x86_64_v3")];
    const [gcc12, gcc13] = [makeSpec("gcc-runtime@12.2.0"), makeSpec("gcc-runtime@13.1.0")];
    const lz4 = makeSpec("lz4@1.9", { link: [gcc12, [oldLibc, ["libc"]]] });
    const ring = makeSpec("ring@2.1", { link: [gcc13, [newLibc, ["libc"]]] });
    const source = sourceOf([oldLibc, newLibc, gcc12, gcc13, lz4, ring]);
    expect(choose(source, ["lz4", "ring"])).toEqual([lz4, ring]);
    const both = makeSpec("both@1", { link: [lz4, ring, gcc13] });
    expect(choose(sourceOf([oldLibc, newLibc, gcc12, gcc13, lz4, ring, both]), ["both"])).toEqual([both]);
  });

  it("do not have two configurations of a C library that is more than that", () => {
    const [one, two] = [1, 2].map(() => makeSpec("glibc@2.36", { external: "/usr" })) as [
      ConcreteSpec,
      ConcreteSpec,
    ];
    const a = makeSpec("a@1", { link: [[one, ["iconv"]]] });
    const b = makeSpec("b@1", { link: [[two, ["iconv"]]] });
    expect(lines(refusal(sourceOf([one, two, a, b]), ["a", "b"]))).toEqual([
      expect.stringMatching(/`a` and `b` cannot be combined .* configurations of glibc/),
    ]);
  });

  it("are of one operating system", () => {
    const u = makeSpec("u@2", { os: "ubuntu24.04" });
    const d = makeSpec("u@1", { os: "debian12" });
    const only = makeSpec("v@1", { os: "debian12" });
    expect(choose(sourceOf([u, d, only]), ["u", "v"])).toEqual([d, only]);
    expect(choose(sourceOf([u, d]), ["u"])).toEqual([u]);
    expect(
      chooseFromCaches(environmentOf(["u"]), sourceOf([u, d]), { target: "x86_64_v3", os: "debian12" })
        .roots[0]?.hash,
    ).toBe(d.hash);
  });
});

describe("preferences that only a build could meet", () => {
  it("do not concern what is named by its hash, and what that needs", () => {
    const zlib = makeSpec("zlib@1.2", { variants: { shared: true } });
    const ring = makeSpec("ring@2.0", { link: [zlib] });
    const source = sourceOf([zlib, ring]);
    const prefer = "  packages: { zlib: { prefer: [~shared] } }\n";
    expect(choose(source, [`/${ring.hash}`, `zlib/${zlib.hash}`], prefer)).toEqual([ring, zlib]);
    expect(refusal(source, ["ring"], prefer)).toHaveLength(1);
    expect(
      refusal(source, [`/${ring.hash}`, "zlib"], `${prefer}  concretizer: { unify: false }\n`),
    ).toHaveLength(1);
  });

  const old = makeSpec("ring@1.4", { variants: { shared: false } });
  const source = sourceOf([old]);
  const rest = "  packages:\n    ring:\n      require: [{ any_of: ['@2.0', '@1.4'] }]\n";

  it("are refused, because Spack would build", () => {
    expect(lines(refusal(source, ["ring"], rest))[0]).toMatch(
      /^5:17 NO_SOLUTION `packages: ring` prefers `@2.0` \(line 5\) for ring, which no cached configuration that fits has: Spack would build it/,
    );
  });

  it("are not, where the user asks for something else anyway", () => {
    expect(choose(source, ["ring@1.4"], rest)).toEqual([old]);
  });
});

describe("determinism", () => {
  it("chooses the same whatever the order of the source and of the roots, of whichever hashes packages have", () => {
    // Of equal choices the hashes decide: with each of these, others come first.
    for (let attempt = 0; attempt < 30; attempt++) {
      const deps = [true, false].map((a) => makeSpec("dep@1", { variants: { a } }));
      const specs = [...deps];
      for (const dep of deps)
        for (const name of ["p", "q", "r"])
          for (let i = 0; i < 4; i++) specs.push(makeSpec(`${name}@1`, { link: [dep] }));
      const first = choose(sourceOf(specs), ["p", "q", "r"]);
      expect(choose(sourceOf([...specs].reverse()), ["p", "q", "r"])).toEqual(first);
      expect(choose(sourceOf(specs), ["r", "q", "p"]).reverse()).toEqual(first);
    }
  });
});

describe("packages for other processors only", () => {
  it("are named, with the platform's processor", () => {
    const old = makeSpec("lz4@1", { target: "x86_64" });
    const newer = makeSpec("lz4@1.9", { target: "x86_64_v3" });
    expect(lines(refusal(sourceOf([old, newer]), ["lz4"], "", { target: "aarch64" }))).toEqual([
      "2:12 NO_SOLUTION `lz4`: the caches have it for x86_64, x86_64_v3 only, and the platform is aarch64 | add a cache with packages for this platform; `platforms:` in spacktainers.yaml sets the target of containers",
    ]);
    const arm = makeSpec("lz4@1", { target: "aarch64" });
    expect(lines(refusal(sourceOf([old, arm]), ["lz4@2"], "", { target: "aarch64" }))[0]).toMatch(
      /none of 2/,
    );
  });
});
