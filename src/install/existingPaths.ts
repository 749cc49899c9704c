/** Whether something will be at a path once a package and its dependencies are installed. */
import type { ArchiveMember } from "./scanArchive.ts";

/** Links followed in one path; as many as Linux follows. */
const maxLinks = 40;

/** What is known without looking at anything but the request and the archive. */
export interface ExistingPathsInput {
  /** New prefix of the package itself. */
  readonly ownPrefix: string;
  readonly members: ReadonlyMap<string, ArchiveMember>;
  /** New prefixes of the other packages it refers to. */
  readonly otherPrefixes: readonly string[];
  /** New install root. */
  readonly root: string;
}

/**
 * A predicate on absolute paths.
 *
 * Below the package's own prefix the archive decides, links followed. Below the prefix of another package the answer is
 * yes: Spack has dropped search paths that did not exist when the package was built, with its dependencies in place.
 * Elsewhere below the install root the answer is no: nothing else is installed there. Everywhere else it is yes, because
 * what the base and the host bring is not known here.
 */
export function existingPaths(input: ExistingPathsInput): (path: string) => boolean {
  const own = components(input.ownPrefix);
  const others = input.otherPrefixes.map(components);
  const root = components(input.root);
  return (path) => {
    let links = 0;
    let todo = components(path).reverse();
    let done: string[] = [];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      if (next === "..") done.pop();
      else done.push(next);
      if (done.length <= own.length || !startsWith(done, own)) continue;
      const member = input.members.get(done.slice(own.length).join("/"));
      if (member === undefined) return false;
      // As lstat: a link at the end of the path exists whatever it points to.
      if (todo.length === 0) return true;
      if (member.type === "symlink") {
        if (++links > maxLinks) return false;
        const target = member.target ?? "";
        done = target.startsWith("/") ? [] : done.slice(0, -1);
        todo = todo.concat(components(target).reverse());
      } else if (member.type !== "directory") {
        return false;
      }
    }
    if (startsWith(own, done) || others.some((other) => startsWith(done, other))) return true;
    return !startsWith(done, root) || others.some((other) => startsWith(other, done));
  };
}

function components(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function startsWith(path: readonly string[], start: readonly string[]): boolean {
  return start.length <= path.length && start.every((part, index) => path[index] === part);
}
