/** Facts of an image that exists nowhere, with everything in it that documents have to cope with. */
import { runtimeClosure } from "../../src/spec/closure.ts";
import type { BuiltImageDescription } from "../../src/supply/imageDescription.ts";
import { runtimeGraph } from "../../src/supply/runtimeGraph.ts";
import { type Digest, digestOf } from "../../src/util/digest.ts";
import { graphOf, hashOf } from "../spec/graph.ts";

const specs = graphOf([
  {
    name: "ring",
    version: "2.1.0",
    parameters: { build_system: "generic", fabrics: ["tcp", "shm"], debug: false, cflags: ["-O2", "-g"] },
    dependencies: [
      ["mpich", ["build", "link"], ["mpi"]],
      ["zlib_ng", ["link"], ["zlib-api"]],
      ["gcc", ["build"], ["c", "cxx"]],
      ["gcc-runtime", ["link"]],
    ],
  },
  {
    name: "mpich",
    version: "4.0.2",
    dependencies: [
      ["openssl", ["link"]],
      ["gcc", ["build"], ["c"]],
    ],
  },
  { name: "zlib_ng", version: "2.2.0-local", rest: { namespace: "site.recipes" } },
  { name: "gcc-runtime", version: "12.2.0" },
  { name: "openssl", version: "3.0.15", rest: { external: { path: "/usr", module: null } } },
  { name: "gcc", version: "12.2.0", dependencies: [["binutils", ["run"]]] },
  { name: "binutils", version: "2.40" },
]);
const root = hashOf("ring");
const closure = runtimeClosure(specs, [root]);
const layer = (name: string) => ({
  digest: digestOf(`${name} compressed`),
  diffId: digestOf(name),
  size: name.length * 1000,
  mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
});

/** A manifest of this digest. */
export function sampleManifest(digest: Digest): BuiltImageDescription["manifest"] {
  return {
    digest,
    size: 1234,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: digestOf("config"),
  };
}

/** A fresh copy: tests change parts of it. */
export function sampleFacts(change: Partial<BuiltImageDescription> = {}): BuiltImageDescription {
  return {
    name: "Hello-MPI",
    version: "2.1.0",
    platform: { architecture: "amd64", os: "linux" },
    manifest: sampleManifest(digestOf("manifest")),
    created: "1980-01-02T00:00:00Z",
    layers: [
      { ...layer("base"), role: "base", packages: [] },
      { ...layer("ring"), role: "packages", packages: [hashOf("ring")] },
      {
        ...layer("rest"),
        role: "packages",
        packages: [hashOf("mpich"), hashOf("zlibng"), hashOf("gccruntime")],
      },
      { ...layer("top"), role: "top", packages: [] },
    ],
    roots: [{ request: "ring fabrics=tcp,shm", hash: root }],
    graph: runtimeGraph(specs, [...closure.packages, ...closure.externals]),
    packages: closure.packages.map((spec) => ({
      spec,
      prefix: `/opt/software/${spec.name}-${spec.version}-${spec.hash}`,
      archive: {
        digest: digestOf(`archive of ${spec.name}`),
        size: spec.name === "ring" ? 4321 : undefined,
        url: spec.name === "mpich" ? undefined : `https://cache.example.org/v3/blobs/sha256/ab/${spec.name}`,
        signedBy: "0123456789ABCDEF0123456789ABCDEF01234567",
      },
      license:
        spec.name === "mpich" ? "BSD-3-Clause OR (MIT AND Zlib)" : spec.name === "ring" ? "MIT" : undefined,
    })),
    externals: closure.externals,
    base: {
      name: "debian:bookworm (3 packages)",
      digest: undefined,
      distribution: { id: "debian", versionId: "12", codename: "bookworm" },
      packages: [
        {
          name: "libstdc++6",
          version: "12.2.0-14+deb12u1",
          architecture: "amd64",
          digest: digestOf("libstdc++6"),
          size: 99,
          filename: "pool/main/g/gcc-12/libstdc++6_12.2.0-14+deb12u1_amd64.deb",
          archive: "main",
          url: "https://deb.debian.org/debian/pool/main/g/gcc-12/libstdc++6_12.2.0-14+deb12u1_amd64.deb",
          source: { name: "gcc-12", version: "12.2.0-14+deb12u1" },
        },
        {
          name: "libc6",
          version: "2.36-9+deb12u10",
          architecture: "amd64",
          source: { name: "glibc", version: "2.36-9" },
        },
        { name: "base-files", version: "1:12.4", architecture: "all" },
      ],
    },
    inputs: {
      all: digestOf("inputs"),
      definition: digestOf("definition"),
      spackLock: digestOf("lock"),
      ownLock: undefined,
      configuration: digestOf("configuration"),
    },
    source: {
      url: "https://git.example.org/group/containers",
      revision: "0123456789abcdef0123456789abcdef01234567",
      lastChange: "89abcdef0123456789abcdef0123456789abcdef",
      ref: "refs/heads/main",
      path: "container_definitions/amd64/hello-mpi/spack.yaml",
    },
    builder: {
      id: "https://git.example.org/group/containers/-/runners/7",
      invocation: "https://git.example.org/group/containers/-/jobs/42",
    },
    toolVersion: "0.1.0",
    ...change,
  };
}
