/** What a push would do, told before it does it: what each registry has, and what would be sent to it. */
import type { Descriptor } from "../../archive/oci/types.ts";
import type { RegistryConfiguration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import { baseKeyAnnotation, layerKeysAnnotation } from "../../image/annotations.ts";
import type { RegistryImage } from "../../image/openRegistryImage.ts";
import { platformOf } from "../../image/platform.ts";
import type { ContainerPlan } from "../../pipeline/plan/planContainer.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { openPublishedLayers, type PublishedLayers } from "../../publish/publishedLayers.ts";
import { formatRepository, type Tag } from "../../registry/reference.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { tried } from "../push/pushContainer.ts";
import {
  inputsOf,
  neighboursThere,
  type PushTarget,
  publishedThere,
  pushTargetsOf,
} from "../push/pushTargets.ts";

const questionsAtOnce = 8;

/** What a push to one registry would do. */
export interface PushReport {
  /** `host/repository`. */
  readonly repository: string;
  readonly tags: readonly Tag[];
  /** The registry already has the image, made from the same inputs. */
  readonly upToDate: boolean;
  /** Why the registry could not be reached; then there is no other data. */
  readonly error: string | undefined;
  /** Layers that are there, that another repository of the registry has, and that would be sent. */
  readonly layers: { readonly there: number; readonly mounted: number; readonly sent: number };
  /** Bytes of the layers to be sent, as far as they are known. */
  readonly bytes: number;
  /** Layers to be sent whose size is known once they are made. */
  readonly unknown: number;
}

/** A layer of a plan, for {@link PublishedState.report}. */
export interface WantedLayer {
  /** Of the fragments in it; undefined for what no registry can have yet. */
  readonly keys: readonly string[] | undefined;
  /** Compressed bytes, when it is made. */
  readonly size: number | undefined;
}

/** What the registries have of a plan. */
export interface PublishedState {
  /** Layers and bases that need not be made. */
  readonly published: PublishedLayers;
  /** The published layer that consists of these fragments. */
  layer(keys: readonly string[]): Descriptor | undefined;
  /** The published layers of a base. */
  base(key: string): readonly Descriptor[] | undefined;
  /** What a push would do. */
  report(
    inputs: string,
    baseKey: string,
    base: readonly WantedLayer[],
    layers: readonly WantedLayer[],
  ): readonly PushReport[];
}

/**
 * Asks the registries for the images of a container and of its neighbours. One that cannot be asked is a warning.
 *
 * @throws {SpacktainersError} `CONFIG_INVALID`, `REFERENCE_INVALID`; `INTERRUPTED`
 */
export async function askRegistries(
  plan: ContainerPlan,
  registries: readonly RegistryConfiguration[],
  neighbours: readonly Container[],
  resources: Resources,
): Promise<PublishedState> {
  const { container, configuration, resolved } = plan;
  const { emit } = resources;
  const platform = platformOf(container.arch);
  const pushTargets = pushTargetsOf(container, resolved.version, { registries, configuration, resources });
  emit({ type: "stage", stage: "ask-registries" });
  const states = await mapConcurrently(pushTargets, questionsAtOnce, (pushTarget) =>
    tried(() => publishedThere(pushTarget, platform, resources)),
  );
  for (const [index, pushTarget] of pushTargets.entries()) {
    const error = states[index]?.error;
    if (error === undefined) continue;
    const repository = formatRepository(pushTarget.target.repository);
    emit({
      type: "warning",
      code: error.code,
      message: `${repository} cannot be reached: ${error.message}`,
      hint: "to plan without registries: --no-registry",
    });
  }
  const reachable = pushTargets.filter((_, index) => states[index]?.error === undefined);
  const own = states.flatMap(({ value = [] }) => value);
  const others = await neighboursThere(reachable, neighbours, platform, resources);
  const images = [...own, ...others];
  const find = (keys: readonly string[], among: readonly RegistryImage[]): Descriptor | undefined =>
    layersOf(among).find((layer) => layer.annotations?.[layerKeysAnnotation] === keys.join(" "));
  return {
    published: openPublishedLayers(images, emit),
    layer: (keys) => find(keys, images),
    base: (key) => baseIn(key, images),
    report: (inputs, baseKey, base, layers) =>
      pushTargets.map((pushTarget, index) =>
        reportTarget(pushTarget, states[index] ?? {}, images, { inputs, baseKey, base, layers }),
      ),
  };
}

function layersOf(images: readonly RegistryImage[]): readonly Descriptor[] {
  return images.flatMap(({ manifest }) => manifest.value.layers);
}

/** The layers of a base: those below the first layer of packages. */
function baseIn(key: string, images: readonly RegistryImage[]): readonly Descriptor[] | undefined {
  const image = images.find(
    ({ manifest }) => manifest.value.layers[0]?.annotations?.[baseKeyAnnotation] === key,
  );
  const layers = image?.manifest.value.layers.slice(0, -1);
  const first = layers?.findIndex((layer) => layer.annotations?.[layerKeysAnnotation] !== undefined) ?? -1;
  return first < 0 ? layers : layers?.slice(0, first);
}

function reportTarget(
  pushTarget: PushTarget,
  { value: own = [], error }: Awaited<ReturnType<typeof tried<readonly RegistryImage[]>>>,
  images: readonly RegistryImage[],
  wanted: {
    readonly inputs: string;
    readonly baseKey: string;
    readonly base: readonly WantedLayer[];
    readonly layers: readonly WantedLayer[];
  },
): PushReport {
  const { repository } = pushTarget.target;
  const nothing = { there: 0, mounted: 0, sent: 0 };
  const head = { repository: formatRepository(repository), tags: pushTarget.tags };
  if (error !== undefined)
    return { ...head, upToDate: false, error: error.message, layers: nothing, bytes: 0, unknown: 0 };
  const sameHost = images.filter((image) => image.repository.host === repository.host);
  const count = { ...nothing };
  let bytes = 0;
  let unknown = 0;
  const take = (
    layer: WantedLayer,
    isIn: (among: readonly RegistryImage[]) => boolean,
    published: number | undefined,
  ): void => {
    if (isIn(own)) count.there++;
    else if (isIn(sameHost)) count.mounted++;
    else {
      count.sent++;
      const size = layer.size ?? published;
      if (size === undefined) unknown++;
      else bytes += size;
    }
  };
  const knownBase = baseIn(wanted.baseKey, images);
  for (const [index, layer] of wanted.base.entries())
    take(layer, (among) => baseIn(wanted.baseKey, among) !== undefined, knownBase?.[index]?.size);
  for (const layer of wanted.layers) {
    const { keys } = layer;
    const same = ({ annotations }: Descriptor): boolean =>
      keys !== undefined && annotations?.[layerKeysAnnotation] === keys.join(" ");
    take(layer, (among) => layersOf(among).some(same), layersOf(images).find(same)?.size);
  }
  const upToDate = own.some((image) => inputsOf(image) === wanted.inputs);
  return upToDate
    ? {
        ...head,
        upToDate,
        error: undefined,
        layers: { there: wanted.base.length + wanted.layers.length, mounted: 0, sent: 0 },
        bytes: 0,
        unknown: 0,
      }
    : { ...head, upToDate, error: undefined, layers: count, bytes, unknown };
}
