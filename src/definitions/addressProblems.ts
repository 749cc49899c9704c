import type { YamlNode } from "./positionedYaml.ts";
import type { ProblemList } from "./problems.ts";

/**
 * A name before the host of a web address, or a name and a password before any host. A name alone is common elsewhere
 * (`ssh://git@host/…`); on the web it is a token.
 */
const withCredentials = /^(?:https?:\/\/[^/?#]*@|[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:[^/?#@]*@)/i;

/**
 * Addresses with credentials in them, wherever they are: the file is in version control, and what it says goes into
 * Dockerfiles, labels and provenance.
 */
export function checkAddresses(tree: YamlNode, problems: ProblemList): void {
  if (tree.kind === "list") for (const item of tree.items) checkAddresses(item, problems);
  else if (tree.kind === "map") for (const { value } of tree.entries) checkAddresses(value, problems);
  else if (typeof tree.value === "string" && withCredentials.test(tree.value))
    problems.error(
      "CONFIG_INVALID",
      "a URL in this file must not carry a password",
      tree.place,
      "caches and registries take credentials from the environment, git from its credential helpers",
    );
}
