import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CatalogueFacts } from "../../../src/catalogue/facts.ts";
import { openSearch } from "../../../src/catalogue/search/openSearch.ts";
import { makeSearchData, openPackages } from "../../../src/catalogue/search/searchData.ts";
import { generationOf } from "../../../src/spec/generation.ts";
import { parseSpec } from "../../../src/spec/parse.ts";
import { concreteSatisfies } from "../../../src/spec/satisfies.ts";
import { syntheticFacts } from "../../support/syntheticFacts.ts";

const facts = await syntheticFacts({ containers: 12, packages: 40, recipes: 90, versions: 2 });
const data = makeSearchData(facts);
const search = openSearch(data);

/** Which containers have a package that satisfies, by the rules themselves. */
function expected(constraint: string, { containers, graph }: CatalogueFacts): readonly number[] {
  return containers.flatMap(({ images }, at) => {
    const has = images.some(({ packages }) =>
      packages.some((hash) => {
        const spec = graph.get(hash);
        if (spec === undefined) return false;
        const dialect = generationOf(spec);
        return concreteSatisfies(graph, hash, parseSpec(constraint, { dialect }), { dialect });
      }),
    );
    return has ? [at] : [];
  });
}

function found(words: string): readonly number[] {
  return search
    .find(words)
    .containers.flatMap(({ container, images }) => (images.length > 0 ? [container] : []));
}

describe("search data", () => {
  it("has every package as it was", () => {
    const packages = openPackages(JSON.parse(JSON.stringify(data)));
    for (const spec of facts.graph.values()) expect(packages.get(spec.hash)).toEqual(spec);
  });
});

describe("a search", () => {
  it.each([
    "hdf5",
    "hdf5@2.1:",
    "hdf5@2: +mpi",
    "hdf5~mpi",
    "mpi",
    "mpich@1:3",
    "+mpi",
    "+shared ^zlib",
    "fftw ^mpi",
    "petsc ^mpich@1:",
    "%gcc@12",
    "%gcc@13:",
    "^zlib",
    "^mpi@1:",
    "^zlib %gcc@12",
    "hdf5 ^mpi ^zlib@1:",
    "cxxstd=17",
    "target=x86_64_v3:",
    "target=zen4",
    "nothing-of-this-name",
    `/${data.packages[7]?.[0].slice(0, 6)}`,
  ])("for %s finds what satisfies it", (words) => {
    expect(found(words)).toEqual(expected(words, facts));
  });

  it("finds what satisfies any of these constraints", () => {
    const names = ["hdf5", "fftw", "petsc", "zlib", "py-package-12", "mpi", ""];
    const versions = ["", "@1", "@2:", "@:3", "@1.2:3"];
    const rest = ["", "+mpi", "~mpi", "+shared", "build_system=cmake", "^zlib", "^mpi", "%gcc@:12"];
    const pick = (list: readonly string[]) => fc.constantFrom(...list);
    fc.assert(
      fc.property(pick(names), pick(versions), pick(rest), pick(rest), (name, version, one, other) => {
        const words = `${name}${version} ${one} ${other}`.trim();
        // Without anything there is nothing to ask, and nothing may be said twice.
        fc.pre(words !== "" && one.replace("~", "+") !== other.replace("~", "+"));
        expect(found(words)).toEqual(expected(words, facts));
      }),
      { numRuns: 150 },
    );
  });

  it("wants all of several specs in one image", () => {
    const both = found("hdf5 fftw");
    const hdf5 = new Set(found("hdf5"));
    expect(both.length).toBeGreaterThan(0);
    for (const one of both) expect(hdf5.has(one)).toBe(true);
    const { containers } = search.find("hdf5 fftw");
    for (const { images } of containers)
      for (const { packages } of images)
        expect(new Set(packages.map(({ name }) => name))).toEqual(new Set(["hdf5", "fftw"]));
  });

  it("finds containers by name, and offers names of packages", () => {
    const answer = search.find("container-00");
    expect(answer.containers.map(({ container }) => container)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(answer.containers.every(({ byName }) => byName)).toBe(true);
    expect(search.find("hd").names).toEqual(["hdf5"]);
  });

  it("says what is wrong with words that are no spec, and looks at names all the same", () => {
    const answer = search.find("container-00 @@");
    expect(answer.problem).toMatch(/\S/);
    expect(answer.containers).toEqual([]);
    expect(() => search.satisfying("@@")).toThrow(expect.objectContaining({ code: "SPEC_SYNTAX" }));
  });
});
