import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseImageConfig, parseImageManifest } from "../../archive/oci/parse.ts";
import type { Descriptor } from "../../archive/oci/types.ts";
import { architectures } from "../../definitions/configuration.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import { publishTag } from "../../publish/publishTag.ts";
import { publishTarget, type RegistryTarget } from "../../publish/targets.ts";
import { fileBlob } from "../../registry/blobSource.ts";
import { putManifest } from "../../registry/manifests.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import { pushBlob } from "../../registry/pushBlob.ts";
import { parseTag } from "../../registry/reference.ts";
import type { ImageRepository } from "../../registry/registry.ts";
import { digestOf, hexOfDigest } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { type EmitEvent, runTask } from "../../util/events.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { removeTree } from "../../util/removeTree.ts";
import { lastLine, runTool } from "../../util/tool.ts";
import { type BaseImageName, type BuildTool, findBuildTool, localTag } from "./baseImage.ts";

/** A command line of `base push`. */
export interface PushBasesCommand {
  readonly directory: string;
  readonly images: readonly BaseImageName[];
  readonly arch: "amd64" | "arm64";
  readonly tool: BuildTool | undefined;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** An image that was published. */
export interface PushedBase {
  readonly name: BaseImageName;
  /** `host/repository:tag`. */
  readonly reference: string;
}

/** Layers under way at a time. */
const layersAtOnce = 4;

/**
 * Publishes the builder and runtime images of this machine to every configured registry: as `builder` and `runtime`, named by the
 * registry's own pattern, with the tag `latest`, which stands for an index of both architectures. Credentials are those that `push` uses; Docker sends its images itself, with those that it knows
 * (`docker login`).
 *
 * @throws SpacktainersError CONFIG_INVALID (no registries), RUNTIME_MISSING, PROCESS_FAILED (there is no such image), INTERRUPTED; those of
 *   registries
 */
export async function pushBases(command: PushBasesCommand): Promise<readonly PushedBase[]> {
  const { emit, signal } = command;
  const { configuration } = await openSoundRepository(command.directory);
  if (configuration.registries.length === 0)
    throw new SpacktainersError("CONFIG_INVALID", "no registries are configured", {
      hint: "name them with `registries:` in spacktainers.yaml",
    });
  const tool = await findBuildTool(command.tool);
  const registries = openRegistries({ configured: configuration.registries, emit, signal });
  const pushed: PushedBase[] = [];
  try {
    for (const name of command.images) {
      const targets = configuration.registries.map((registry) =>
        publishTarget(registry, { name, arch: command.arch }, {}),
      );
      if (tool === "docker") for (const target of targets) await pushByDocker(name, target, command);
      else
        await withExported(tool, name, signal, async (folder) => {
          for (const target of targets)
            await pushFolder(registries.repository(target.repository), target, name, folder);
        });
      pushed.push(...targets.map((target) => ({ name, reference: referenceOf(target) })));
    }
  } finally {
    await registries.close();
  }
  return pushed;
}

function referenceOf({ host, repository }: RegistryTarget): string {
  return `${host}/${repository.path}:latest`;
}

/** An image of Podman's or Buildah's as a folder of blobs, while `use` needs it. Docker's format: ONBUILD has no place in the other. */
async function withExported(
  tool: "podman" | "buildah",
  name: BaseImageName,
  signal: AbortSignal,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "spacktainers-base-"));
  try {
    const argv = [tool, "push", "--quiet", "--format=v2s2", localTag(name), `dir:${folder}`] as const;
    await expectDone(await runTool(argv, { signal }), tool, name, signal);
    await use(folder);
  } finally {
    await removeTree(folder);
  }
}

/** Sends what is in the folder and not in the repository, and moves the tag: to an index, in which other architectures' images stay. */
async function pushFolder(
  repository: ImageRepository,
  target: RegistryTarget,
  name: string,
  folder: string,
): Promise<void> {
  const file = join(folder, "manifest.json");
  const bytes = await readFile(file);
  const { mediaType, config, layers } = parseImageManifest(bytes, { file });
  const send = ({ digest, size }: Descriptor, label: string) =>
    pushBlob(repository, fileBlob(join(folder, hexOfDigest(digest)), { digest, size, label }));
  await mapConcurrently(layers, layersAtOnce, (layer) => send(layer, `layer ${layer.digest.slice(7, 19)}`));
  await send(config, "the image's configuration");
  const digest = digestOf(bytes);
  await putManifest(repository, digest, bytes, mediaType);
  const configFile = join(folder, hexOfDigest(config.digest));
  const { os, architecture } = parseImageConfig(await readFile(configFile), { file: configFile });
  await publishTag(repository, {
    tag: parseTag("latest"),
    images: [
      { bytes, descriptor: { mediaType, digest, size: bytes.length, platform: { os, architecture } } },
    ],
    architectures: target.configuration.repository.includes("{arch}") ? [architecture] : architectures,
    annotations: { "org.opencontainers.image.title": name },
  });
}

async function pushByDocker(
  name: BaseImageName,
  target: RegistryTarget,
  { emit, signal }: PushBasesCommand,
): Promise<void> {
  const reference = referenceOf(target);
  await runTask(emit, { kind: "push", label: reference, subject: reference }, async () => {
    for (const argv of [
      ["docker", "tag", localTag(name), reference],
      ["docker", "push", reference],
    ] as const)
      await expectDone(await runTool(argv, { signal }), "docker", name, signal);
  });
}

async function expectDone(
  { status, stderr }: { readonly status: number; readonly stderr: string },
  tool: BuildTool,
  name: BaseImageName,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) throw new SpacktainersError("INTERRUPTED", "interrupted while pushing");
  if (status === 0) return;
  throw new SpacktainersError(
    "PROCESS_FAILED",
    `${tool} could not push ${localTag(name)}: ${lastLine(stderr)}`,
    {
      hint: `is it made (\`spacktainers base build ${name}\`)${tool === "docker" ? ", and are you logged in (`docker login`)" : ""}?`,
    },
  );
}
