/** What a command line means by an image: a container of the repository, a file or directory, a name in a registry, or none of these. */
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Container, Repository } from "../../definitions/repository.ts";
import { selectContainers } from "../../definitions/select.ts";
import { type ImageSource, parseSource } from "../../image/openSource.ts";
import { isLocalImage } from "../../sif/openLocalImage.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { asArchitecture } from "../workspace/architecture.ts";
import { defaultOutput, readLayoutImage } from "./builtImage.ts";
import { namesRegistryImage } from "./publishedReference.ts";

/** Where the files of an image can be read. */
export type ImageForm =
  /** An OCI layout, or an archive. */
  | { readonly kind: "source"; readonly source: ImageSource }
  /** A SIF or squashfs file, or an unpacked Apptainer image. Absolute. */
  | { readonly kind: "local"; readonly path: string }
  /** In a registry; `name` is without the transport. */
  | { readonly kind: "reference"; readonly transport: "docker" | "oras"; readonly name: string };

/** An image, as far as it is known. */
export interface NamedImage {
  /** For people and for the names of jobs. */
  readonly name: string;
  readonly container: Container | undefined;
  /** Directory of its layout, when it is here as one. */
  readonly layout: string | undefined;
  /** Undefined: it is not here, and what was said names nothing that can be looked up. */
  readonly form: ImageForm | undefined;
  readonly version: string | undefined;
}

/**
 * Finds an image by name: `oci:…`, `oci-archive:…`, `docker-archive:…`, `docker://…`, `oras://…`; the path of a layout, of a SIF
 * or squashfs file or of an unpacked Apptainer image; a container's name; else a name in a registry. Nothing is asked of
 * a registry.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE` when several containers have the name, `NOT_SUPPORTED` for a file that
 *   is no image
 */
export async function findImage(
  text: string,
  repository: Repository,
  { directory, arch }: { readonly directory: string; readonly arch: string | undefined },
): Promise<NamedImage> {
  const form = await formOf(text, directory);
  if (form !== undefined) return imageOfForm(text, form);
  const wanted = asArchitecture(arch);
  const found = await selectContainers(repository, {
    names: [text],
    cwd: directory,
    ...(wanted === undefined ? {} : { arch: wanted }),
  }).catch(async (error: unknown) => {
    if (!(error instanceof SpacktainersError)) throw error;
    if (await isFile(resolve(directory, text)))
      throw new SpacktainersError("NOT_SUPPORTED", `${text} is neither a container nor an image`, {
        place: { file: resolve(directory, text) },
        hint: `an archive is named by its kind: oci-archive:${text} or docker-archive:${text}`,
      });
    // A reference or a file of somewhere else.
    if (isElsewhere(text)) return [];
    throw error;
  });
  const [container, other] = found;
  if (container === undefined) {
    const isReference = await namesRegistryImage(directory, text);
    return {
      name: shortName(text),
      container: undefined,
      layout: undefined,
      form: isReference ? { kind: "reference", transport: "docker", name: text } : undefined,
      version: undefined,
    };
  }
  if (other !== undefined)
    throw new SpacktainersError("USAGE", `${text} is more than one container`, {
      hint: `write ${container.arch}/${container.name} or ${other.arch}/${other.name}`,
    });
  const layout = defaultOutput(repository.configuration.output, container);
  if (!(await isFile(join(layout, "oci-layout"))))
    return { name: container.name, container, layout: undefined, form: undefined, version: undefined };
  const image = await readLayoutImage(layout);
  const source = { kind: "oci", path: layout } as const;
  return {
    name: container.name,
    container,
    layout,
    form: { kind: "source", source },
    version: image?.version,
  };
}

/** What says by itself, or by what is at a path, how it is to be read. */
async function formOf(text: string, directory: string): Promise<ImageForm | undefined> {
  const remote = /^(docker|oras):\/\/(.+)$/.exec(text);
  if (remote !== null)
    return {
      kind: "reference",
      transport: remote[1] === "oras" ? "oras" : "docker",
      name: remote[2] ?? "",
    };
  const source = parseSource(text, directory);
  if (source !== undefined) return { kind: "source", source };
  const path = resolve(directory, text);
  if (await isFile(join(path, "oci-layout"))) return { kind: "source", source: { kind: "oci", path } };
  // What is called SIF and is none is told so.
  if ((await isLocalImage(path)) || (text.endsWith(".sif") && (await isFile(path))))
    return { kind: "local", path };
  return undefined;
}

async function imageOfForm(text: string, form: ImageForm): Promise<NamedImage> {
  const common = { container: undefined, form } as const;
  if (form.kind === "reference")
    return { ...common, name: shortName(text), layout: undefined, version: undefined };
  const path = form.kind === "source" ? form.source.path : form.path;
  const isLayout =
    form.kind === "source" && form.source.kind === "oci" && form.source.reference === undefined;
  const image = isLayout ? await readLayoutImage(path) : undefined;
  return {
    ...common,
    name: shortName(path),
    layout: isLayout ? path : undefined,
    version: image?.version,
  };
}

function isElsewhere(text: string): boolean {
  return (
    /\.sif$/.test(text) ||
    /^[\w.-]+(?::\d+)?\/[\w./-]+(?:[:@][\w.:-]+)?$/.test(text) ||
    text.startsWith("/") ||
    text.startsWith("$")
  );
}

/** The last part of a path or reference, without tag, digest and what archives end in. */
function shortName(text: string): string {
  return basename(text.replace(/@sha256:.*$/, "").replace(/:[^/:]*$/, "")).replace(
    /(?:\.oci|\.docker)?\.(?:sif|sqfs|squashfs|sqsh|tar|tgz|tar\.gz|tar\.zst)$/,
    "",
  );
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
