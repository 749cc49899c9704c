import type { BaseArchitecture, DebianBaseSpec } from "../types.ts";
import { chooseMirrors, type Mirror } from "./mirrors.ts";
import { suiteFolders, suiteName } from "./suites.ts";

/**
 * Sources for an apt that installs packages above a base: the archives that the base itself came from.
 *
 * @throws SpacktainersError BASE_INVALID as `chooseMirrors`
 */
export async function aptSourcesText(spec: DebianBaseSpec, architecture: BaseArchitecture): Promise<string> {
  const { main, security } = await chooseMirrors(spec, architecture);
  const components = (spec.components ?? ["main"]).join(" ");
  const suite = suiteName(spec.distribution, spec.suite);
  const lines = suiteFolders(suite).flatMap(({ name, archive }) => {
    // One of them has the suite; the others are for when it does not answer.
    const [mirror] = archive === "security" ? security : main;
    return mirror === undefined ? [] : [`deb ${optionsOf(mirror)}${mirror.url} ${name} ${components}\n`];
  });
  return lines.join("");
}

function optionsOf({ checkValidUntil }: Mirror): string {
  return checkValidUntil ? "" : "[check-valid-until=no] ";
}
