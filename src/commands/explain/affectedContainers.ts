import { pathsTo } from "../../catalogue/graph/dependencyGraph.ts";
import type { Container } from "../../definitions/repository.ts";
import { selectDefinitions } from "../../definitions/select.ts";
import type { PackageListing } from "../../pipeline/describe/packageListing.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { forEachContainer, resultsOf } from "../../pipeline/workspace/outcomes.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import type { DagHash } from "../../spec/concrete.ts";
import { parseSpec } from "../../spec/parse.ts";
import { nameEvents } from "../../util/nameEvents.ts";
import {
  type ContainerState,
  type ExplainRequest,
  openContainer,
  openRequestCaches,
  satisfying,
} from "./explainedContainer.ts";

/** A container that has a package. */
export interface AffectedContainer {
  readonly name: string;
  readonly arch: string;
  readonly origin: PackageListing["origin"];
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly hash: DagHash;
    /** The roots that need it, in the user's words. */
    readonly roots: readonly string[];
  }[];
}

/** Which containers have a package, and which could not be asked. */
export interface AffectedContainers {
  readonly containers: readonly AffectedContainer[];
  readonly checked: number;
  readonly failed: readonly {
    readonly name: string;
    /** Undefined if unknown. */
    readonly arch: string | undefined;
    readonly message: string;
  }[];
}

/**
 * The containers of the repository that have packages at run time.
 *
 * @param asked names or specs
 * @throws {SpacktainersError} `SPEC_SYNTAX`
 */
export async function affectedContainers(
  request: ExplainRequest,
  names: readonly string[],
  asked: readonly string[],
): Promise<AffectedContainers> {
  const repository = await openSoundRepository(request.directory);
  const arch = asArchitecture(request.arch);
  const selection = { names, cwd: request.directory, arch };
  const definitions = await selectDefinitions(repository, selection);
  for (const text of asked) parseSpec(text, { dialect: "1.x" });
  const events = nameEvents(request.emit);
  const { emit } = events;
  const caches = await openRequestCaches(repository, { ...request, emit });
  try {
    const withPackages = definitions.filter(({ kind }) => kind !== "def");
    const options = { events, signal: request.signal, failFast: false };
    const tools = { caches, areCachesGiven: request.caches.length > 0, emit };
    const outcomes = await forEachContainer(withPackages, options, async (container) =>
      affected(container, await openContainer(container, repository.configuration, tools), asked),
    );
    return {
      containers: resultsOf(outcomes).flatMap((one) => one ?? []),
      checked: outcomes.length,
      failed: outcomes.flatMap((outcome) => {
        if (outcome.state !== "failed") return [];
        const { name, arch } = outcome.subject;
        return outcome.errors.map(({ message }) => ({ name, arch, message }));
      }),
    };
  } finally {
    await caches.close();
  }
}

/** The requested packages that a container has; undefined when it has none. */
function affected(
  { name, arch }: Container,
  state: ContainerState,
  asked: readonly string[],
): AffectedContainer | undefined {
  const { listing } = state;
  const inside = new Set([...listing.packages, ...listing.externals].map(({ hash }) => hash));
  const specs = asked.flatMap((text) => satisfying(text, state)).filter(({ hash }) => inside.has(hash));
  if (specs.length === 0) return undefined;
  return {
    name,
    arch,
    origin: listing.origin,
    packages: [...new Set(specs)].map(({ name, version, hash }) => ({
      name,
      version,
      hash,
      roots: listing.roots
        .filter((root) => pathsTo(listing.graph, [root.hash], hash).runtime)
        .map((root) => root.request),
    })),
  };
}
