import type { Container } from "../../definitions/repository.ts";
import { type PublishedRequest, signPublished } from "../../pipeline/describe/signPublished.ts";
import type { Resources } from "../../pipeline/workspace/resources.ts";
import { artifactRepository } from "../../publish/artifactRepository.ts";
import { publishTag, type TaggedImage } from "../../publish/publishTag.ts";
import type { Tag } from "../../registry/reference.ts";
import type { Digest } from "../../util/digest.ts";
import type { SpacktainersError } from "../../util/errors.ts";
import { ignoreEvents } from "../../util/events.ts";
import { stopIfAborted } from "../../util/interruption.ts";
import { mapConcurrently } from "../../util/mapConcurrently.ts";
import { type PushedContainer, type PushedTarget, type PushedTo, tried } from "./pushContainer.ts";

/** What became of a container's image in one registry. */
export interface PushResult extends Omit<PushedTo, "error"> {
  readonly name: string;
  readonly arch: string | undefined;
  readonly version: string;
  /** Why it is not there; empty when it is. */
  readonly errors: readonly SpacktainersError[];
  /** Nothing was tried: another container had failed before. */
  readonly skipped: boolean;
}

/** Images that are described and signed at a time. */
const imagesAtOnce = 4;

/**
 * Moves every tag once all architectures are there, and waits for the records of their layers.
 *
 * @param containers all that there are: whose architectures share a tag
 * @returns a row for each image and registry, failures included
 */
export async function moveTags(
  pushed: readonly PushedContainer[],
  containers: readonly Pick<Container, "name" | "arch" | "parked">[],
  { emit, signal }: Resources,
  signing: Pick<PublishedRequest, "key" | "forms">,
): Promise<readonly PushResult[]> {
  const errors = new Map<PushedTarget, SpacktainersError>();
  const moves = new Map<
    string,
    { readonly target: PushedTarget; readonly tag: Tag; readonly members: Member[] }
  >();
  for (const { container, version, targets } of pushed) {
    for (const target of targets) {
      if (target.image === undefined) continue;
      for (const tag of target.result.tags) {
        const key = `${target.result.repository}:${tag}`;
        const move = moves.get(key) ?? { target, tag, members: [] };
        move.members.push({ container, version, target, image: target.image });
        moves.set(key, move);
      }
    }
  }
  const facts = new Map(
    pushed.flatMap(({ targets }) =>
      targets.flatMap((target) =>
        target.facts === undefined ? [] : [[target.facts.manifest.digest, target.facts] as const],
      ),
    ),
  );
  const tagged = new Map<string, { readonly digest: Digest; readonly members: readonly Member[] }>();
  const attempt = async (members: readonly Member[], work: () => Promise<void>): Promise<void> => {
    stopIfAborted(signal);
    const { error } = await tried(work);
    if (error !== undefined) for (const { target } of members) errors.set(target, error);
  };
  if (moves.size > 0) emit({ type: "stage", stage: "move-tags" });
  for (const { target, tag, members } of moves.values())
    await attempt(members, async () => {
      const [first] = members;
      if (first === undefined) return;
      const { digest } = await publishTag(target.repository, {
        tag,
        images: members.map(({ image }) => image),
        architectures: architecturesIn(first, containers),
        annotations: {
          "org.opencontainers.image.title": first.container.name,
          "org.opencontainers.image.version": first.version,
        },
      });
      // What was there before has all that was known when it was made; only a key can be new.
      if (signing.key === undefined && members.every((member) => member.target.facts === undefined)) return;
      tagged.set(`${target.result.repository}@${digest}`, { digest, members });
    });
  await mapConcurrently([...tagged.values()], imagesAtOnce, ({ digest, members }) =>
    attempt(members, async () => {
      const [first] = members;
      if (first === undefined) return;
      await signPublished({
        ...signing,
        reference: digest,
        repository: artifactRepository(first.target.repository),
        factsOf: (image) => facts.get(image),
        annotations: {},
        emit: ignoreEvents,
        signal,
      });
    }),
  );
  for (const target of pushed.flatMap(({ targets }) => targets)) {
    const { error } = await tried(() => target.recorded());
    if (error !== undefined) errors.set(target, error);
  }
  return pushed.flatMap(({ container, version, targets }) =>
    targets.map((target) => {
      const { error: failed, ...result } = target.result;
      const error = failed ?? errors.get(target);
      return {
        name: container.name,
        arch: container.arch,
        version,
        ...result,
        errors: error === undefined ? [] : [error],
        skipped: false,
      };
    }),
  );
}

/** An image that a tag is to stand for. */
interface Member {
  readonly container: PushedContainer["container"];
  readonly version: string;
  readonly target: PushedTarget;
  readonly image: TaggedImage;
}

/** The architectures that share the repository: all that the container has, unless each has a repository of its own. */
function architecturesIn(
  { container, target }: Member,
  containers: Parameters<typeof moveTags>[1],
): readonly string[] {
  if (target.target.configuration.repository.includes("{arch}")) return [container.arch];
  const same = containers.filter(({ name, parked }) => name === container.name && !parked);
  return [...new Set([container.arch, ...same.map(({ arch }) => arch)])];
}
