import { resolve } from "node:path";
import { openCacheSet } from "../../buildcache/cacheSet.ts";
import type { CacheIndex } from "../../buildcache/types.ts";
import { compilers, runtimes } from "../../concretize/packageKinds.ts";
import { type Architecture, defaultConfiguration } from "../../definitions/configuration.ts";
import { containerNameFrom } from "../../definitions/findDefinitions.ts";
import { readKeyFile } from "../../openpgp/keyFile.ts";
import { cachedChoice } from "../../pipeline/choose/cachedChoice.ts";
import { definitionText } from "../../scaffold/definitionText.ts";
import type { ScaffoldContainer } from "../../scaffold/types.ts";
import { runtimeTypes } from "../../spec/closure.ts";
import type { ConcreteSpec } from "../../spec/concrete.ts";
import { errorsOf } from "../../util/errors.ts";
import type { EmitEvent } from "../../util/events.ts";
import type { AskedCaches } from "./cacheAnswers.ts";

/** Specs of an index that are read, and packages that are tried. */
const mostSpecs = 5000;
const mostTried = 20;

/** What is needed to look for an example. */
export interface ExampleRequest extends AskedCaches {
  readonly directory: string;
  readonly architectures: readonly Architecture[];
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/**
 * A container that can be assembled from these caches for every architecture asked for: of a package that no other needs at run
 * time, the one with the fewest packages. Undefined, with a warning, where the caches cannot be read or have none.
 */
export async function exampleFromCaches(request: ExampleRequest): Promise<ScaffoldContainer | undefined> {
  const { directory, caches: urls, trust, unsigned, emit, signal, architectures } = request;
  const keys = await Promise.all(trust.map((path) => readKeyFile(resolve(directory, path))));
  const sources = urls.map((url) => ({
    url: /^[a-z][a-z0-9+.-]*:/i.test(url) ? url : resolve(directory, url),
    keys,
    unsigned,
  }));
  const caches = openCacheSet(sources, { emit, signal, refresh: false });
  const without = (reason: string): undefined => {
    emit({
      type: "warning",
      code: "NOTICE",
      message: `no example is made: ${reason}`,
      hint: "`spacktainers add NAME SPEC` adds a container",
    });
  };
  try {
    const index = await caches.index();
    const choice = chooseExample(index, architectures);
    if (choice === undefined) return without(`the caches have nothing for ${architectures.join(" and ")}`);
    // A key that signed nothing there is better noticed now.
    for (const spec of choice.roots) await caches.findPackage(spec, (hash) => index.spec(hash));
    return { name: containerNameFrom(choice.name), specs: [choice.name], command: undefined };
  } catch (thrown) {
    signal.throwIfAborted();
    return without(errorsOf(thrown)[0]?.message ?? "the caches cannot be read");
  } finally {
    await caches.close();
  }
}

interface Example {
  readonly name: string;
  /** One for each architecture. */
  readonly roots: readonly ConcreteSpec[];
}

/** The smallest container of a package that no other one needs at run time, and that all architectures have. */
export function chooseExample(
  index: CacheIndex,
  architectures: readonly Architecture[],
): Example | undefined {
  const { platforms } = defaultConfiguration("/");
  let best: (Example & { readonly size: number }) | undefined;
  for (const name of rootNames(index).slice(0, mostTried)) {
    const text = definitionText([name]);
    const choices = architectures.map((arch) =>
      cachedChoice(text, "spack.yaml", {
        index,
        platform: platforms[arch],
        dialect: undefined,
        facts: undefined,
      }),
    );
    const roots = choices.flatMap((choice) => choice.roots.slice(0, 1));
    if (roots.length < architectures.length || roots.some(({ external }) => external !== undefined)) continue;
    const size = Math.max(...choices.map(({ packages }) => packages.length));
    if (best === undefined || size < best.size) best = { name, roots, size };
  }
  return best;
}

/** Packages that no other needs at run time, by name. */
function rootNames(index: CacheIndex): readonly string[] {
  const names = index.names();
  const needed = new Set<string>();
  let seen = 0;
  for (const name of names)
    for (const hash of index.hashesOf(name)) {
      if (seen++ >= mostSpecs) break;
      for (const edge of index.spec(hash)?.dependencies ?? [])
        if ([...edge.types].some((type) => runtimeTypes.has(type))) needed.add(edge.name);
    }
  const usable = names.filter((name) => !runtimes.has(name) && !compilers.has(name));
  const roots = usable.filter((name) => !needed.has(name));
  return roots.length > 0 ? roots : usable;
}
