/** The image of an Apptainer definition file into the registries. */
import type { Configuration, RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { platformOf } from "../../image/platform.ts";
import { layerSettings } from "../../pipeline/plan/layerSettings.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { openLocalImage } from "../../sif/openLocalImage.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { apptainerBuild } from "../build/apptainerBuild.ts";
import { definitionImage } from "../build/definitionImage.ts";
import {
  askedInputs,
  type DefinitionSource,
  type ReadDefinition,
  readDefinition,
  withNativeSource,
} from "../build/definitionSource.ts";
import {
  type AskedTarget,
  type PushedContainer,
  type PushOptions,
  pushToAll,
  tried,
} from "./pushContainer.ts";
import { inputsOf, publishedThere, pushTargetsOf } from "./pushTargets.ts";

const questionsAtOnce = 8;

/**
 * Pushes the image of a definition file to every registry that does not have it. Whether it is there is known without
 * making it when it starts from an image in a registry and takes no files from this machine.
 *
 * @throws {SpacktainersError} as `buildDefinition`; what fails at a registry is in its result
 */
export async function pushDefinition(
  container: Container,
  registries: readonly RegistryConfiguration[],
  configuration: Configuration,
  { force }: Pick<PushOptions, "force">,
  resources: Resources,
): Promise<PushedContainer> {
  const definition = await readDefinition(container);
  const { version } = definition.names;
  const platform = platformOf(container.arch);
  const pushTargets = pushTargetsOf(container, version, registries, configuration, resources);
  resources.emit({ type: "stage", stage: "ask-registries" });
  const states = await mapConcurrently(pushTargets, questionsAtOnce, (pushTarget) =>
    tried(() => publishedThere(pushTarget, platform, resources)),
  );
  const inputs = force ? undefined : await askedInputs(definition, configuration, resources);
  const asked = pushTargets.map((pushTarget, index): AskedTarget => {
    const { value = [], error } = states[index] ?? {};
    const there = inputs === undefined ? undefined : value.find((image) => inputsOf(image) === inputs);
    return { pushTarget, there, error };
  });
  if (asked.every(({ there, error }) => there !== undefined || error !== undefined))
    return { container, version, targets: await pushToAll(asked, undefined, platform, resources) };
  return withSource(definition, container, configuration, resources, async (source) => {
    const image = await definitionImage({
      names: definition.names,
      source: source.image,
      additions: source.additions,
      inputs: source.inputs,
      compression: layerSettings(configuration),
      store: resources.store,
      signal: resources.signal,
    });
    const { digest } = image.manifest.descriptor;
    const missing = asked.map((one, index): AskedTarget => {
      const same = states[index]?.value?.find(({ manifest }) => manifest.descriptor.digest === digest);
      return force || one.there !== undefined ? one : { ...one, there: same };
    });
    resources.emit({ type: "stage", stage: "push-image" });
    const made = { image, contents: [], facts: undefined };
    return { container, version, targets: await pushToAll(missing, made, platform, resources) };
  });
}

async function withSource<T>(
  definition: ReadDefinition,
  container: Container,
  configuration: Configuration,
  resources: Resources,
  use: (source: DefinitionSource) => Promise<T>,
): Promise<T> {
  if (definition.obstacles.length === 0)
    return withNativeSource(definition, container, configuration, resources, use);
  resources.emit({ type: "stage", stage: "run-apptainer" });
  const made = await apptainerBuild(container.path, container.arch, definition.obstacles, resources);
  try {
    const image = await openLocalImage(made.path, [platformOf(container.arch)]);
    try {
      return await use({ image, additions: undefined, inputs: undefined });
    } finally {
      await image.close();
    }
  } finally {
    await made.remove();
  }
}
