/**
 * Names of registries, repositories and images, as types that exist only when parsed. The grammar is that of the
 * distribution project (`reference` package) and of the OCI distribution specification, with Docker's short forms.
 */
import { type Digest, parseDigest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import { escapeControlsInLine } from "../util/escapeControls.ts";

declare const hostBrand: unique symbol;
declare const pathBrand: unique symbol;
declare const tagBrand: unique symbol;

/** A registry as names call it: `docker.io`, `ghcr.io`, `localhost:5000`, `[::1]:5000`; lower case. */
export type RegistryHost = string & { readonly [hostBrand]: true };

/** A repository's name inside its registry: `library/debian`. */
export type RepositoryPath = string & { readonly [pathBrand]: true };

/** A tag: `12`, `latest`. */
export type Tag = string & { readonly [tagBrand]: true };

/** A repository in a registry. */
export interface RepositoryName {
  readonly host: RegistryHost;
  readonly path: RepositoryPath;
}

/** An image in a repository, by tag, by digest or by both (then the digest counts). At least one is there. */
export interface ImageName extends RepositoryName {
  readonly tag: Tag | undefined;
  readonly digest: Digest | undefined;
}

/** Docker Hub, whose name may be left out. */
export const dockerHub = "docker.io" as RegistryHost;

const dockerHubAliases: ReadonlySet<string> = new Set([
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
  "registry.hub.docker.com",
]);

const maxText = 1024;
const maxPath = 255;

/**
 * Reads the name of an image: `[HOST[:PORT]/]PATH[:TAG][@sha256:DIGEST]`. Without a host it is of Docker Hub, there
 * without a path of `library`; without tag and digest it is `latest`. Paths of `ghcr.io` are turned into lower case.
 *
 * @param place where the text stands, for the error
 * @throws REFERENCE_INVALID
 */
export function parseReference(text: string, place: Place = {}): ImageName {
  const fail = failure(text, "the name of an image", place);
  refuseForeignText(text, fail);
  const at = text.indexOf("@");
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : digestIn(text.slice(at + 1), fail);
  const colon = named.lastIndexOf(":");
  const tagged = colon > named.lastIndexOf("/");
  const tag = tagged ? tagIn(named.slice(colon + 1), fail) : undefined;
  const repository = repositoryIn(tagged ? named.slice(0, colon) : named, fail);
  return { ...repository, tag: tag ?? (digest === undefined ? ("latest" as Tag) : undefined), digest };
}

/**
 * Reads the name of a repository: a reference without tag and digest.
 *
 * @throws REFERENCE_INVALID
 */
export function parseRepository(text: string, place: Place = {}): RepositoryName {
  const fail = failure(text, "the name of a repository", place);
  refuseForeignText(text, fail);
  if (text.includes("@")) throw fail("it has no digest");
  return repositoryIn(text, fail);
}

/** Reads the path of a repository inside a known registry. @throws REFERENCE_INVALID */
export function parseRepositoryPath(text: string, host: RegistryHost, place: Place = {}): RepositoryPath {
  const fail = failure(text, "the path of a repository", place);
  refuseForeignText(text, fail);
  return pathIn(text, host, fail);
}

/** Reads a registry's host and port. @throws REFERENCE_INVALID */
export function parseRegistryHost(text: string, place: Place = {}): RegistryHost {
  const fail = failure(text, "the name of a registry", place);
  refuseForeignText(text, fail);
  return hostIn(text, fail);
}

/** Reads a tag. @throws REFERENCE_INVALID */
export function parseTag(text: string, place: Place = {}): Tag {
  return tagIn(text, failure(text, "a tag", place));
}

/** Whether a text is a tag. */
export function isTag(text: string): text is Tag {
  return /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(text);
}

/** `HOST/PATH`, from which {@link parseRepository} reads the same repository. */
export function formatRepository({ host, path }: RepositoryName): string {
  return `${host}/${path}`;
}

/** `HOST/PATH[:TAG][@DIGEST]`, from which {@link parseReference} reads the same name. */
export function formatReference(name: ImageName): string {
  const tag = name.tag === undefined ? "" : `:${name.tag}`;
  const digest = name.digest === undefined ? "" : `@${name.digest}`;
  return `${formatRepository(name)}${tag}${digest}`;
}

/** What a registry is asked for: the digest, else the tag. */
export function manifestReference(name: ImageName): Digest | Tag {
  return name.digest ?? name.tag ?? ("latest" as Tag);
}

type Fail = (what: string, hint?: string) => SpacktainersError;

function repositoryIn(text: string, fail: Fail): RepositoryName {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(0, slash));
  const hasHost = /[.:[]/.test(first) || first.toLowerCase() === "localhost";
  const host = hasHost ? hostIn(first, fail) : dockerHub;
  const rest = hasHost ? text.slice(slash + 1) : text;
  return { host, path: pathIn(rest, host, fail) };
}

function hostIn(text: string, fail: Fail): RegistryHost {
  const parts = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9.-]{1,253})(?::(\d{1,5}))?$/.exec(text);
  const [, name, port] = parts ?? [];
  if (name === undefined) throw fail("the host is malformed");
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) throw fail("there is no such port");
  const labels = name.startsWith("[") ? [] : name.split(".");
  if (!labels.every((label) => /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(label)))
    throw fail("the host is malformed");
  if (!URL.canParse(`https://${text}/`)) throw fail("the host is malformed");
  const host = text.toLowerCase();
  return (dockerHubAliases.has(host) ? dockerHub : host) as RegistryHost;
}

function pathIn(text: string, host: RegistryHost, fail: Fail): RepositoryPath {
  // GitHub's own names have capitals, its registry's must not.
  const path = host === "ghcr.io" ? text.toLowerCase() : text;
  if (path === "") throw fail("the path of the repository is missing");
  if (path.length > maxPath) throw fail(`the path of the repository is longer than ${maxPath} characters`);
  for (const component of path.split("/")) {
    if (/^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/.test(component)) continue;
    if (component !== component.toLowerCase()) throw fail("the path of a repository has no capital letters");
    throw fail("the path of the repository is malformed", "parts of a-z and 0-9, joined by `.`, `_` or `-`");
  }
  return (host === dockerHub && !path.includes("/") ? `library/${path}` : path) as RepositoryPath;
}

function tagIn(text: string, fail: Fail): Tag {
  if (!isTag(text))
    throw fail("the tag is malformed", "up to 128 letters, digits, `_`, `.` and `-`, not `.` or `-` first");
  return text;
}

function digestIn(text: string, fail: Fail): Digest {
  const digest = parseDigest(text);
  if (digest === undefined) throw fail("after @ must come sha256: and 64 hexadecimal digits in lower case");
  return digest;
}

function refuseForeignText(text: string, fail: Fail): void {
  if (text.length > maxText) throw fail(`it is longer than ${maxText} characters`);
  if (text.includes("://")) throw fail("it is a URL", "leave out the part that ends in ://");
}

function failure(text: string, kind: string, place: Place): Fail {
  return (what, hint) =>
    new SpacktainersError("REFERENCE_INVALID", `\`${shown(text)}\` is not ${kind}: ${what}`, {
      place,
      hint,
    });
}

/** Foreign text for a message: short, without control characters, without a password that does not belong there. */
function shown(text: string): string {
  const at = text.lastIndexOf("@");
  const secret = at >= 0 && !text.startsWith("sha256:", at + 1);
  const visible = secret ? `…${text.slice(at)}` : text;
  return escapeControlsInLine(visible.length > 120 ? `${visible.slice(0, 120)}…` : visible);
}
