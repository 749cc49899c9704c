/** What decides an image: with the same inputs, it is the same image. */
import type { Annotations } from "../../archive/oci/types.ts";
import type { PlannedBase } from "../../base/types.ts";
import { fragmentKey } from "../../image/fragmentStore.ts";
import type { Digest } from "../../util/digest.ts";
import { nameOfBase } from "../base/baseSpec.ts";
import type { OutputNames } from "../workspace/outputs.ts";
import { assemblyVersion } from "./assemblyVersion.ts";
import { imageLabels } from "./imageLabels.ts";
import type { ContainerPlan } from "./planContainer.ts";

/**
 * Digest of everything that decides the image: with the same inputs, it is the same image.
 *
 * @param base that it stands on in the end
 */
export function imageInputs(plan: ContainerPlan, base: Pick<PlannedBase, "key" | "packages">): string {
  const { container, configuration, loaded, resolved } = plan;
  return inputsDigest({
    names: { name: container.name, arch: container.arch, version: resolved.version },
    base: base.key,
    fragments: plan.fragments.map(({ key }) => key),
    layers: plan.layers.map(({ key }) => key),
    manifest: loaded.manifestText,
    lock: resolved.lockText,
    root: configuration.install.root,
    view: configuration.view.root,
    allow: plan.allow,
    created: plan.created,
    labels: labelsOf(plan, base),
    epilogue: plan.epilogue?.inputs,
  });
}

/** What decides an image. */
export interface ImageInputs {
  readonly names: OutputNames;
  /** Key of the base that it stands on in the end. */
  readonly base: Digest;
  /** Keys, in the order of the packages. */
  readonly fragments: readonly string[];
  /** Keys, lowest first. */
  readonly layers: readonly string[];
  /** Texts of the manifest and the lock in the image. */
  readonly manifest: string;
  readonly lock: string;
  /** Where packages and the view are in the image. */
  readonly root: string;
  readonly view: string;
  /** What may stay unresolved. */
  readonly allow: readonly string[];
  /** Seconds since 1970. */
  readonly created: number;
  /** Besides those inherited from the base. */
  readonly labels: Annotations;
  /** What is done to it in the end; undefined: nothing. */
  readonly epilogue: string | undefined;
}

/** Digest of everything that decides an image. */
export function inputsDigest({ names: { name, arch, version }, ...inputs }: ImageInputs): string {
  return `sha256:${fragmentKey({ assemblyVersion, names: { name, arch, version }, ...inputs })}`;
}

/** The labels of the image on a base. */
export function labelsOf(plan: ContainerPlan, base: Pick<PlannedBase, "packages">): Annotations {
  const { container, configuration, resolved, source, created } = plan;
  const name = nameOfBase(configuration.base, { packages: base.packages ?? [] });
  return imageLabels({
    names: { name: container.name, arch: container.arch, version: resolved.version },
    metadata: configuration.image,
    resolved,
    base: { name, digest: plan.baseDigest },
    source,
    created,
  });
}
