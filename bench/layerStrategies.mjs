/**
 * Ways to decide which packages share a layer, for `layers.mjs`: ours, those of others as far as they carry over to Spack, and
 * those that were considered and rejected. Each takes the packages of one container, lowest first, and a number of layers, and
 * gives groups of packages.
 */
import { createHash } from "node:crypto";
import { planLayers } from "../build/image/planLayers.js";

/** What a strategy knows of a package: `closure` and `sharedBy` are for the rejected ones. */
/** @typedef {{ key: string, name: string, size: number, closure: number, needs: readonly string[], sharedBy: readonly string[] }} Package */

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const sum = (packages) => packages.reduce((total, { size }) => total + size, 0);

/** A number that belongs to a text. */
const hashes = new Map();
function hashOf(text) {
  let hash = hashes.get(text);
  if (hash === undefined) {
    hash = createHash("sha256").update(text).digest().readUInt32BE(0);
    hashes.set(text, hash);
  }
  return hash;
}

/** Within the budget, a layer for every package; else what `group` says. */
const within = (group) => (packages, budget) =>
  packages.length <= budget ? packages.map((one) => [one]) : group(packages, budget);

/** A third of the layers is shared, as in ours. */
const sharedLayers = (budget) => Math.max(1, Math.ceil(budget / 3));

/** Packages in groups of one label each. */
function grouped(packages, labelOf) {
  return [...groupBy(packages, labelOf).values()];
}

function groupBy(items, labelOf) {
  const groups = new Map();
  for (const item of items) {
    const label = labelOf(item);
    groups.set(label, [...(groups.get(label) ?? []), item]);
  }
  return groups;
}

/** The first packages of an order alone, the rest in buckets that `bucketOf` names. */
function firstAlone(packages, order, count, bucketOf) {
  const ranked = [...packages].sort(order);
  const alone = new Set(ranked.slice(0, count));
  const bucket = bucketOf(ranked.slice(count));
  return grouped(packages, (one) => (alone.has(one) ? one.key : `shared ${bucket(one)}`));
}

const bySize = (a, b) => b.size - a.size || compare(a.name, b.name);
const power = ({ size }) => Math.floor(Math.log2(size));
const byPower = (a, b) => power(b) - power(a) || hashOf(a.name) - hashOf(b.name);

/** How many packages of the container need each, directly or not: what nixpkgs' dockerTools call popularity, nearly. */
function dependents(packages) {
  const byKey = new Map(packages.map((one) => [one.key, one]));
  const counts = new Map();
  for (const one of packages) {
    const seen = new Set();
    const visit = (key) => {
      if (seen.has(key)) return;
      seen.add(key);
      counts.set(key, (counts.get(key) ?? 0) + 1);
      for (const need of byKey.get(key)?.needs ?? []) visit(need);
    };
    visit(one.key);
  }
  return counts;
}

/** Into which of the shared layers ours puts a package: small ones into a quarter of them. */
const dealtAsOurs = (shared) => (one) => {
  const small = Math.floor(shared / 4);
  if (small === 0) return hashOf(one.name) % shared;
  return power(one) < 18
    ? `small ${hashOf(one.name) % small}`
    : `other ${hashOf(one.name) % (shared - small)}`;
};

/** Ours: what the program does. */
function ours(packages, budget) {
  const shared = Math.min(budget, sharedLayers(budget + 2));
  const byKey = new Map(packages.map((one) => [one.key, one]));
  return planLayers(packages, { alone: budget - shared, shared }).map((keys) =>
    keys.flatMap((key) => byKey.get(key) ?? []),
  );
}

export const strategies = {
  "one layer": (packages) => [packages],
  "one a package, no limit": (packages) => packages.map((one) => [one]),
  ours,
  "ours, small packages like all others": within((packages, budget) => {
    const shared = sharedLayers(budget);
    return firstAlone(
      packages,
      byPower,
      budget - shared,
      () =>
        ({ name }) =>
          hashOf(name) % shared,
    );
  }),
  "ours, exact sizes for powers of two": within((packages, budget) => {
    const shared = sharedLayers(budget);
    return firstAlone(packages, bySize, budget - shared, () => dealtAsOurs(shared));
  }),
  "hash of the name only": within((packages, budget) =>
    grouped(packages, ({ name }) => hashOf(name) % budget),
  ),
  "largest alone, one rest (apko)": within((packages, budget) =>
    firstAlone(packages, bySize, budget - 1, () => () => ""),
  ),
  "most needed alone, one rest (nix)": within((packages, budget) => {
    const counts = dependents(packages);
    const order = (a, b) => counts.get(b.key) - counts.get(a.key) || compare(a.name, b.name);
    return firstAlone(packages, order, budget - 1, () => () => "");
  }),
  "by the set of containers": within((packages, budget) => {
    const classes = grouped(packages, ({ sharedBy }) => sharedBy.join()).sort((a, b) => sum(b) - sum(a));
    if (classes.length <= budget) return classes;
    return [...classes.slice(0, budget - 1), classes.slice(budget - 1).flat()];
  }),
  "ours, rest by the set of containers": within((packages, budget) => {
    const shared = sharedLayers(budget);
    return firstAlone(packages, byPower, budget - shared, (rest) => {
      const classes = [...groupBy(rest, ({ sharedBy }) => sharedBy.join())]
        .filter(([label]) => label.includes(","))
        .sort(([a, one], [b, other]) => sum(other) - sum(one) || compare(a, b))
        .slice(0, shared >> 1);
      const own = new Set(classes.map(([label]) => label));
      const dealt = dealtAsOurs(shared - own.size);
      return (one) => (own.has(one.sharedBy.join()) ? one.sharedBy.join() : dealt(one));
    });
  }),
  "ours, rest by how many containers": within((packages, budget) => {
    const shared = sharedLayers(budget);
    const [third, last] = [Math.ceil(shared / 3), Math.max(1, shared - 2 * Math.ceil(shared / 3))];
    return firstAlone(packages, byPower, budget - shared, () => ({ name, sharedBy }) => {
      if (sharedBy.length <= 1) return `one ${hashOf(name) % third}`;
      if (sharedBy.length < 6) return `some ${hashOf(name) % third}`;
      return `most ${hashOf(name) % last}`;
    });
  }),
  "ours, rest by how often it changes": within((packages, budget) => {
    const shared = sharedLayers(budget);
    const [quarter, last] = [Math.ceil(shared / 4), Math.max(1, shared - 2 * Math.ceil(shared / 4))];
    // Whatever a package needs makes it change, too.
    return firstAlone(packages, byPower, budget - shared, () => ({ name, closure }) => {
      if (closure <= 4) return `seldom ${hashOf(name) % quarter}`;
      if (closure <= 20) return `at times ${hashOf(name) % quarter}`;
      return `often ${hashOf(name) % last}`;
    });
  }),
  "ours, what nothing needs counts 4 times": within((packages, budget) => {
    const shared = sharedLayers(budget);
    const needed = new Set(packages.flatMap(({ needs }) => needs));
    const weight = (one) => power(one) + (needed.has(one.key) ? 0 : 2);
    const order = (a, b) => weight(b) - weight(a) || hashOf(a.name) - hashOf(b.name);
    return firstAlone(packages, order, budget - shared, () => dealtAsOurs(shared));
  }),
};

/** Ours with another part of the layers shared. */
export function oursWith(share) {
  return within((packages, budget) => {
    const shared = Math.max(1, Math.ceil(budget * share));
    return firstAlone(packages, byPower, budget - shared, () => dealtAsOurs(shared));
  });
}
