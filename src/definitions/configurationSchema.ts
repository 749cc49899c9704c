/**
 * The format of `spacktainers.yaml`, as a schema. The JSON Schema for editors (`schema/spacktainers.json`) is made from
 * it by `scripts/schema.mjs`. Nothing is transformed here: {@link ./configuration.ts} turns what was read into a
 * `Configuration` with defaults.
 */
import * as z from "zod";
import { once } from "../util/once.ts";
import { ciSchema } from "./ciSchema.ts";
import { siteSchema } from "./siteSchema.ts";
import { spackSchema } from "./spackSchema.ts";

/** Version of the configuration format that this program reads. */
export const configurationVersion = 1;

/** The whole file. */
export const configurationSchema = once(() => {
  const text = z.string().min(1).max(4096);
  const name = z
    .string()
    .max(128)
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, "must be a name of letters, digits, `.`, `_` and `-`");
  const absolutePath = z
    .string()
    .max(512)
    .regex(/^\/[^\0]*$/, "must be an absolute path");
  const secret = z
    .string()
    .regex(
      /^\$\{?[A-Za-z_][A-Za-z0-9_]*\}?$/,
      "must name an environment variable, such as `$TOKEN`, never the secret itself",
    );
  /** What can run the commands of an epilogue. */
  const epilogueRunners = ["auto", "sandbox", "buildah", "podman"] as const;

  const oneOrMore = <T extends z.ZodType>(item: T) => z.union([item, z.array(item).min(1).max(1000)]);
  const list = <T extends z.ZodType>(item: T) => z.array(item).max(1000);

  const platform = z.strictObject({
    target: name
      .optional()
      .describe("Newest microarchitecture that packages may be built for, such as `x86_64_v3`."),
    os: name
      .optional()
      .describe("Operating system that packages must be built on, such as `debian12`; default any."),
  });

  const cache = z.strictObject({
    url: text.describe(
      "`file:`, `http(s):`, `s3:` or `oci:` URL, or a path relative to this file; `oci+http:` for a registry of this machine.",
    ),
    trust: oneOrMore(text)
      .optional()
      .describe("Files with the OpenPGP public keys that may sign, relative to this file."),
    unsigned: z.boolean().optional().describe("True to use this cache although its packages are not signed."),
    push: z.boolean().optional().describe("Push the packages that are built to this cache."),
    sign: text
      .optional()
      .describe(
        "OpenPGP private key that signs what is pushed here: a file relative to this one, `env://NAME` for a variable that holds it, or `gpg://FINGERPRINT` for one that GnuPG has. Its passphrase is in SPACKTAINERS_SIGNING_PASSPHRASE.",
      ),
    layout: z
      .enum(["v2", "v3"])
      .optional()
      .describe(
        "Layout that is written; default: that of the Spack which made a package. Not for registries.",
      ),
    endpoint: text.optional().describe("s3 only: URL of an S3-compatible server."),
    region: name.optional().describe("s3 only."),
    profile: name.optional().describe("s3 only: profile of the AWS configuration."),
    anonymous: z.boolean().optional().describe("s3 only: send no credentials."),
  });

  const base = z
    .strictObject({
      debian: text.optional().describe("A Debian suite, such as `bookworm`."),
      ubuntu: text.optional().describe("An Ubuntu suite, such as `noble`."),
      rootfs: text
        .optional()
        .describe("A root file system in a tar, SIF or squashfs file, relative to this file."),
      oci: text
        .optional()
        .describe("An OCI image layout, as a directory or an archive, relative to this file."),
      image: text.optional().describe("A registry image, such as `docker.io/library/debian:12`."),
      scratch: z.literal(true).optional().describe("Nothing underneath."),
      reference: text.optional().describe("oci only: which image of the layout."),
      packages: list(
        z
          .string()
          .max(256)
          .regex(
            /^[a-z0-9][a-z0-9.+-]*(?:=[A-Za-z0-9.+:~-]+)?$/,
            "must be the name of a package, with `=version` where one is wanted",
          ),
      )
        .optional()
        .describe("debian and ubuntu only: OS packages to install, with their dependencies."),
      complete: z
        .boolean()
        .optional()
        .describe(
          "debian and ubuntu only: add the OS packages of shared libraries that the Spack packages were linked with and that the base lacks; default true.",
        ),
      mirror: oneOrMore(text).optional().describe("debian and ubuntu only: archive roots, tried in order."),
      "security-mirror": oneOrMore(text).optional().describe("debian and ubuntu only."),
      components: list(name)
        .optional()
        .describe("debian and ubuntu only: archive components; default `main`."),
      keyring: oneOrMore(text)
        .optional()
        .describe("debian and ubuntu only: files with the keys to trust instead of the distribution's own."),
      snapshot: z
        .string()
        .regex(/^\d{8}T\d{6}Z$/, "must be a moment such as `20250520T000000Z`")
        .optional()
        .describe("debian and ubuntu only: use the archive's packages of this moment."),
    })
    .describe(
      "Base of the images, underneath the packages: exactly one of debian, ubuntu, rootfs, oci, image, scratch.",
    );

  const registry = z.strictObject({
    type: z.enum(["oci", "ecr", "ghcr"]).optional().describe("Default `oci`: any registry."),
    url: text.describe("Host of the registry, with a path if it has one."),
    repository: text
      .optional()
      .describe("Name of the repository; `{name}` and `{arch}` stand for the container's."),
    tags: list(text).optional().describe("Tags to publish; `{version}` stands for the container's version."),
    username: secret.optional(),
    password: secret.optional(),
  });

  const layers = z.strictObject({
    budget: z.int().min(2).max(127).optional().describe("Most layers an image may have."),
    compression: z
      .enum(["gzip", "zstd"])
      .optional()
      .describe(
        "How layers are compressed: `gzip` (default), which every runtime reads, or `zstd`, which is faster.",
      ),
    level: z
      .int()
      .min(1)
      .max(19)
      .optional()
      .describe("Compression level: 1 to 12 for gzip, default 4; 1 to 19 for zstd, default 3."),
  });

  const image = z
    .strictObject({
      description: text.optional(),
      vendor: text.optional().describe("Who distributes the images."),
      authors: text.optional(),
      licenses: text.optional().describe("SPDX licence expression of what is distributed."),
      url: text.optional(),
      documentation: text.optional().describe("URL."),
      source: text.optional().describe("URL of the sources; default the repository's remote."),
      labels: z
        .record(z.string().regex(/^[a-z0-9][a-z0-9._/-]{0,127}$/, "must be a label's name"), text)
        .optional()
        .describe("Further labels."),
    })
    .describe("Labels of the images. `{name}` and `{version}` stand for the container's.");

  const signing = z
    .strictObject({
      key: text
        .optional()
        .describe(
          "Private key that `push` signs with: a file relative to this one, or `env://NAME` for a variable that holds it. Its password is in COSIGN_PASSWORD.",
        ),
      public: oneOrMore(text)
        .optional()
        .describe("Public keys that `verify` trusts: files relative to this one, or `env://NAME`."),
      forms: z
        .array(z.enum(["tags", "bundles"]))
        .min(1)
        .max(2)
        .optional()
        .describe(
          "How signatures are written: `tags`, which all versions of cosign read (default), `bundles`, which cosign 3 writes, or both.",
        ),
    })
    .describe("Signatures of images.");

  return z
    .strictObject({
      spacktainers: z.literal(configurationVersion).optional().describe("Version of this format."),
      definitions: text
        .optional()
        .describe("Folder with the container definitions; default `container_definitions`."),
      output: text.optional().describe("Folder for finished images; default `dist`."),
      platforms: z.strictObject({ amd64: platform.optional(), arm64: platform.optional() }).optional(),
      caches: list(z.union([text, cache]))
        .optional()
        .describe("Build caches, in order."),
      base: base.optional(),
      image: image.optional(),
      registries: list(registry).optional(),
      signing: signing.optional(),
      layers: layers.optional(),
      strip: z.boolean().optional().describe("Remove debug sections and symbol tables; default true."),
      ci: z.lazy(ciSchema).optional().describe("Pipelines: what `ci github` and `ci gitlab` write."),
      spack: z
        .lazy(spackSchema)
        .optional()
        .describe("Settings of the Spack that builds packages that the caches lack."),
      sites: z
        .record(name, z.lazy(siteSchema))
        .optional()
        .describe("Clusters by name; they may also be files in the folder `sites`."),
      install: z
        .strictObject({
          root: absolutePath.optional().describe("Install tree in the image; default `/opt/software`."),
          projections: z
            .record(z.string(), text)
            .optional()
            .describe(
              "Prefixes below the root: spec to format; default that of the package's Spack generation.",
            ),
        })
        .optional(),
      view: z
        .strictObject({ root: absolutePath.optional().describe("The merged view; default `/opt/view`.") })
        .optional(),
      linkage: z
        .strictObject({
          "allow-unresolved": list(text)
            .optional()
            .describe(
              "Libraries, interpreters or packages that may stay unresolved; `*` matches any characters.",
            ),
        })
        .optional(),
      epilogue: z
        .strictObject({
          network: z
            .boolean()
            .optional()
            .describe("Whether the commands of a `Dockerfile.epilogue` may use the network; default false."),
          runner: z
            .enum(epilogueRunners)
            .optional()
            .describe(
              "What runs them; default `auto`: the built-in sandbox if the machine allows it, else Buildah or Podman.",
            ),
          args: z
            .record(
              z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "must be the name of a variable"),
              z.union([z.string().max(4096), z.number(), z.boolean()]),
            )
            .optional()
            .describe("Values for its ARGs, by name."),
        })
        .optional(),
    })
    .describe("Configuration of Spacktainers: spacktainers.yaml at the root of a repository.");
});

/** The file as written. */
export type ConfigurationFile = z.input<ReturnType<typeof configurationSchema>>;
