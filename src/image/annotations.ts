/** Names of the annotations and labels this program writes. */

/** On `index.json` of a layout: an earlier output of ours, which may be overwritten. */
export const madeByAnnotation = "dev.spacktainers.made-by";

/** On `index.json` of a layout: the blobs with what is known of its images, by digest, separated by blanks. */
export const factsAnnotation = "dev.spacktainers.facts";

/** On a layer: the keys of the fragments in it, separated by blanks. A later build finds layers to reuse by it. */
export const layerKeysAnnotation = "dev.spacktainers.layer.keys";

/** On a layer: the packages in it, `name@version/hash`, separated by blanks. */
export const layerPackagesAnnotation = "dev.spacktainers.layer.packages";
