import type { ScaffoldAnswers, ScaffoldRegistry } from "./types.ts";
import { yamlList, yamlScalar } from "./yamlText.ts";

/** The text of a new repository's `spacktainers.yaml`: what was decided, and as comments what else may be said. */
export function configurationText(answers: ScaffoldAnswers): string {
  const sections = [
    ["# yaml-language-server: $schema=./schema/spacktainers.json", "spacktainers: 1"],
    [
      "# The newest processors that packages may be built for.",
      "platforms:",
      "  amd64: { target: x86_64_v3 }",
      "  arm64: { target: aarch64 }",
    ],
    cacheLines(answers),
    baseLines(answers),
    labelLines(answers),
    registryLines(answers),
    spackLines(answers),
    ciLines(answers),
    answers.strip ? [] : ["# Keep debug sections and symbol tables.", "strip: false"],
    answers.epilogueNetwork
      ? ["# Commands of Dockerfile.epilogue files use the network.", "epilogue: { network: true }"]
      : [],
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => `${lines.join("\n")}\n`)
    .join("\n");
}

function cacheLines({ caches, isDemo }: ScaffoldAnswers): readonly string[] {
  if (caches.length === 0)
    return [
      "# Build caches that packages come from, in order. Without a cache nothing can be assembled:",
      "# caches:",
      "#   - { url: s3://my-build-cache, trust: [keys/my-build-cache.pub] }",
    ];
  return [
    ...(isDemo
      ? [
          "# Build caches that packages come from, in order. This cache has the packages of the demo; replace it with your own:",
          "#   - { url: s3://my-build-cache, trust: [keys/my-build-cache.pub] }",
        ]
      : ["# Build caches that packages come from, in order, and the keys that may sign them."]),
    "caches:",
    ...caches.flatMap(({ url, trust }) => [
      `  - url: ${yamlScalar(url)}`,
      trust.length === 0 ? "    unsigned: true" : `    trust: ${yamlList(trust)}`,
    ]),
  ];
}

function baseLines({ base }: ScaffoldAnswers): readonly string[] {
  return [
    "# The base, underneath the packages.",
    "base:",
    `  ${base.kind}: ${yamlScalar(base.value)}`,
    ...(base.packages === undefined ? [] : [`  packages: ${yamlList(base.packages)}`]),
  ];
}

function labelLines({ labels }: ScaffoldAnswers): readonly string[] {
  if (labels.size === 0) return [];
  return [
    "image:",
    "  labels:",
    ...[...labels].map(([name, value]) => `    ${yamlScalar(name)}: ${yamlScalar(value)}`),
  ];
}

function registryLines({ registries }: ScaffoldAnswers): readonly string[] {
  const line = ({ type, url, repository }: ScaffoldRegistry): string =>
    `  - { type: ${type}, url: ${yamlScalar(url)}, repository: ${JSON.stringify(repository)} }`;
  if (registries.length > 0)
    return ["# Where `push` publishes.", "registries:", ...registries.map((registry) => line(registry))];
  return ["# Where `push` publishes:", "# registries:", `# ${line(registryAt("ghcr.io/my-org"))}`];
}

/** A registry by its address: GitHub's and Amazon's have names of their own for images. */
export function registryAt(url: string): ScaffoldRegistry {
  if (/^ghcr\.io(?:\/|$)/.test(url)) return { type: "ghcr", url, repository: "spack-{name}" };
  if (/\.dkr\.ecr\.[\w-]+\.amazonaws\.com/.test(url))
    return { type: "ecr", url, repository: "spacktainers/{name}" };
  return { type: "oci", url, repository: "spack-{name}" };
}

function spackLines({ spack }: ScaffoldAnswers): readonly string[] {
  if (spack === undefined)
    return ["# The real Spack that builds packages that no cache has:", "# spack: { ref: v1.1.0 }"];
  const { url, ref, repos } = spack;
  return [
    "# The real Spack that builds packages that no cache has.",
    "spack:",
    ...(url === undefined ? [] : [`  url: ${yamlScalar(url)}`]),
    ...(ref === undefined ? [] : [`  ref: ${yamlScalar(ref)}`]),
    ...(repos.length === 0 ? [] : ["  repos:"]),
    ...repos.flatMap((repo) => [
      `    - url: ${yamlScalar(repo.url)}`,
      ...(repo.ref === undefined ? [] : [`      ref: ${yamlScalar(repo.ref)}`]),
      `      path: ${yamlScalar(repo.path)}`,
    ]),
  ];
}

function ciLines({ pipelines, catalogue }: ScaffoldAnswers): readonly string[] {
  if (pipelines === undefined) return [];
  const pages =
    pipelines === "github"
      ? "GitHub Pages (Settings, Pages: the source has to be GitHub Actions)"
      : "GitLab Pages";
  if (catalogue)
    return [`# The catalogue of all containers is published on ${pages}.`, "ci: { catalogue: true }"];
  return [`# Publish the catalogue of all containers on ${pages}:`, "# ci: { catalogue: true }"];
}
