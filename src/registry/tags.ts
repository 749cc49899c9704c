import { SpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";
import { isJsonObject } from "../util/json.ts";
import { redactUrl } from "../util/redact.ts";
import { readPages } from "./pages.ts";
import { isTag, type Tag } from "./reference.ts";
import type { ImageRepository } from "./registry.ts";

/** Tags on one page; registries may give fewer. */
const pageSize = 1000;
const maxTags = 100_000;

/**
 * All tags of a repository, in the registry's order.
 *
 * @returns undefined when there is no such repository
 * @throws NETWORK when the list is malformed, endless or longer than 100 000; ACCESS_DENIED
 */
export async function listTags(repository: ImageRepository): Promise<readonly Tag[] | undefined> {
  const tags = new Set<Tag>();
  const pages = readPages(repository.session, {
    url: `/v2/${repository.path}/tags/list?n=${pageSize}`,
    access: { repository, actions: "pull" },
    what: "the list of tags",
    expected: [404],
  });
  for await (const page of pages) {
    if (page.status === 404) return undefined;
    const fail = (what: string): SpacktainersError =>
      new SpacktainersError("NETWORK", `the registry's list of tags ${what}`, {
        place: { url: redactUrl(page.url) },
      });
    for (const tag of tagsIn(page.bytes, fail)) tags.add(tag);
    if (tags.size > maxTags) throw fail(`is longer than ${maxTags}`);
  }
  return [...tags];
}

function tagsIn(bytes: Buffer, fail: (what: string) => SpacktainersError): readonly Tag[] {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw fail("is not JSON");
  }
  const list: unknown = isJsonObject(json) ? json.tags : undefined;
  // Registries say null of a repository whose tags are all deleted.
  if (list === null) return [];
  if (!Array.isArray(list)) throw fail("has no tags");
  return list.map((tag: unknown) => {
    if (typeof tag === "string" && isTag(tag)) return tag;
    throw fail(`has one that is not valid: \`${escapeControlsInLine(String(tag).slice(0, 80))}\``);
  });
}
