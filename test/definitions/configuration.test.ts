import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { defaultConfiguration, readConfiguration } from "../../src/definitions/configuration.ts";
import { configurationJsonSchema } from "../../src/definitions/jsonSchema.ts";
import { storeSchemes } from "../../src/store/storeSchemes.ts";

const read = (text: string) => readConfiguration(text, "/repo/spacktainers.yaml");
const problemsOf = (text: string) =>
  read(text).problems.errors.map(
    ({ place, message, hint }) =>
      `${place.line}:${place.column} ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );

describe("readConfiguration", () => {
  it("takes an empty file for the defaults", () => {
    for (const text of ["", "# nothing\n", "{}\n", "spacktainers: 1\n"])
      expect(read(text).configuration).toEqual({
        ...defaultConfiguration("/repo"),
        file: "/repo/spacktainers.yaml",
        placeOf: expect.any(Function),
      });
    expect(defaultConfiguration("/repo")).toMatchObject({
      definitions: "/repo/container_definitions",
      output: "/repo/dist",
      platforms: { amd64: { target: "x86_64_v3" }, arm64: { target: "aarch64" } },
      base: { kind: "debian", distribution: "debian", suite: "bookworm" },
      layers: { budget: 60, compression: "gzip" },
      install: { root: "/opt/software" },
      view: { root: "/opt/view" },
      strip: true,
    });
  });

  it("keeps what is right beside what is wrong, so that more of it can be looked into", () => {
    const { configuration, sound } = read(`
platforms: { amd46: {}, arm64: { target: neoverse_v1 } }
caches:
  - { url: a, trust: k.pub, regoin: x }
  - { url: b, trust: 7, unsigned: true }
base: { debian: trixie, packages: bash, keyring: d.gpg }
layers: { budget: 500, level: 9 }
install: { root: opt, projections: { all: "{nme}" } }
strip: perhaps
`);
    expect(configuration).toBeUndefined();
    expect(sound).toMatchObject({
      platforms: { amd64: { target: "x86_64_v3" }, arm64: { target: "neoverse_v1" } },
      caches: [
        { url: "/repo/a", trust: [{ path: "/repo/k.pub" }] },
        { url: "/repo/b", trust: [] },
      ],
      base: { suite: "trixie", packages: undefined, keyring: ["/repo/d.gpg"] },
      layers: { budget: 60, level: 9 },
      install: { root: "/opt/software", projections: [["all", "{nme}"]] },
      strip: true,
    });
  });

  it("reads everything, with paths from the file's folder", () => {
    const { configuration, problems } = read(`
spacktainers: 1
definitions: defs
output: out
platforms:
  amd64: { target: x86_64_v2, os: debian12 }
caches:
  - url: caches/one
    trust: keys/a.pub
  - { url: "s3://bucket/prefix", trust: [keys/a.pub, /etc/b.pub], endpoint: "https://s3.example.org", region: eu, anonymous: true, push: true }
  - { url: "file:///srv/cache", unsigned: true }
base: { ubuntu: noble, packages: [bash, libstdc++6], mirror: "http://mirror.example.org/ubuntu", keyring: keys/u.gpg }
registries:
  - { type: ghcr, url: ghcr.io/org, repository: "spack-{name}", username: $USER, password: "\${GHCR_TOKEN}" }
layers: { budget: 20, compression: gzip, level: 3 }
strip: false
sites: { cluster: { runtime: apptainer, mpi: pmi2, binds: [/work] } }
install: { root: /sw, projections: { mpich: "mpi/{name}", all: "{name}-{hash}" } }
view: { root: /view }
linkage: { allow-unresolved: [libcuda.so.1] }
`);
    expect(problems.errors).toEqual([]);
    expect(configuration).toMatchObject({
      definitions: "/repo/defs",
      output: "/repo/out",
      platforms: { amd64: { target: "x86_64_v2", os: "debian12" }, arm64: { target: "aarch64" } },
      base: {
        kind: "debian",
        distribution: "ubuntu",
        suite: "noble",
        packages: ["bash", "libstdc++6"],
        mirrors: ["http://mirror.example.org/ubuntu"],
        keyring: ["/repo/keys/u.gpg"],
      },
      layers: { budget: 20, compression: "gzip", level: 3 },
      strip: false,
      install: {
        root: "/sw",
        projections: [
          ["mpich", "mpi/{name}"],
          ["all", "{name}-{hash}"],
        ],
      },
      view: { root: "/view" },
      linkage: { allowUnresolved: ["libcuda.so.1"] },
    });
    const [one, two, three] = configuration?.caches ?? [];
    expect(one).toMatchObject({ url: "/repo/caches/one", unsigned: false, push: false });
    expect(one?.trust).toEqual([
      { path: "/repo/keys/a.pub", place: { file: "/repo/spacktainers.yaml", line: 9, column: 12 } },
    ]);
    expect(two).toMatchObject({
      url: "s3://bucket/prefix",
      push: true,
      s3: { endpoint: "https://s3.example.org", region: "eu", anonymous: true },
    });
    expect(two?.trust.map(({ path }) => path)).toEqual(["/repo/keys/a.pub", "/etc/b.pub"]);
    expect(three).toMatchObject({ url: "file:///srv/cache", unsigned: true });
    expect(configuration?.registries[0]).toMatchObject({
      username: { environmentVariable: "USER" },
      password: { environmentVariable: "GHCR_TOKEN" },
    });
    expect(configuration?.sites.get("cluster")).toMatchObject({ runtime: "apptainer", binds: ["/work"] });
  });

  it("names the nearest key for an unknown one, at every depth", () => {
    expect(
      problemsOf("cahces: []\nlayers:\n  budgte: 3\ncaches:\n  - url: x\n    trsut: y\n    unsigned: true\n"),
    ).toEqual([
      "1:1 unknown key `cahces` | did you mean `caches`?",
      "3:3 unknown key `budgte` in `layers` | did you mean `budget`?",
      "6:5 unknown key `trsut` in `caches.0` | did you mean `trust`?",
    ]);
  });

  it("reports every wrong value where it stands", () => {
    expect(
      problemsOf(
        "strip: yes\nlayers: { budget: 500, compression: gzpi }\nview: { root: opt/view }\noutput: 7\nplatforms: [x]\n",
      ),
    ).toEqual([
      "1:8 `strip` must be true or false",
      "2:19 `layers.budget` must be at most 127",
      "2:37 `layers.compression` must be one of gzip, zstd | did you mean `gzip`?",
      "3:15 `view.root` must be an absolute path",
      "4:9 `output` must be text",
      "5:12 `platforms` must be a mapping",
    ]);
  });

  it("knows which levels gzip and zstd have", () => {
    expect(problemsOf("layers: { level: 13 }\n")).toEqual([
      "1:18 `layers.level` must be at most 12 for gzip | zstd has levels up to 19",
    ]);
    expect(problemsOf("layers: { compression: gzip, level: 19 }\n")).toHaveLength(1);
    expect(problemsOf("layers: { compression: zstd, level: 19 }\n")).toEqual([]);
    expect(problemsOf("layers: { compression: zstd, level: 20 }\n")).toHaveLength(1);
  });

  it("says so when the format is newer", () => {
    expect(problemsOf("spacktainers: 2\n")[0]).toBe(
      "1:15 this program reads version 1 of the configuration format, not `2`",
    );
  });

  it("says what cannot be pushed, signed or trusted", () => {
    expect(
      problemsOf(
        [
          "caches:",
          "  - { url: oci://ghcr.io/group/cache, trust: k }",
          "  - { url: oci+http://localhost:5000/cache }",
          "  - { url: https://cache.example.org, trust: k, push: true, sign: k.asc }",
          "  - { url: oci://ghcr.io/group/cache, unsigned: true, push: true, sign: k.asc, layout: v3 }",
          "  - { url: a, trust: k, push: true, sign: env://1KEY }",
          "  - { url: b, trust: k, push: true, sign: gpg://ABCDEF }",
          '  - { url: c, trust: k, push: true, sign: "-----BEGIN PGP PRIVATE KEY BLOCK-----" }',
          "",
        ].join("\n"),
      ),
    ).toEqual([
      expect.stringMatching(/^2:\d+ packages in registries are not signed, so `trust` has no effect there/),
      expect.stringMatching(
        /^3:5 this cache has neither keys to trust nor `unsigned: true` \| packages in registries/,
      ),
      expect.stringMatching(/^4:\d+ nothing can be pushed to a web server/),
      expect.stringMatching(/^5:\d+ nothing is signed in a registry/),
      expect.stringMatching(/^5:\d+ `layout` does not belong/),
      expect.stringMatching(/^6:\d+ this is not the name of a variable/),
      expect.stringMatching(/^7:\d+ this is not the fingerprint of a key/),
      expect.stringMatching(/^8:\d+ `sign` names a key, it does not hold it/),
    ]);
  });

  it("wants keys or `unsigned` for each cache, and known schemes", () => {
    expect(
      problemsOf(
        "caches:\n  - url: x\n  - https://cache.example.org\n  - { url: 'ftp://x', unsigned: true }\n  - { url: y, unsigned: true, trust: k }\n  - { url: z, unsigned: true, region: eu }\n",
      ),
    ).toEqual([
      "2:5 this cache has neither keys to trust nor `unsigned: true` | add `trust:` with the files of the public keys that sign it",
      "3:5 this cache has neither keys to trust nor `unsigned: true` | write { url: https://cache.example.org, trust: [key-file] }",
      `4:12 \`ftp:\` is not a kind of cache | use ${Object.keys(storeSchemes).join(":, ")}:, oci: or, for a registry of this machine, oci+http:`,
      "5:15 `unsigned: true` contradicts `trust` | remove one of them",
      "6:31 `region` belongs to s3: caches only",
    ]);
  });

  it("wants exactly one base, with the keys that belong to it", () => {
    expect(problemsOf("base: { packages: [bash] }\n")[0]).toMatch(/^1:1 `base` does not name a base/);
    expect(problemsOf("base: { debian: bookworm, scratch: true }\n")).toEqual([
      "1:27 `base` has both `debian` and `scratch`: give only one",
    ]);
    expect(problemsOf("base: { rootfs: base.tar, packages: [bash] }\n")).toEqual([
      "1:27 `base.packages` belongs to `debian` and `ubuntu`, not to `rootfs`",
    ]);
  });

  it("never takes a secret itself", () => {
    const problems = problemsOf(
      "registries:\n  - { url: r, password: hunter2 }\ncaches:\n  - { url: 'https://u:p@h/x', unsigned: true }\n",
    );
    expect(problems).toHaveLength(2);
    expect(problems.join()).toMatch(/environment variable/);
    expect(problems.join()).not.toMatch(/hunter2|u:p/);
    // Wherever it is: all of this goes into Dockerfiles, labels or provenance.
    expect(
      problemsOf(
        [
          "spack:",
          "  url: https://token@git.example.org/spack.git",
          "  repos: [{ url: 'https://u:p@git.example.org/r.git' }, { url: 'ssh://git@git.example.org/r.git' }]",
          "image: { source: 'http://u:p@host/x', labels: { a: 'ssh://u:p@host/x' } }",
          "base: { debian: bookworm, mirror: 'https://u:p@mirror.example.org/debian' }",
          "",
        ].join("\n"),
      ).map((problem) => problem.split(" | ")[0]),
    ).toEqual(
      ["2:8", "3:18", "4:18", "4:52", "5:35"].map(
        (at) => `${at} a URL in this file must not carry a password`,
      ),
    );
  });
});

describe("schema/spacktainers.json", () => {
  it("is what the program's own schema says (write it with: node scripts/schema.mjs)", () => {
    const path = new URL("../../schema/spacktainers.json", import.meta.url);
    expect(readFileSync(path, "utf8")).toBe(configurationJsonSchema());
  });
});
