import { yamlScalar } from "./yamlText.ts";

/**
 * The text of a new `spack.yaml`.
 *
 * @param specs as the user wrote them; the first gives the container its version
 * @param comment lines above it, without `#`
 */
export function definitionText(specs: readonly string[], comment: readonly string[] = []): string {
  return [
    ...comment.map((line) => (line === "" ? "#" : `# ${line}`)),
    "spack:",
    "  specs:",
    ...specs.map((spec) => `  - ${yamlScalar(spec)}`),
    "  concretizer:",
    "    unify: true",
    "",
  ].join("\n");
}
