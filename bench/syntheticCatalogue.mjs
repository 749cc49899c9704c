/**
 * A made-up catalogue of containers that changes over time, for `layers.mjs`. Nothing of it exists but names, dependencies and
 * sizes. The same seed gives the same catalogue.
 */
import { createHash } from "node:crypto";

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A normally distributed number (Box and Muller). */
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * @typedef {object} Recipe
 * @property {string} name
 * @property {readonly number[]} needs indexes of lower recipes: link and run dependencies
 * @property {number} size bytes of its archive, changes a little with every version
 * @property {number} version
 */

/**
 * A catalogue. Recipes are in dependency order: some forty libraries that much depends on, then an interpreter with packages
 * that all need it, an MPI with packages that need that, and applications. Sizes are log-normal, median 0.3 MB, sigma 2
 * (library and science packages of Debian 12: 1.84; the archives of our corpus: 2.96).
 *
 * @param {{ seed: number, containers: number, smallest: number, largest: number }} options packages a container
 */
export function makeCatalogue({ seed, containers, smallest, largest }) {
  const random = randomNumbers(seed);
  const recipes = [];
  const add = (kind, needs) => {
    const size = Math.max(2000, Math.round(300_000 * Math.exp(2 * normal(random))));
    recipes.push({ name: `${kind}-${recipes.length}`, needs: [...new Set(needs)], size, version: 1 });
    return recipes.length - 1;
  };
  /** Some of the recipes from `from` to `to`; low ones, which much depends on already, are likelier. */
  const some = (count, from, to) =>
    Array.from({ length: count }, () => from + Math.floor((to - from) * random() ** 2));
  const upTo = (count) => Math.floor(random() * (count + 1));
  for (let index = 0; index < 40; index++) add("core", some(Math.min(index, upTo(3)), 0, index));
  const python = add("python", some(8, 0, 40));
  const pythonPackages = recipes.length;
  for (let index = 0; index < 180; index++)
    add("py", [
      python,
      ...some(upTo(1), 0, 40),
      ...some(Math.min(index, upTo(3)), pythonPackages, recipes.length),
    ]);
  const mpi = add("mpi", some(6, 0, 40));
  const mpiPackages = recipes.length;
  for (let index = 0; index < 120; index++)
    add("hpc", [
      ...(random() < 0.7 ? [mpi] : []),
      ...some(1 + upTo(2), 0, 40),
      ...some(Math.min(index, upTo(3)), mpiPackages, recipes.length),
    ]);
  const tools = recipes.length;
  for (let index = 0; index < 120; index++)
    add("tool", [...some(1 + upTo(3), 0, 40), ...some(Math.min(index, upTo(2)), tools, recipes.length)]);
  const catalogue = { random, recipes, containers: [], pythonPackages, mpiPackages, tools };
  for (let index = 0; index < containers; index++) {
    // From the smallest to the largest, evenly on a logarithmic scale.
    const share = containers === 1 ? 1 : index / (containers - 1);
    addContainer(catalogue, Math.round(smallest * (largest / smallest) ** share));
  }
  return catalogue;
}

/** Adds a container with about as many packages as asked for. Half of its roots are what others ask for, too. */
export function addContainer(catalogue, packages) {
  const { random, recipes, containers } = catalogue;
  const popular = containers.flatMap(({ roots }) => [...roots]);
  const roots = new Set();
  const inside = new Set();
  for (let tries = 0; inside.size < packages && tries < 2000; tries++) {
    const known = popular.length > 0 && random() < 0.5;
    const root = known
      ? popular[Math.floor(random() * popular.length)]
      : Math.floor(40 + random() * (recipes.length - 40));
    const added = closure(recipes, [root]).filter((index) => !inside.has(index));
    if (inside.size + added.length > packages * 1.1) continue;
    roots.add(root);
    for (const index of added) inside.add(index);
  }
  containers.push({ name: `container-${containers.length}`, roots });
}

/** Indexes of recipes and of all they need, lowest first. */
function closure(recipes, roots) {
  const seen = new Set();
  const visit = (index) => {
    if (seen.has(index)) return;
    seen.add(index);
    for (const need of recipes[index].needs) visit(need);
  };
  for (const root of roots) visit(root);
  return [...seen].sort((a, b) => a - b);
}

/**
 * The packages of every container as they are now, lowest first. A package's hash depends on its version and on the hashes
 * of all that it needs, as Spack's do.
 */
export function resolve({ recipes, containers }) {
  const hashes = [];
  const below = [];
  for (const { name, version, needs } of recipes) {
    const text = JSON.stringify([name, version, needs.map((index) => hashes[index])]);
    hashes.push(createHash("sha256").update(text).digest("hex").slice(0, 32));
    below.push(new Set([below.length, ...needs.flatMap((index) => [...below[index]])]));
  }
  const containing = recipes.map(() => []);
  const inside = containers.map(({ name, roots }) => {
    const indexes = closure(recipes, roots);
    for (const index of indexes) containing[index].push(name);
    return { name, indexes };
  });
  const packages = recipes.map(({ name, size, needs }, index) => ({
    key: hashes[index],
    name,
    size,
    closure: below[index].size,
    needs: needs.map((need) => hashes[need]),
    sharedBy: containing[index],
  }));
  return inside.map(({ name, indexes }) => ({ name, packages: indexes.map((index) => packages[index]) }));
}

/** What happens to a catalogue, and how. Each returns false where it cannot happen. */
export const changes = {
  /** A new version of what nothing else needs. */
  "leaf bumped": (catalogue) => {
    const { recipes, containers, random } = catalogue;
    const used = new Set(containers.flatMap(({ roots }) => closure(recipes, roots)));
    const needed = new Set([...used].flatMap((index) => recipes[index].needs));
    return bump(
      catalogue,
      [...used].filter((index) => !needed.has(index)),
      random,
    );
  },
  /** A new version of any package; all that need it are built anew. */
  "package bumped": (catalogue) => {
    const { recipes, containers, random } = catalogue;
    const used = new Set(containers.flatMap(({ roots }) => closure(recipes, roots)));
    return bump(
      catalogue,
      [...used].filter((index) => index >= 40),
      random,
    );
  },
  /** A new version of one of the libraries at the bottom. */
  "core bumped": (catalogue) => {
    const { recipes, containers, random } = catalogue;
    const used = new Set(containers.flatMap(({ roots }) => closure(recipes, roots)));
    return bump(
      catalogue,
      [...used].filter((index) => index < 40),
      random,
    );
  },
  /** One container asks for one more package. */
  "package added": (catalogue) => {
    const { recipes, containers, random } = catalogue;
    const { roots } = pick(containers, random);
    const inside = new Set(closure(recipes, roots));
    const near = recipes
      .map((_, index) => index)
      .filter(
        (index) =>
          index >= 40 && !inside.has(index) && recipes[index].needs.every((need) => inside.has(need)),
      );
    if (near.length === 0) return false;
    roots.add(pick(near, random));
    return true;
  },
  /** One container asks for one package less. */
  "package removed": (catalogue) => {
    const { containers, random } = catalogue;
    const { roots } = pick(containers, random);
    if (roots.size < 2) return false;
    roots.delete(pick([...roots], random));
    return true;
  },
  "container added": (catalogue) => {
    addContainer(catalogue, Math.round(60 + catalogue.random() * 140));
    return true;
  },
};

function bump({ recipes }, indexes, random) {
  if (indexes.length === 0) return false;
  const recipe = recipes[pick(indexes, random)];
  recipe.version++;
  recipe.size = Math.max(2000, Math.round(recipe.size * Math.exp(0.05 * normal(random))));
  return true;
}

function pick(items, random) {
  return items[Math.floor(random() * items.length)];
}
