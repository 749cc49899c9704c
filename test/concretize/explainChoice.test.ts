import { describe, expect, it } from "vitest";
import { choosePrepared, prepareChoice } from "../../src/concretize/chooseFromCaches.ts";
import { explainAlternatives } from "../../src/concretize/explainChoice.ts";
import { type PackageSource, sourceOf } from "../../src/concretize/packageSource.ts";
import { verdictText } from "../../src/concretize/verdictText.ts";
import { readManifest } from "../../src/environment/manifest.ts";
import type { ConcreteSpec } from "../../src/spec/concrete.ts";
import { makeSpec } from "./specs.ts";

/** What is said of each configuration of a package, by hash. */
function explain(source: PackageSource, name: string, specs: readonly string[], rest = "", limit = 50) {
  const { environment, errors } = readManifest(
    `spack:\n  specs: ${JSON.stringify(specs)}\n${rest}`,
    "spack.yaml",
    { dialect: "0.x" },
  );
  if (environment === undefined) throw new Error(errors.map(({ message }) => message).join());
  const context = prepareChoice(environment, source, { target: "x86_64_v3" });
  const chosen = choosePrepared(context).roots.map(({ hash }) => hash);
  const all = explainAlternatives(context, chosen, name, limit);
  return (spec: ConcreteSpec) => {
    const found = all.find((one) => one.spec === spec);
    if (found === undefined) throw new Error(`nothing is said of ${spec.hash}`);
    return {
      ...found.verdict,
      text: verdictText(found.verdict, spec, ({ place }) => (place === undefined ? "" : ` (${place.line})`)),
    };
  };
}

describe("explainAlternatives", () => {
  const old = makeSpec("zlib@1.2.13");
  const newest = makeSpec("zlib@1.3.1");
  const modern = makeSpec("zlib@1.3.1", { target: "x86_64_v4" });

  it("says what was taken, and what is worse by which criterion", () => {
    const said = explain(sourceOf([old, newest]), "zlib", ["zlib"]);
    expect(said(newest).kind).toBe("chosen");
    expect(said(old)).toMatchObject({ kind: "worse", criterion: "version badness (roots)", guessed: [] });
    expect(said(old).text).toBe(
      `worse by version badness (roots): zlib@1.2.13/${old.hash.slice(0, 7)} instead of zlib@1.3.1/${newest.hash.slice(0, 7)}`,
    );
  });

  it("says which constraint excludes a configuration, in the user's words", () => {
    const said = explain(sourceOf([old, newest, modern]), "zlib", ["zlib@1.2"]);
    expect(said(newest).text).toBe("`zlib@1.2` wants @1.2 (2)");
    expect(said(modern).text).toBe("`zlib@1.2` wants @1.2 (2); the platform is x86_64_v3");
    const required = explain(
      sourceOf([old, newest]),
      "zlib",
      ["zlib"],
      '  packages:\n    zlib:\n      require: "@1.2"\n',
    );
    expect(required(newest).text).toBe("`packages: zlib` requires `@1.2` (5)");
  });

  it("says what no cache has, and what is an external", () => {
    const external = makeSpec("zlib@1.2.11", { external: "/usr" });
    const source = sourceOf([old, newest, external], (hash) => hash !== newest.hash);
    const said = explain(source, "zlib", ["zlib"]);
    expect(said(old).kind).toBe("chosen");
    expect(said(newest)).toMatchObject({ kind: "not-cached" });
    expect(said(external)).toMatchObject({ kind: "external" });
  });

  it("says of dependencies what was built with them and why that was not taken", () => {
    const modernTool = makeSpec("tool@2.0", { link: [newest], variants: { gui: true } });
    const plainTool = makeSpec("tool@1.0", { link: [old], variants: { gui: false } });
    const spare = makeSpec("zlib@1.2.12");
    const said = explain(sourceOf([old, newest, spare, modernTool, plainTool]), "zlib", ["tool~gui"]);
    expect(said(old).kind).toBe("chosen");
    expect(said(spare)).toMatchObject({
      kind: "unused",
      text: "nothing that was asked for was built with it",
    });
    expect(said(newest).text).toBe(
      `tool@2.0/${modernTool.hash.slice(0, 7)}, which was built with it, cannot be taken: \`tool~gui\` wants ~gui (it is +gui) (2)`,
    );
  });

  it("says which other specs a configuration does not go together with", () => {
    const a = makeSpec("aa@2.0", { link: [newest] });
    const b = makeSpec("bb@1.0", { link: [newest] });
    const other = makeSpec("aa@1.0", { link: [old] });
    const said = explain(sourceOf([old, newest, a, b, other]), "zlib", ["aa", "bb"]);
    expect(said(newest).kind).toBe("chosen");
    expect(said(old)).toMatchObject({ kind: "clash", requests: ["bb"] });
  });

  it("says when guessed defaults decided", () => {
    const common = [1, 2, 3].map((minor) => makeSpec(`zlib@1.2.${minor}`, { variants: { pic: true } }));
    const plain = makeSpec("zlib@1.3", { variants: { pic: true } });
    const odd = makeSpec("zlib@1.3", { variants: { pic: false } });
    const said = explain(sourceOf([...common, plain, odd]), "zlib", ["zlib"]);
    expect(said(plain).kind).toBe("chosen");
    expect(said(odd)).toMatchObject({ kind: "worse", guessed: ["pic"] });
    const asked = explain(
      sourceOf([...common, plain, odd]),
      "zlib",
      ["zlib"],
      "  packages: { zlib: { variants: +pic } }\n",
    );
    expect(asked(odd)).toMatchObject({ kind: "worse", guessed: [] });
  });

  it("says when two are as good as far as caches can tell", () => {
    const on = makeSpec("zlib@1.3", { variants: { pic: true } });
    const off = makeSpec("zlib@1.3", { variants: { pic: false } });
    const said = explain(sourceOf([on, off]), "zlib", ["zlib"]);
    const [taken, left] = said(on).kind === "chosen" ? [on, off] : [off, on];
    expect(said(taken).kind).toBe("chosen");
    expect(said(left)).toMatchObject({ kind: "equal", variants: ["pic"] });
  });

  it("looks into no more than it is told to", () => {
    const many = Array.from({ length: 9 }, (_, minor) => makeSpec(`zlib@1.${minor}`));
    const said = explain(sourceOf(many), "zlib", ["zlib"], "", 3);
    expect(many.filter((spec) => said(spec).kind === "unknown")).toHaveLength(5);
    expect(many.filter((spec) => said(spec).kind === "worse")).toHaveLength(3);
  });
});
