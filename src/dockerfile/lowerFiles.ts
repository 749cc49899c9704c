/** What an image's inventories do not tell of its files: whom they belong to, and who its users are. */
import { readContent } from "../archive/content.ts";
import type { EntryStream } from "../archive/entry.ts";
import { layerMeaning } from "../archive/unpackEntries.ts";
import { SpacktainersError } from "../util/errors.ts";
import type { Word } from "./instruction.ts";
import type { Owner } from "./layerDraft.ts";

/** Owners and account files of an image, from its layers. */
export interface LowerFiles {
  /** Owners other than root, by path. */
  readonly owners: ReadonlyMap<string, Owner>;
  /** Texts of `etc/passwd` and `etc/group`, as far as there are. */
  readonly texts: ReadonlyMap<string, string>;
}

const wanted: ReadonlySet<string> = new Set(["etc/passwd", "etc/group"]);
const longestText = 4 << 20;

/**
 * Reads layers.
 *
 * @param layers from bottom to top; those in which everything is root's can be left out
 * @throws SpacktainersError of reading them
 */
export async function readLowerFiles(layers: readonly { entries(): EntryStream }[]): Promise<LowerFiles> {
  const owners = new Map<string, Owner>();
  const texts = new Map<string, string>();
  for (const layer of layers)
    for await (const entry of layer.entries()) {
      const meaning = layerMeaning(entry.path);
      if (meaning.kind !== "entry") {
        if (meaning.kind === "ignored") continue;
        if (meaning.kind === "removed") owners.delete(meaning.path);
        for (const path of owners.keys()) if (path.startsWith(`${meaning.path}/`)) owners.delete(path);
        continue;
      }
      const { path, uid, gid } = entry;
      if (uid !== 0 || gid !== 0) owners.set(path, { uid, gid });
      else owners.delete(path);
      if (wanted.has(path) && entry.type === "file")
        texts.set(path, (await readContent(entry, longestText)).toString("utf8"));
    }
  return { owners, texts };
}

/**
 * Who `--chown` names: `user`, `user:group`, `:group`, names or numbers. A number alone is that of the group, too; a name alone brings
 * the user's own group.
 *
 * @param file of the Dockerfile, for errors
 * @throws SpacktainersError DEFINITION_INVALID when the image has no such user or group
 */
export function ownerOf({ text, line, column }: Word, { texts }: LowerFiles, file: string): Owner {
  const [user = "", group] = text.split(":");
  const wrong = (what: string, name: string): SpacktainersError =>
    new SpacktainersError("DEFINITION_INVALID", `the image has no ${what} ${name}`, {
      place: { file, line, column },
      hint: "give its number, or make it in a RUN before",
    });
  const find = (path: string, name: string): readonly string[] | undefined =>
    (texts.get(path) ?? "")
      .split("\n")
      .map((one) => one.split(":"))
      .find(([first]) => first === name);
  const isNumber = (name: string): boolean => /^\d{1,9}$/.test(name);
  const entry = user === "" || isNumber(user) ? undefined : find("etc/passwd", user);
  if (user !== "" && !isNumber(user) && entry === undefined) throw wrong("user", user);
  const uid = user === "" ? 0 : Number(entry?.[2] ?? user);
  if (group === undefined || group === "") return { uid, gid: Number(entry?.[3] ?? uid) };
  if (isNumber(group)) return { uid, gid: Number(group) };
  const found = find("etc/group", group);
  if (found === undefined) throw wrong("group", group);
  return { uid, gid: Number(found[2]) };
}
