/** Names of the annotations and labels this program writes. */

/** On `index.json` of a layout: an earlier output of spacktainers, which may be overwritten. */
export const madeByAnnotation = "dev.spacktainers.made-by";

/** On `index.json` of a layout: the blobs with what is known of its images, by digest, separated by blanks. */
export const descriptionAnnotation = "dev.spacktainers.facts";

/** On a layer: the keys of the fragments in it, separated by blanks. A later build finds layers to reuse by it. */
export const layerKeysAnnotation = "dev.spacktainers.layer.keys";

/** On a layer: the packages in it, `name@version/hash`, separated by blanks. */
export const layerPackagesAnnotation = "dev.spacktainers.layer.packages";

/** On a layer: digest and size of the record of what is in it, separated by a blank (see `src/publish/layerContents.ts`). */
export const layerContentsAnnotation = "dev.spacktainers.layer.contents";

/** On the lowest layer of a base: the base's key. */
export const baseKeyAnnotation = "dev.spacktainers.base.key";

/** On a manifest: the key of base and packages together, and the libraries that the base was completed with for them. */
export const completionAnnotation = "dev.spacktainers.base.completion";

/** On a manifest: what decided the image besides its parts, as JSON (see `src/pipeline/assemble/assemblySettings.ts`). */
export const assemblyAnnotation = "dev.spacktainers.assembly";

/** On a manifest: that a `Dockerfile.epilogue` was applied: how many layers it made, and whether it ran commands. JSON. */
export const epilogueAnnotation = "dev.spacktainers.epilogue";

/** On a manifest: digest of everything that decided the image's bytes. The same inputs need no new build. */
export const inputsAnnotation = "dev.spacktainers.inputs";
