/** How to get an image and start it, in the words of each runtime. */
import { enrootReference } from "../../hpc/runtimes/enrootImage.ts";
import { shellLine, shellWord } from "../../util/shellQuote.ts";
import { tomlString } from "../../util/tomlString.ts";
import type { CatalogueImage } from "../facts.ts";
import { html, type MarkupContent } from "../markup.ts";
import { copyBox } from "./layout.ts";

/** `HOST/PATH:TAG` of the image in the first registry; undefined: it is in none. */
export function referenceOf({ repositories, tags, digest }: CatalogueImage): string | undefined {
  const [repository] = repositories;
  if (repository === undefined) return undefined;
  // A tag that is the version stays where it is; `latest` moves.
  const tag = tags.find((one) => one !== "latest") ?? tags[0];
  return tag !== undefined ? `${repository}:${tag}` : `${repository}@${digest}`;
}

/** What to type for each runtime. */
export interface RuntimeCommand {
  readonly runtime: string;
  readonly text: string;
  readonly note?: string;
}

/** Commands of all runtimes. Names with characters that a shell would read are quoted. */
export function runtimeCommands(name: string, image: CatalogueImage): readonly RuntimeCommand[] {
  const reference = referenceOf(image);
  if (reference !== undefined) return ofRegistry(name, reference, image.plainHttp);
  if (image.layout === undefined) return [];
  const layout = shellWord(`oci:${image.layout}`);
  const sif = shellWord(`${name}.sif`);
  return [
    { runtime: "Spacktainers", text: shellLine(["spacktainers", "shell", name]) },
    { runtime: "Apptainer", text: `apptainer build ${sif} ${layout}\napptainer shell ${sif}` },
    { runtime: "Podman", text: `podman run --rm -it ${layout}` },
  ];
}

function ofRegistry(name: string, reference: string, plainHttp: boolean): readonly RuntimeCommand[] {
  const url = shellWord(`docker://${reference}`);
  const word = shellWord(reference);
  const sif = shellWord(`${name}.sif`);
  const enroot = enrootNameOf(reference);
  const [noHttps, noTls] = plainHttp ? ["--no-https ", "--tls-verify=false "] : ["", ""];
  return [
    {
      runtime: "Apptainer",
      text: `apptainer pull ${noHttps}${sif} ${url}\napptainer shell ${sif}`,
    },
    { runtime: "Podman", text: `podman run --rm -it ${noTls}${word}` },
    { runtime: "Docker", text: `docker run --rm -it ${word}` },
    { runtime: "Sarus", text: `sarus pull ${word}\nsarus run -t ${word} bash` },
    ...(enroot === undefined
      ? []
      : [
          {
            runtime: "Container Engine",
            text: `# ${name.replaceAll(/[^\w.+-]/g, "_")}.toml, for srun --environment=\nimage = ${tomlString(enroot)}`,
          },
          {
            runtime: "pyxis",
            text: `${plainHttp ? "export ENROOT_ALLOW_HTTP=y\n" : ""}srun --container-image=${shellWord(enroot)} --pty bash`,
          },
        ]),
  ];
}

/** Undefined for what is no name of an image: no registry has it, but a page about it must not fail. */
function enrootNameOf(reference: string): string | undefined {
  try {
    return enrootReference(reference);
  } catch {
    return undefined;
  }
}

/** The section with all of them. */
export function getIt(name: string, image: CatalogueImage): MarkupContent {
  const commands = runtimeCommands(name, image);
  if (commands.length === 0) return buildIt(name);
  return html`${image.repositories.length === 0 && html`<p class="note">It is built, and not published: these commands work in the repository that it was built in.</p>`}<div class="boxes">${commands.map(({ runtime, text, note }) => copyBox(runtime, text, note))}</div>`;
}

/** How to have a container that there is no image of. */
export function buildIt(name: string): MarkupContent {
  return html`<p>This container is not built yet.</p>${copyBox("Build it", shellLine(["spacktainers", "build", name]))}`;
}
