/**
 * Made-up facts of a catalogue, in the form of src/catalogue/facts.ts: packages of several releases of Spack, and containers that each
 * take some of one release. Nothing of it exists but names, versions, dependencies and sizes. The same numbers give the same facts.
 */
import { createHash } from "node:crypto";
import { randomNumbers } from "./syntheticCatalogue.mjs";

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** A DAG hash of a text. */
function dagHash(text) {
  const bytes = createHash("sha256").update(text).digest();
  return Array.from({ length: 32 }, (_, at) => alphabet[(bytes[at] ?? 0) % 32]).join("");
}

const digest = (text) => `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** Names that real packages have, for searches; the others are numbered. */
const known = [
  "zlib",
  "openssl",
  "cmake",
  "python",
  "mpich",
  "hdf5",
  "netcdf-c",
  "fftw",
  "petsc",
  "py-numpy",
];

/** @param {{ containers?: number, packages?: number, releases?: number, recipes?: number, versions?: number }} options */
export function syntheticFacts({
  containers = 300,
  packages = 500,
  releases = 5,
  recipes = 1500,
  versions = 1,
} = {}) {
  const random = randomNumbers(13);
  const upTo = (number) => Math.floor(random() * number);
  const graph = new Map();
  const pools = Array.from({ length: releases }, (_, release) => {
    const pool = [];
    for (let at = 0; at < recipes; at++) {
      const name = known[at] ?? `${at % 3 === 0 ? "py-" : at % 3 === 1 ? "lib" : "r-"}package-${at}`;
      const needs = new Set(
        Array.from({ length: at === 0 ? 0 : 1 + upTo(5) }, () => Math.floor(at * random() ** 2)),
      );
      if (at > 5 && at % 4 === 1) needs.add(4);
      const spec = {
        name,
        version: `${1 + (at % 4)}.${release + upTo(3)}.${upTo(5)}`,
        namespace: "builtin",
        hash: dagHash(`${name} ${release}`),
        platform: "linux",
        os: "debian12",
        target: "x86_64_v3",
        compiler: release < 2 ? { name: "gcc", version: "12.2.0" } : undefined,
        variants: new Map([
          ["build_system", at % 3 === 0 ? "python_pip" : "cmake"],
          ...(at % 4 === 1 ? [["mpi", at % 8 !== 1]] : []),
          ...(at % 5 === 0
            ? [
                ["shared", true],
                ["pic", upTo(2) === 0],
              ]
            : []),
          ...(at % 11 === 0 ? [["cxxstd", "17"]] : []),
        ]),
        flags: new Map(),
        external: undefined,
        packageHash: undefined,
        dependencies: [...needs]
          .sort((a, b) => a - b)
          .map((one) => ({
            name: pool[one].name,
            hash: pool[one].hash,
            types: new Set(one % 6 === 0 ? ["build", "run"] : ["build", "link"]),
            virtuals: one === 4 ? ["mpi"] : [],
            direct: false,
          })),
        buildSpec: undefined,
        providedVirtuals: undefined,
        annotations: undefined,
        specfileVersion: release < 2 ? 4 : 5,
      };
      graph.set(spec.hash, spec);
      pool.push(spec);
    }
    return pool;
  });
  /** Packages from a place on down, with all that they need, until there are enough. */
  const closure = (pool, from) => {
    const found = new Set();
    const roots = [];
    for (let at = from; at > 0 && found.size < packages; at -= 1 + upTo(4)) {
      const root = pool[at];
      if (!found.has(root.hash)) roots.push({ request: root.name, hash: root.hash });
      const inside = new Set([root.hash]);
      for (const hash of inside) for (const edge of graph.get(hash).dependencies) inside.add(edge.hash);
      for (const hash of inside) found.add(hash);
    }
    const rank = new Map(pool.map(({ hash }, at) => [hash, at]));
    return { roots, inside: [...found].sort((a, b) => rank.get(b) - rank.get(a)) };
  };
  const list = Array.from({ length: containers }, (_, number) => {
    const name = `container-${String(number).padStart(3, "0")}`;
    const images = Array.from({ length: versions }, (_, age) => {
      const release = Math.max(0, (number % releases) - age);
      const { roots, inside } = closure(pools[release], recipes - 1 - upTo(Math.max(1, recipes - packages)));
      return imageOf(name, { roots, inside, version: `${10 - age}.${release}`, age, versions, release });
    });
    return {
      name,
      description: `A made-up container of number ${number}, for measurements and tests of the catalogue`,
      specs: images[0].roots.slice(0, 8).map(({ request }) => request),
      images,
      architectures: ["amd64"],
    };
  });
  return {
    title: "A made-up catalogue",
    source: "https://example.org/containers",
    baseUrl: "https://example.org/catalogue",
    containers: list,
    graph,
    missing: [],
  };
}

function imageOf(name, { roots, inside, version, age, versions, release }) {
  const layered = Array.from({ length: Math.min(58, inside.length) }, (_, layer) =>
    inside.filter((_, at) => at % 58 === layer),
  );
  const layers = [
    { digest: digest("base"), size: 13_000_000, role: "base", packages: [], estimated: false },
    ...layered.map((some, at) => {
      const weights = some.map((hash) => 2000 + ((hash.charCodeAt(0) * hash.charCodeAt(1) * 97) % 2_000_000));
      return {
        digest: digest(`${name} ${version} ${at}`),
        size: weights.reduce((sum, one) => sum + one, 0),
        role: "packages",
        packages: some.map((hash, index) => ({ hash, bytes: weights[index] })),
        estimated: false,
      };
    }),
    { digest: digest(`${name} ${version} top`), size: 60_000, role: "top", packages: [], estimated: false },
  ];
  return {
    origin: "published",
    arch: "amd64",
    version,
    tags: age === 0 ? [version, "latest"] : [version],
    repositories: [`ghcr.io/my-org/${name}`],
    plainHttp: false,
    digest: digest(`${name} ${version}`),
    layout: undefined,
    size: layers.reduce((sum, { size }) => sum + size, 0),
    updated: `2026-${String(1 + (release % 12)).padStart(2, "0")}-0${1 + (age % 9)}T10:00:00Z`,
    revision: createHash("sha1").update(`${name} ${version}`).digest("hex"),
    licenses: undefined,
    roots,
    packages: inside,
    externals: [],
    layers,
    base: { name: "debian:bookworm (26 packages)", packages: [{ name: "libc6", version: "2.36-9+deb12u9" }] },
    changes:
      age + 1 < versions
        ? {
            since: `${9 - age}.${release}`,
            packages: [
              { name: "zlib", before: "1.2", after: "1.3", why: undefined },
              { name: "hdf5", before: "1.14.3", after: "1.14.3", why: "because of zlib: version 1.2 → 1.3" },
            ],
            base: [],
            unchanged: inside.length - 2,
          }
        : undefined,
    supply: {
      signature: "verified",
      signers: ["5e3f…"],
      documents: [{ format: "SPDX", attested: true }],
      provenance: "verified",
      builder: "https://github.com/my-org/containers",
      problems: [],
    },
    sites: ["jed", "alps"].map((site) => ({
      site,
      description: undefined,
      runtime: "apptainer",
      findings: [
        {
          severity: "ok",
          check: "libc",
          message: "the image has glibc 2.36",
          evidence: ["/opt/software/x needs GLIBC_2.34"],
        },
        ...(site === "alps"
          ? [
              {
                severity: "warning",
                check: "pmi",
                message: "the site has no PMI of this kind",
                evidence: [],
                remedy: "use PMIx",
              },
            ]
          : []),
      ],
      script: `#!/bin/bash\n#SBATCH --job-name=${name}\nsrun apptainer exec docker://ghcr.io/my-org/${name}:${version} program\n`,
      trouble: undefined,
    })),
  };
}
