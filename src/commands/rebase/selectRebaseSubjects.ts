/** What a command line of `rebase` names. */
import type { Container, Definition, Repository } from "../../definitions/repository.ts";
import { selectDefinitions } from "../../definitions/select.ts";
import type { ImageSource } from "../../image/openSource.ts";
import { defaultOutput } from "../../pipeline/images/builtImages.ts";
import { findForm, formText, type ImageForm } from "../../pipeline/images/findImage.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { definitionName } from "../../pipeline/workspace/outcomes.ts";
import { formatReference, type ImageName, parseReference } from "../../registry/reference.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { shownPath } from "../../util/shownPath.ts";

/** The part of a command line that names images. */
export interface NamedSubjects {
  readonly directory: string;
  /** Containers, layouts, archives, references; none: all containers. */
  readonly images: readonly string[];
  readonly arch: string | undefined;
}

/** An image as a command line names it. */
export type RebaseSubject =
  | { readonly kind: "container"; readonly container: Container }
  /** In a layout or an archive on this machine. */
  | { readonly kind: "source"; readonly source: ImageSource; readonly container: Container | undefined }
  | { readonly kind: "reference"; readonly name: ImageName }
  /** A definition that has no image that could be rebased, and why. */
  | {
      readonly kind: "refused";
      readonly definition: Definition;
      readonly errors: readonly SpacktainersError[];
    };

/** References differ from paths and names by their registry's host. */
const hasRegistry = /^(?:docker:\/\/)?(?:localhost|[^/]*[.:][^/]*)\/[^/]/;

/**
 * What the command line names, each once.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`, `REFERENCE_INVALID`
 */
export async function selectRebaseSubjects(
  request: NamedSubjects,
  repository: Repository,
): Promise<readonly RebaseSubject[]> {
  const { directory, images } = request;
  const arch = asArchitecture(request.arch);
  const select = (names: readonly string[]): Promise<readonly Definition[]> =>
    selectDefinitions(repository, { names, cwd: directory, arch });
  const hasRegistries = repository.configuration.registries.length > 0;
  const ofDefinition = (definition: Definition): RebaseSubject => {
    const refused = refusalOf(definition);
    if (definition.kind === "broken" || refused.length > 0)
      return { kind: "refused", definition, errors: refused };
    // What is published counts; the built image only where nothing is published.
    if (hasRegistries) return { kind: "container", container: definition };
    const path = defaultOutput(repository.configuration.output, definition);
    return { kind: "source", source: { kind: "oci", path, reference: undefined }, container: definition };
  };
  if (images.length === 0) {
    const all = (await select([])).filter(({ kind }) => kind !== "def");
    if (all.length === 0)
      throw new SpacktainersError("UNKNOWN_CONTAINER", "there is no container to rebase", {
        hint: "name an image: a reference such as ghcr.io/my-org/name:1.0, or the directory of a layout",
      });
    return all.map(ofDefinition);
  }
  const subjects: RebaseSubject[] = [];
  for (const text of new Set(images)) {
    const form = await findForm(text, directory);
    if (form !== undefined) {
      subjects.push(ofForm(form, repository));
      continue;
    }
    const found = await select([text]).catch((error: unknown) => {
      if (error instanceof SpacktainersError && hasRegistry.test(text)) return [];
      throw error;
    });
    if (found.length > 0) subjects.push(...found.map(ofDefinition));
    else subjects.push({ kind: "reference", name: parseReference(text) });
  }
  return subjects;
}

/** An image and the place that was named for it. */
function ofForm(form: ImageForm, { containers, configuration }: Repository): RebaseSubject {
  if (form.kind === "reference" && form.transport === "docker")
    return { kind: "reference", name: parseReference(form.name) };
  if (form.kind === "source" && form.source.kind !== "docker-archive") {
    const { source } = form;
    const container = containers.find((one) => defaultOutput(configuration.output, one) === source.path);
    return { kind: "source", source, container };
  }
  throw new SpacktainersError(
    "NOT_SUPPORTED",
    `${formText(form)} has no manifest, so there is no record of what the image was made from`,
    { hint: "a container, an OCI layout, oci-archive:FILE and docker://NAME can be rebased" },
  );
}

/** Why a definition has no image that could be rebased. */
function refusalOf(definition: Definition): readonly SpacktainersError[] {
  if (definition.kind === "broken") return definition.errors;
  if (definition.kind === "spack") return [];
  return [
    new SpacktainersError("NOT_SUPPORTED", `${definition.name} is an Apptainer definition file`, {
      place: { file: definition.path },
      hint: "the definition itself names the image that it starts from; push it again",
    }),
  ];
}

/** What a subject is called in events and errors. */
export function subjectName(subject: RebaseSubject, directory: string): string {
  switch (subject.kind) {
    case "container":
      return definitionName(subject.container);
    case "refused":
      return definitionName(subject.definition);
    case "source":
      return subject.container === undefined
        ? shownPath(subject.source.path, directory)
        : definitionName(subject.container);
    case "reference":
      return formatReference(subject.name);
  }
}
