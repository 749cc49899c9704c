import type { ExecutionConfig } from "../archive/oci/types.ts";
import type { ContainerRoot } from "./containerRoot.ts";
import type { OwnEntry } from "./mergeLayers.ts";

/** How an OCI runtime starts an image that a definition was applied to. */
export interface OciStart {
  /** Files that the entrypoint needs. */
  readonly entries: readonly OwnEntry[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

/** The folder of these files; Apptainer has none of this name and so leaves it alone. */
const home = ".singularity.d/oci";

/**
 * Docker and Podman know nothing of Apptainer's scripts: an entrypoint reads the definition's variables and runs its
 * runscript. Both are copies, since Apptainer writes its own over the originals when it converts the image - and would
 * then start the entrypoint, which would start the runscript, for ever.
 *
 * @param parts whether the definition has `%environment` and `%runscript`; `hasOwnScripts`: the layers below are an Apptainer image
 */
export function ociStart(
  root: ContainerRoot,
  execution: ExecutionConfig,
  parts: { readonly environment: boolean; readonly runscript: boolean; readonly hasOwnScripts: boolean },
): OciStart {
  const { Entrypoint: entrypoint = [], Cmd: command = [] } = execution;
  if (!parts.environment && !parts.runscript && !parts.hasOwnScripts)
    return { entries: [], entrypoint, command };
  const file = (path: string, text: string): OwnEntry => ({
    type: "file",
    path,
    mode: 0o755,
    mtime: root.created,
    content: Buffer.from(text),
  });
  const scripts = [
    ...(parts.hasOwnScripts ? ["10-docker2singularity.sh"] : []),
    "90-environment.sh",
    "94-appsbase.sh",
  ];
  const variables = scripts
    .map((name) => root.textOf(`.singularity.d/env/${name}`) ?? "")
    .map((text) => (text === "" || text.endsWith("\n") ? text : `${text}\n`))
    .join("");
  const run = `#!/bin/sh\n# Runs a command with the variables of the definition.\n. /${home}/environment.sh\nexec "$@"\n`;
  const entries: OwnEntry[] = [
    { type: "directory", path: home, mode: 0o755, mtime: root.created },
    file(`${home}/environment.sh`, variables),
    file(`${home}/run`, run),
  ];
  if (!parts.runscript && !parts.hasOwnScripts)
    return { entries, entrypoint: [`/${home}/run`, ...entrypoint], command };
  entries.push(file(`${home}/runscript`, root.textOf(".singularity.d/runscript") ?? "#!/bin/sh\n"));
  return { entries, entrypoint: [`/${home}/run`, `/${home}/runscript`], command: [] };
}
