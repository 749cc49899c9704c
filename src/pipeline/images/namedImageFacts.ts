/** The facts of an image in whatever form it is: opened, read once, closed. */
import {
  type Architecture,
  architectures,
  type RegistryConfiguration,
} from "../../definitions/configuration.ts";
import { hostArchitecture } from "../../definitions/select.ts";
import type { ImageFacts } from "../../hpc/imageFacts.ts";
import { readImageFacts, rememberedFacts } from "../../hpc/readImageFacts.ts";
import type { OpenImage } from "../../image/imageContents.ts";
import { openSource } from "../../image/openSource.ts";
import { openRegistries } from "../../registry/openRegistries.ts";
import {
  formatReference,
  formatRepository,
  type ImageName,
  manifestReference,
  parseReference,
} from "../../registry/reference.ts";
import { type RemoteImage, resolveImage } from "../../registry/resolveImage.ts";
import { openLocalImage } from "../../sif/openLocalImage.ts";
import { cacheHome } from "../../util/cacheHome.ts";
import { digestOf } from "../../util/digest.ts";
import { SpacktainersError } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import { asArchitecture } from "../workspace/architecture.ts";
import { registryReference } from "./imageLocation.ts";
import type { ImageForm, NamedImage } from "./openImage.ts";
import { referenceOpener } from "./openReference.ts";

/** How to read. */
export interface NamedFactsContext {
  /** The architecture asked for; undefined: whichever the image is for, this machine's first. */
  readonly arch: string | undefined;
  /** Registries of the configuration, for their credentials and for what is published. */
  readonly registries: readonly RegistryConfiguration[];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** The facts of an image, and where they are from. */
export interface NamedFacts {
  readonly facts: ImageFacts;
  /** Of an image in a registry, what was read: `docker://HOST/PATH@sha256:…`. */
  readonly reference: string | undefined;
}

/** How long a registry may take to say what it has before it counts as out of reach, in milliseconds. */
const patience = 30_000;

/**
 * Reads the facts of an image in the form it was named.
 *
 * @throws {SpacktainersError} of opening and reading images
 */
export async function factsOfForm(form: ImageForm, context: NamedFactsContext): Promise<NamedFacts> {
  const { emit, signal } = context;
  const wanted = asArchitecture(context.arch);
  if (form.kind === "local")
    return {
      facts: await readAndClose(await openLocalImage(form.path, wanted), context),
      reference: undefined,
    };
  return forSomeArchitecture(wanted, async (architecture) => {
    if (form.kind === "source") {
      const image = await openSource(form.source, architecture);
      return { facts: await readAndClose(image, context), reference: undefined };
    }
    if (form.transport === "docker") return factsOfReference(form.name, architecture, context);
    const open = referenceOpener(context.registries);
    const image = await open({ transport: "oras", name: form.name, architecture, emit, signal });
    const reference = `oras://${image.origin.from}`;
    return { facts: await readAndClose(image, context), reference };
  });
}

/**
 * Reads the facts of what is published of a container that is not built here, in the first registry of the configuration.
 *
 * @returns undefined when no registry is configured
 * @throws {SpacktainersError} of registries; `NETWORK` too when it does not answer for a while
 */
export async function factsOfPublished(
  image: NamedImage,
  context: NamedFactsContext,
): Promise<(NamedFacts & { readonly reference: string }) | undefined> {
  const published = registryReference(context.registries, image);
  if (published === undefined) return undefined;
  return forSomeArchitecture(asArchitecture(context.arch) ?? image.container?.arch, (architecture) =>
    factsOfReference(published.reference, architecture, context),
  );
}

/** Layers are downloaded only when the image is not known yet. */
async function factsOfReference(
  text: string,
  architecture: string,
  context: NamedFactsContext,
): Promise<NamedFacts & { readonly reference: string }> {
  const { emit, signal, registries } = context;
  const name = parseReference(text);
  const { manifestDigest, configBytes } = await askRegistry(name, architecture, context);
  const pinned = `${formatRepository(name)}@${manifestDigest}`;
  const reference = `docker://${pinned}`;
  const known = await rememberedFacts(digestOf(configBytes), cacheHome());
  if (known !== undefined) return { facts: known, reference };
  const open = referenceOpener(registries);
  const image = await open({ transport: "docker", name: pinned, architecture, emit, signal });
  return { facts: await readAndClose(image, context), reference };
}

/** The documents of an image in a registry, unless that takes too long: many machines of a cluster reach no registry. */
async function askRegistry(
  name: ImageName,
  architecture: string,
  { emit, signal, registries: configured }: NamedFactsContext,
): Promise<RemoteImage> {
  const limit = AbortSignal.timeout(patience);
  const registries = openRegistries({ configured, emit, signal: AbortSignal.any([signal, limit]) });
  try {
    const platform = { os: "linux", architecture };
    return await resolveImage(registries.repository(name), manifestReference(name), platform);
  } catch (cause) {
    if (!limit.aborted || signal.aborted) throw cause;
    throw new SpacktainersError("NETWORK", `the registry did not answer within ${patience / 1000} seconds`, {
      place: { url: `docker://${formatReference(name)}` },
      cause,
    });
  } finally {
    await registries.close();
  }
}

async function readAndClose(image: OpenImage, { emit, signal }: NamedFactsContext): Promise<ImageFacts> {
  try {
    return await readImageFacts(image, { cache: cacheHome(), emit, signal });
  } finally {
    await image.close();
  }
}

/** For the architecture wanted, else for the first that the image is there for. */
async function forSomeArchitecture<T>(
  wanted: Architecture | undefined,
  use: (architecture: Architecture) => Promise<T>,
): Promise<T> {
  if (wanted !== undefined) return use(wanted);
  const host = hostArchitecture();
  let failure: unknown;
  for (const architecture of [host, ...architectures.filter((one) => one !== host)])
    try {
      return await use(architecture);
    } catch (thrown) {
      failure ??= thrown;
      if (!(thrown instanceof SpacktainersError) || thrown.code !== "NOT_FOUND") throw thrown;
    }
  throw failure;
}
