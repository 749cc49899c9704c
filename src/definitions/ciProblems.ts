/** What the schema cannot say about `ci:` in `spacktainers.yaml`. */
import { didYouMean } from "./nearest.ts";
import { type YamlNode, yamlEntry } from "./positionedYaml.ts";
import type { ProblemList } from "./problems.ts";

/** Reports environments and registries that are named but not there. */
export function checkCi(tree: YamlNode, problems: ProblemList): void {
  const ci = yamlEntry(tree, "ci")?.value;
  if (ci === undefined) return;
  const environments = yamlEntry(ci, "environments")?.value;
  const written = environments?.kind === "map" ? environments.entries.map(({ key }) => key) : undefined;
  const names = written ?? ["sandbox", "staging", "production"];
  if (written?.length === 0 && environments !== undefined)
    problems.error("CONFIG_INVALID", "`ci.environments` names no environment", environments.place);
  for (const key of ["pull-requests", "main"]) {
    const name = yamlEntry(ci, key)?.value;
    if (name?.kind !== "scalar" || typeof name.value !== "string" || names.includes(name.value)) continue;
    problems.error(
      "CONFIG_INVALID",
      `\`ci.environments\` has no \`${name.value}\``,
      name.place,
      didYouMean(name.value, names) ?? `there are ${names.join(", ")}`,
    );
  }
  const configured = yamlEntry(tree, "registries")?.value;
  const urls = (configured?.kind === "list" ? configured.items : []).flatMap((item) => {
    const url = yamlEntry(item, "url")?.value;
    return url?.kind === "scalar" ? [url.text] : [];
  });
  for (const { value } of environments?.kind === "map" ? environments.entries : []) {
    const registries = yamlEntry(value, "registries")?.value;
    for (const item of registries?.kind === "list" ? registries.items : [])
      if (item.kind === "scalar" && !urls.some((url) => url === item.text || url.split("/")[0] === item.text))
        problems.error(
          "CONFIG_INVALID",
          `${item.text} is not one of \`registries:\``,
          item.place,
          didYouMean(item.text, urls) ?? (urls.length > 0 ? `configured are ${urls.join(", ")}` : undefined),
        );
    const sif = yamlEntry(value, "sif")?.value;
    if (sif?.kind === "scalar" && !/^(?:s3|oras):\/\/./.test(sif.text))
      problems.error("CONFIG_INVALID", "`sif` must be an address with s3:// or oras://", sif.place);
    else if (sif?.kind === "scalar" && sif.text.startsWith("oras:") && !sif.text.includes("{name}"))
      problems.error(
        "CONFIG_INVALID",
        "`sif` has no `{name}`: all containers would be one",
        sif.place,
        "write {name}, and {arch} where there are several",
      );
  }
}
