/** A real Spack, ready to use: at a pinned commit, with pinned recipes and its solver, apart from any other Spack of the user's. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import {
  defaultRecipes,
  defaultSpack,
  type GitSource,
  type RecipeSource,
  type SpackConfiguration,
} from "../definitions/spackConfiguration.ts";
import type { HttpClient } from "../net/http.ts";
import type { Dialect } from "../spec/abstract.ts";
import { type Digest, digestOf, hexOfDigest } from "../util/digest.ts";
import { type Place, SpacktainersError } from "../util/errors.ts";
import type { EmitEvent } from "../util/events.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { runTool } from "../util/tool.ts";
import type { BuilderContainer } from "./container/builderContainer.ts";
import { type BuilderChoice, openBuilderContainer } from "./container/openBuilderContainer.ts";
import { builtCaches, spackHome, trustFolder } from "./folders.ts";
import { type Checkout, openCheckout } from "./gitCheckout.ts";
import { findPython, type Python } from "./python.ts";
import { openSolver, type Solver, type SolverOptions } from "./wheels.ts";

/** Recipes of packages: one namespace. */
export interface RecipeRepository {
  readonly namespace: string;
  /** Absolute; the one with `repo.yaml`. */
  readonly folder: string;
  readonly checkout: Checkout;
}

/** Where a Spack keeps its things. All absolute. */
export interface SpackFolders {
  /** What it finds out and can find out again; for this Spack and these recipes. */
  readonly misc: string;
  /** Its user's folder, which others have in their home. */
  readonly user: string;
  /** Where packages are built. */
  readonly stage: string;
  /** For temporary files of processes in a builder image. */
  readonly temporary: string;
  /** Sources that were fetched. */
  readonly sources: string;
  /** The install tree, without padding. */
  readonly store: string;
  /** The build cache that gets what is built here. */
  readonly built: string;
  /** The build cache with what building needs of other caches. */
  readonly mirror: string;
  /** Environments and scopes that were written for it. */
  readonly environments: string;
  readonly logs: string;
  /** What builds took. */
  readonly times: string;
}

/** A Spack that can be run. */
export interface Spack {
  /** Such as `1.1.0`. */
  readonly version: string;
  readonly dialect: Dialect;
  readonly checkout: Checkout;
  /** What runs it. */
  readonly python: Python;
  /** Absolute path of this machine's Python, which watches over what we start. */
  readonly watcher: string;
  /** The builder image that its processes run in; undefined: on this machine. */
  readonly container: BuilderContainer | undefined;
  readonly solver: Solver;
  /** The most preferred first. */
  readonly repositories: readonly RecipeRepository[];
  readonly folders: SpackFolders;
  readonly settings: SpackConfiguration;
}

/** What is needed to get a Spack. */
export interface SpackOptions {
  readonly http: HttpClient;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
  /** What is installed and built with other trust is kept apart: whatever says whose packages may be used. */
  readonly trust: string;
  /** Where everything is kept; default {@link spackHome}. */
  readonly directory?: string;
  /** The builder image that it is to run in. Undefined: it runs on this machine. */
  readonly builder?: BuilderChoice | undefined;
}

/** What a Spack is, for locks and provenance. */
export interface SpackRecord {
  readonly version: string;
  readonly url: string;
  readonly commit: string | undefined;
  readonly modified: boolean;
  readonly solver: readonly string[];
  readonly repositories: readonly {
    readonly namespace: string;
    readonly url: string;
    readonly commit: string | undefined;
    readonly modified: boolean;
  }[];
  /** The builder image that it runs in; undefined: on the machine itself. */
  readonly builder: { readonly image: string; readonly digest: Digest | undefined } | undefined;
}

/** Oldest Spack whose commands, locks and caches are used here. */
const oldest = [0, 23] as const;

/**
 * Gets the Spack that a configuration names, with its recipes and its solver. What was fetched before is used without asking
 * anybody; several runs may do this at once.
 *
 * @throws SpacktainersError RUNTIME_MISSING without git or Python; CONFIG_INVALID, with its place, for what is not there, and for
 *   a folder of Spack with configuration of its own;
 *   NOT_SUPPORTED for a Spack that is too old; NETWORK
 */
export async function openSpack(settings: SpackConfiguration, options: SpackOptions): Promise<Spack> {
  const home = options.directory ?? spackHome();
  const { emit, signal } = options;
  const own = await findPython();
  const checkouts = { directory: join(home, "git"), emit, signal };
  const checkout = await openCheckout(await spackSource(settings.source), "Spack", checkouts);
  const version = await versionOf(checkout, settings.source?.place ?? {});
  await refuseOwnConfiguration(checkout, settings.source?.place ?? {});
  const dialect: Dialect = version.startsWith("0.") ? "0.x" : "1.x";
  const repositories: RecipeRepository[] = [];
  for (const source of settings.repos) repositories.unshift(...(await openRecipes(source, checkouts)));
  if (!repositories.some(({ namespace }) => namespace === "builtin"))
    repositories.push(
      ...(dialect === "0.x"
        ? [await repositoryAt(checkout, "var/spack/repos/builtin", {})]
        : await openRecipes(builtinRecipes, checkouts)),
    );
  refuseTwice(repositories, settings.repos);
  const temporary = join(home, "tmp");
  const container =
    options.builder === undefined
      ? undefined
      : await openBuilderContainer(options.builder, {
          home,
          temporary,
          read: [
            checkout.folder,
            ...repositories.map(({ folder }) => folder),
            ...settings.mirrors.flatMap((url) =>
              url.startsWith("file:") ? decodeURI(new URL(url).pathname) : [],
            ),
          ],
          emit,
          signal,
        });
  const python = container?.python ?? own;
  const solver = await openSolver({
    from: settings.wheels,
    python,
    run: pythonRunner(python, own, container, home),
    directory: join(home, "solver"),
    http: options.http,
    emit,
    signal,
  });
  const key = (...parts: readonly string[]): string => hexOfDigest(digestOf(parts.join("\n"))).slice(0, 16);
  const generation = dialect === "0.x" ? "0" : "1";
  const installation = key(
    checkout.folder,
    python.version.join("."),
    ...(container === undefined ? [] : [container.id]),
  );
  const trusted = trustFolder(home, options.trust);
  return {
    version,
    dialect,
    checkout,
    python,
    watcher: own.executable,
    container,
    solver,
    repositories,
    settings,
    folders: {
      misc: join(home, "misc", key(installation, ...repositories.map(({ folder }) => folder))),
      user: join(home, "user", installation),
      stage: join(home, "stage"),
      temporary,
      sources: join(home, "sources"),
      store: join(trusted, `store${generation}-${settings.paddedLength}`),
      built: builtCaches(options.trust, home)[dialect],
      mirror: join(trusted, `mirror${generation}`),
      environments: join(home, "environments"),
      logs: join(home, "logs"),
      times: join(home, "times"),
    },
  };
}

/** Runs Spack's Python, wherever it is. */
function pythonRunner(
  python: Python,
  own: Python,
  container: BuilderContainer | undefined,
  home: string,
): SolverOptions["run"] {
  if (container === undefined) return (args, env) => runTool([own.executable, ...args], { env });
  return (args, env) => {
    const paths = args.filter((arg) => arg.startsWith("/"));
    const { argv, variables } = container.wrap({ argv: [python.executable, ...args], env, cwd: home, paths });
    return runTool(argv, { env: { ...hostEnvironment(), ...variables } });
  };
}

/** What a Spack is. */
export async function spackRecord({
  version,
  checkout,
  solver,
  repositories,
  container,
}: Spack): Promise<SpackRecord> {
  return {
    version,
    url: checkout.url,
    commit: checkout.commit,
    modified: checkout.modified,
    solver: solver.wheels,
    repositories: repositories.map(({ namespace, checkout: { url, commit, modified } }) => ({
      namespace,
      url,
      commit,
      modified,
    })),
    builder:
      container === undefined ? undefined : { image: container.image, digest: await container.digest() },
  };
}

const builtinRecipes: RecipeSource = {
  url: defaultRecipes.url,
  ref: defaultRecipes.ref,
  commit: defaultRecipes.commit,
  paths: [defaultRecipes.path],
  place: {},
};

/** The configured source of Spack; without one, or without a commit for a repository, the default's. */
export async function spackSource(source: GitSource | undefined): Promise<GitSource> {
  if (source === undefined) return { ...defaultSpack, place: {} };
  if (source.ref !== undefined || source.commit !== undefined) return source;
  const folder = source.url.startsWith("file:") ? new URL(source.url).pathname : source.url;
  const usable = await stat(join(folder, "bin", "spack")).then(
    () => true,
    () => false,
  );
  return usable ? source : { ...source, ref: defaultSpack.ref, commit: defaultSpack.commit };
}

/** A folder that is used as it is may have configuration of its own, which no scope of another place keeps out. */
async function refuseOwnConfiguration({ folder, commit }: Checkout, place: Place): Promise<void> {
  const etc = join(folder, "etc/spack");
  const names = await readdir(etc, { recursive: true }).catch(() => []);
  const [file] = names
    .filter((name) => name.endsWith(".yaml") && name !== "include.yaml" && !name.startsWith("defaults/"))
    .sort();
  if (file === undefined) return;
  throw new SpacktainersError(
    "CONFIG_INVALID",
    `the Spack in ${folder} has its own configuration, etc/spack/${file}, which would affect builds`,
    {
      place,
      hint: `${commit === undefined ? "" : `with \`commit: ${commit}\` a copy without it is used; or `}move that file away`,
    },
  );
}

async function versionOf(checkout: Checkout, place: Place): Promise<string> {
  const file = join(checkout.folder, "lib/spack/spack/__init__.py");
  const text = await readFile(file, "utf8").catch(() => "");
  const version = /^__version__ = "([^"]+)"/m.exec(text)?.[1];
  if (version === undefined)
    throw new SpacktainersError("CONFIG_INVALID", `${checkout.url} is not Spack`, {
      place,
      hint: "recipes without Spack itself go under `spack: repos:`",
    });
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    throw new SpacktainersError(
      "NOT_SUPPORTED",
      `Spack ${version} is too old: ${oldest.join(".")} is the oldest`,
      {
        place,
        hint: "take a newer `ref`, such as v1.1.0",
      },
    );
  return version;
}

async function openRecipes(
  source: RecipeSource,
  options: Parameters<typeof openCheckout>[2],
): Promise<readonly RecipeRepository[]> {
  const checkout = await openCheckout(source, "recipes", options);
  const opened = await Promise.all(source.paths.map((path) => repositoryAt(checkout, path, source.place)));
  // The last is preferred.
  return opened.reverse();
}

async function repositoryAt(checkout: Checkout, path: string, place: Place): Promise<RecipeRepository> {
  const folder = join(checkout.folder, path);
  const text = await readFile(join(folder, "repo.yaml"), "utf8").catch(() => undefined);
  if (text === undefined)
    throw new SpacktainersError(
      "CONFIG_INVALID",
      `${path === "" ? checkout.url : `${checkout.url} has no recipes in \`${path}\`, which`} has no repo.yaml`,
      { place, hint: "`path:` names the folder inside that has `repo.yaml`" },
    );
  let namespace: unknown;
  try {
    namespace = (parse(text) as { repo?: { namespace?: unknown } } | null)?.repo?.namespace;
  } catch {
    namespace = undefined;
  }
  if (typeof namespace !== "string" || !/^[a-zA-Z][\w.-]*$/.test(namespace))
    throw new SpacktainersError("CONFIG_INVALID", "repo.yaml does not say the namespace of these recipes", {
      place: { file: join(folder, "repo.yaml") },
    });
  return { namespace, folder, checkout };
}

/** Spack takes one repository a namespace. */
function refuseTwice(repositories: readonly RecipeRepository[], sources: readonly RecipeSource[]): void {
  const seen = new Set<string>();
  for (const { namespace, checkout } of repositories) {
    if (seen.has(namespace))
      throw new SpacktainersError(
        "CONFIG_INVALID",
        `two recipe repositories have the namespace \`${namespace}\``,
        {
          place: sources.find(({ url }) => url === checkout.url)?.place ?? sources[0]?.place ?? {},
          hint: "leave one of them out of `spack: repos:`",
        },
      );
    seen.add(namespace);
  }
}
