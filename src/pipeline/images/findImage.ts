/** What a command line means by an image: a container of the repository, a file or directory, or a name in a registry. */
import { stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { RegistryConfiguration } from "../../definitions/configuration.ts";
import { hostArchitecture } from "../../definitions/hostArchitecture.ts";
import type { Container, Repository } from "../../definitions/repository.ts";
import { selectContainers } from "../../definitions/select.ts";
import { type ImageSource, parseSource } from "../../image/openSource.ts";
import { isLocalImage } from "../../sif/openLocalImage.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { asArchitecture } from "../workspace/architecture.ts";
import { definitionName } from "../workspace/outcomes.ts";
import { expectOne } from "../workspace/selectOne.ts";
import { builtImage, defaultOutput, summaryOf } from "./builtImages.ts";
import { registryReference } from "./imageLocation.ts";

/** How an image can be read. */
export type ImageForm =
  /** An OCI layout, or an archive. */
  | { readonly kind: "source"; readonly source: ImageSource }
  /** A SIF or squashfs file, or an unpacked Apptainer image. Absolute. */
  | { readonly kind: "local"; readonly path: string }
  /** In a registry; `name` is without the transport. */
  | { readonly kind: "reference"; readonly transport: "docker" | "oras"; readonly name: string };

/** What a command line means by an image. */
export interface ImageSubject {
  /** For people and for the names of jobs and files. */
  readonly name: string;
  readonly container: Container | undefined;
  /** Undefined: nothing that can be read was found; what was said may have a meaning elsewhere. */
  readonly form: ImageForm | undefined;
  /**
   * Which image of a container the form is: its output, the SIF file that `pull` wrote, or the published one. `said`: the form
   * is what the command line says.
   */
  readonly found: "said" | "built" | "pulled" | "published";
  /** As far as it is known without a registry. */
  readonly version: string | undefined;
}

/** A form as a command line says it, whatever directory it is said in. */
export function formText(form: ImageForm): string {
  if (form.kind === "local") return form.path;
  if (form.kind === "reference") return `${form.transport}://${form.name}`;
  const { kind, path, reference } = form.source;
  return `${kind}:${path}${reference === undefined ? "" : `:${reference}`}`;
}

/** What decides which image is meant. */
export interface ImageQuestion {
  /** What relative paths start from. */
  readonly directory: string;
  readonly arch: string | undefined;
  /** A container's name that is there for several architectures means this machine's; else it has to be said. */
  readonly preferHost?: boolean;
}

/**
 * Finds an image by name: `oci:…`, `oci-archive:…`, `docker-archive:…`, `docker://…`, `oras://…`; the path of a layout, of a SIF
 * or squashfs file or of an unpacked Apptainer image; a container's name; else a name in a registry. Of a container that is what
 * was built, else what was pulled, else what is published. Nothing is asked of a registry.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `USAGE` when several containers have the name, `NOT_SUPPORTED` for a file that
 *   is no image
 */
export async function findImage(
  text: string,
  repository: Repository,
  question: ImageQuestion,
): Promise<ImageSubject> {
  const { directory } = question;
  const form = await findForm(text, directory);
  if (form !== undefined) return subjectOfForm(text, form);
  const container = await containerOf(text, repository, question);
  if (container !== undefined) return subjectOfContainer(container, repository, directory);
  const isReference = await namesRegistryImage(directory, text);
  return {
    name: imageName(text),
    container: undefined,
    form: isReference ? { kind: "reference", transport: "docker", name: text } : undefined,
    found: "said",
    version: undefined,
  };
}

/** Names (`arch/name`) of the containers whose images are built, in the output folder. */
export async function builtNames(
  { containers, configuration }: Repository,
  { arch }: Pick<ImageQuestion, "arch">,
): Promise<readonly string[]> {
  const found = [];
  for (const container of containers) {
    if (container.parked || container.kind === "def" || (arch !== undefined && container.arch !== arch))
      continue;
    const path = defaultOutput(configuration.output, container);
    if (await isFile(join(path, "oci-layout"))) found.push(definitionName(container));
  }
  return found;
}

/** Where `pull` puts a SIF file when nothing else is asked for. */
export function pulledFile(directory: string, name: string): string {
  return resolve(directory, `${name}.sif`);
}

/** Directory of a subject's layout, when it is here as one that holds nothing else. */
export function layoutOf({ form }: Pick<ImageSubject, "form">): string | undefined {
  if (form?.kind !== "source") return undefined;
  const { kind, path, reference } = form.source;
  return kind === "oci" && reference === undefined ? path : undefined;
}

async function containerOf(
  text: string,
  repository: Repository,
  { directory, arch, preferHost }: ImageQuestion,
): Promise<Container | undefined> {
  const wanted = asArchitecture(arch) ?? (preferHost === true ? hostArchitecture() : undefined);
  const found = await selectContainers(repository, {
    names: [text],
    cwd: directory,
    arch: wanted,
  }).catch(async (error: unknown) => {
    if (!(error instanceof SpacktainersError)) throw error;
    if (await isFile(resolve(directory, text)))
      throw new SpacktainersError("NOT_SUPPORTED", `${text} is neither a container nor an image`, {
        place: { file: resolve(directory, text) },
        hint: `name an archive with its kind: oci-archive:${text} or docker-archive:${text}`,
      });
    if ((await isDirectory(resolve(directory, text))) && error.hint?.startsWith("did you mean") !== true)
      throw noImage(resolve(directory, text), text);
    // A reference or a file of somewhere else.
    if (isElsewhere(text)) return [];
    throw error;
  });
  return expectOne(text, found);
}

async function subjectOfContainer(
  container: Container,
  { configuration }: Repository,
  directory: string,
): Promise<ImageSubject> {
  const { name } = container;
  const path = defaultOutput(configuration.output, container);
  if (await isFile(join(path, "oci-layout"))) {
    const source = { kind: "oci", path, reference: undefined } as const;
    const version = await versionIn(path);
    return { name, container, form: { kind: "source", source }, found: "built", version };
  }
  const pulled = pulledFile(directory, name);
  if (await isLocalImage(pulled))
    return { name, container, form: { kind: "local", path: pulled }, found: "pulled", version: undefined };
  const form = publishedForm(container, configuration.registries);
  return { name, container, form, found: "published", version: undefined };
}

/** What is published of a container, in the first registry of the configuration. */
function publishedForm(
  container: Container,
  registries: readonly RegistryConfiguration[],
): ImageForm | undefined {
  const { name } = container;
  const published = registryReference(registries, { name, container, version: undefined });
  return published && { kind: "reference", transport: "docker", name: published.reference };
}

/**
 * The form of what says by itself, or by what is at a path, how it is to be read.
 * @returns undefined for what may be the name of a container, or of an image in a registry
 * @throws {SpacktainersError} `NOT_SUPPORTED` for `rootfs:`, which is an output only
 */
export async function findForm(text: string, directory: string): Promise<ImageForm | undefined> {
  const remote = /^(docker|oras):\/\/(.+)$/.exec(text);
  if (remote !== null)
    return {
      kind: "reference",
      transport: remote[1] === "oras" ? "oras" : "docker",
      name: remote[2] ?? "",
    };
  const source = parseSource(text, directory);
  if (source !== undefined) return { kind: "source", source };
  if (text.startsWith("rootfs:")) throw noImage(resolve(directory, text.slice("rootfs:".length)), text);
  const path = resolve(directory, text);
  if (await isFile(join(path, "oci-layout")))
    return { kind: "source", source: { kind: "oci", path, reference: undefined } };
  // A file with a SIF's name that is not one gets an error.
  if ((await isLocalImage(path)) || (text.endsWith(".sif") && (await isFile(path))))
    return { kind: "local", path };
  return undefined;
}

/** Whether a word can only be the name of an image in a registry: it says so, or has a host, and no such file is there. */
export async function namesRegistryImage(directory: string, image: string): Promise<boolean> {
  if (image.startsWith("docker://")) return true;
  const slash = image.indexOf("/");
  const first = image.slice(0, Math.max(0, slash));
  // `oci:` and a directory is no host and port.
  const isHost = /^(?:localhost|[^:]*\.[^:]*|(?:[^:]+|\[[0-9a-f:]+\]):\d{1,5})$/i.test(first);
  if (!isHost || /^\.{1,2}$/.test(first)) return false;
  return stat(resolve(directory, image)).then(
    () => false,
    () => true,
  );
}

async function subjectOfForm(text: string, form: ImageForm): Promise<ImageSubject> {
  const common = { container: undefined, form, found: "said" } as const;
  if (form.kind === "reference") return { ...common, name: imageName(text), version: undefined };
  const path = form.kind === "source" ? form.source.path : form.path;
  const layout = layoutOf({ form });
  const version = layout === undefined ? undefined : await versionIn(layout);
  return { ...common, name: imageName(path), version };
}

async function versionIn(layout: string): Promise<string | undefined> {
  const image = await builtImage(layout);
  return image && summaryOf(image).version;
}

function isElsewhere(text: string): boolean {
  return (
    /\.sif$/.test(text) ||
    /^[\w.-]+(?::\d+)?\/[\w./-]+(?:[:@][\w.:-]+)?$/.test(text) ||
    text.startsWith("/") ||
    text.startsWith("$")
  );
}

/** The last part of a path or reference, without tag, digest and what archives end in: what an image is called here. */
export function imageName(text: string): string {
  return basename(text.replace(/@sha256:.*$/, "").replace(/:[^/:]*$/, "")).replace(
    /(?:\.oci|\.docker)?\.(?:sif|sqfs|squashfs|sqsh|tar|tgz|tar\.gz|tar\.zst)$/,
    "",
  );
}

/** Hint for a directory that holds files but does not say how to run them. */
function noImage(file: string, text: string): SpacktainersError {
  return new SpacktainersError("NOT_SUPPORTED", `${text} is neither a container nor an image`, {
    place: { file },
    hint: "a directory is an image if it is an OCI layout, or has Apptainer's .singularity.d in it; use any other as it is, with chroot",
  });
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isFile(),
    () => false,
  );
}
