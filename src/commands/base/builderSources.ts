/** What the builder image is made from: what it fetches itself, and what it gets from this machine. */
import { join } from "node:path";
import type { Configuration } from "../../definitions/configuration.ts";
import {
  defaultRecipes,
  defaultSpack,
  type GitSource,
  isRemoteAddress,
} from "../../definitions/spackConfiguration.ts";
import { redactUrl } from "../../util/redact.ts";

/** A source that the image cannot fetch itself: a folder of this machine, or a repository whose address has a password in it. */
export interface HandedSource {
  /** Folder of the build context that it gets. */
  readonly name: string;
  readonly source: GitSource;
  /** What it is, for people. */
  readonly what: string;
}

/** What the builder is made from. */
export interface BuilderSources {
  /** Arguments of its Dockerfile. */
  readonly arguments: ReadonlyMap<string, string>;
  readonly handed: readonly HandedSource[];
  /** A folder of wheels. */
  readonly wheels: string | undefined;
  /** The parts of the configuration that cannot be in an image. */
  readonly left: readonly { readonly key: string; readonly reason: string }[];
}

/** What `spack:` of the configuration says, as arguments of `builder/Dockerfile` and as folders that it needs. */
export function builderSources(
  { spack, platforms }: Pick<Configuration, "spack" | "platforms">,
  arch: "amd64" | "arm64",
): BuilderSources {
  const handed: HandedSource[] = [];
  const values = new Map<string, string>();
  const { source = { ...defaultSpack, place: {} } } = spack;
  if (canBeFetched(source.url)) {
    values.set("SPACK_URL", source.url);
    values.set("SPACK_BRANCH", source.commit ?? source.ref ?? defaultSpack.commit);
  } else {
    handed.push({ name: "spack", source, what: "Spack" });
    values.set("SPACK_URL", "context:spack");
  }
  values.set("BUILTIN_REPO", `${defaultRecipes.url}@${defaultRecipes.commit}:${defaultRecipes.path}`);
  const repos = spack.repos.flatMap((repo, index) => {
    const { url, ref, commit } = repo;
    const paths = repo.paths.length === 0 ? [""] : repo.paths;
    if (canBeFetched(url))
      return paths.map((path) => `${url}@${commit ?? ref ?? "HEAD"}:${path === "" ? "." : path}`);
    const folder = `repos/${index + 1}`;
    // The names of the folders above are a part of the recipes' names.
    const below = isRemoteAddress(url) ? "recipes" : url.split("/").slice(-2).join("/");
    handed.push({ name: `${folder}/${below}`, source: repo, what: "recipes" });
    return paths.map((path) => `context:${folder}@:${join(below, path)}`);
  });
  values.set("REPOS", repos.join(" "));
  values.set("TARGET", platforms[arch].target ?? "");
  values.set("PADDED_LENGTH", String(spack.paddedLength));
  if (spack.externals.length > 0)
    values.set(
      "EXTERNALS",
      spack.externals
        .map((one) => (one.kind === "find" ? one.name : `${one.spec.text}=${one.prefix}`))
        .join(";"),
    );
  if (spack.jobs !== undefined) values.set("JOBS", String(spack.jobs));
  const mirrors = spack.mirrors.filter((mirror) => !mirror.startsWith("file:"));
  if (mirrors.length > 0) values.set("MIRRORS", mirrors.join(" "));
  const hasWheels = spack.wheels !== undefined && !isRemoteAddress(spack.wheels);
  if (spack.wheels !== undefined && !hasWheels) values.set("PIP_OPTIONS", `--index-url ${spack.wheels}`);
  const left = [];
  if (mirrors.length < spack.mirrors.length)
    left.push({ key: "mirrors", reason: "an image does not contain folders of this machine: name a URL" });
  if (spack.compilers.length > 0)
    left.push({
      key: "compilers",
      reason: "they name compilers of this machine; those of the builder are its argument COMPILERS",
    });
  return { arguments: values, handed, wheels: hasWheels ? spack.wheels : undefined, left };
}

/** Whether a command in the image can fetch from an address, and may know it: it has no password, and needs no key. */
function canBeFetched(address: string): boolean {
  return /^(?:https?|git):\/\//i.test(address) && redactUrl(address) === address;
}
