import { selectContainers } from "../../definitions/select.ts";
import type { PackageListing } from "../../pipeline/describe/packageListing.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { openSoundRepository } from "../../pipeline/workspace/workspace.ts";
import type { DagHash } from "../../spec/concrete.ts";
import { parseSpec } from "../../spec/parse.ts";
import { SpacktainersError, SpacktainersErrors } from "../../util/errors.ts";
import { pathsTo } from "./dependencyGraph.ts";
import { type ExplainRequest, openContainer, openRequestCaches, satisfying } from "./explainedContainer.ts";

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
  readonly failed: readonly { readonly name: string; readonly arch: string; readonly message: string }[];
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
  const selected = await selectContainers(repository, {
    names,
    cwd: request.directory,
    ...(arch === undefined ? {} : { arch }),
  });
  for (const text of asked) parseSpec(text, { dialect: "1.x" });
  const containers: AffectedContainer[] = [];
  const failed: { name: string; arch: string; message: string }[] = [];
  let checked = 0;
  const caches = await openRequestCaches(repository, request);
  try {
    for (const container of selected) {
      if (container.kind === "def") continue;
      checked++;
      try {
        const state = await openContainer(container, repository.configuration, caches, request.emit);
        const { listing } = state;
        const inside = new Set([...listing.packages, ...listing.externals].map(({ hash }) => hash));
        const specs = asked.flatMap((text) => satisfying(text, state)).filter(({ hash }) => inside.has(hash));
        if (specs.length === 0) continue;
        containers.push({
          name: container.name,
          arch: container.arch,
          origin: listing.origin,
          packages: [...new Set(specs)].map(({ name, version, hash }) => ({
            name,
            version,
            hash,
            roots: listing.roots
              .filter((root) => pathsTo(listing.graph, [root.hash], hash).runtime)
              .map((root) => root.request),
          })),
        });
      } catch (thrown) {
        const [first] = thrown instanceof SpacktainersErrors ? thrown.errors : [thrown];
        if (!(first instanceof SpacktainersError)) throw thrown;
        failed.push({ name: container.name, arch: container.arch, message: first.message });
      }
    }
  } finally {
    await caches.close();
  }
  return { containers, checked, failed };
}
