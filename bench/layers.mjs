/**
 * What strategies for layers cost: bytes to push after a change, and bytes that containers share. Pure computation; nothing is
 * built. `docs/layers.md` has the results and what follows from them.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { oursWith, strategies } from "./layerStrategies.mjs";
import { printTable, skipped } from "./measure.mjs";
import { changes, makeCatalogue, resolve as resolveCatalogue } from "./syntheticCatalogue.mjs";

const corpus = resolve(import.meta.dirname, "../../shared/corpus");
/** Of the image's layers, those that are not of packages: the base's, and the one on top. */
const otherLayers = 2;

/**
 * @param {{ runs: number, only: ReadonlySet<string> }} options how many catalogues; `corpus`, `synthetic`
 */
export function benchLayers({ runs, only }) {
  if (only.has("corpus")) corpusLayers();
  if (!only.has("synthetic")) return;
  const seeds = Array.from({ length: runs }, (_, index) => index + 1);
  const different = { containers: 12, smallest: 40, largest: 400 };
  const alike = { containers: 12, smallest: 80, largest: 160 };
  const all = Object.entries(strategies).map(([name, plan]) => ({ name, plan, budget: 60 }));
  compareStrategies("12 containers of 40 to 400 packages, 60 layers", different, seeds, all);
  compareStrategies("12 containers of 80 to 160 packages, 60 layers", alike, seeds, all);
  compareStrategies(
    "12 containers of 40 to 400 packages: number of layers, and part of it that is shared",
    different,
    seeds,
    [
      ...[30, 60, 90, 127].map((budget) => ({
        name: `ours, ${budget} layers`,
        plan: strategies.ours,
        budget,
      })),
      ...[1 / 6, 1 / 4, 1 / 2].map((share) => ({
        name: `ours, 60 layers, 1/${Math.round(1 / share)} shared`,
        plan: oursWith(share),
        budget: 60,
      })),
    ],
  );
}

/** How often every change happens to a catalogue. */
const rounds = 6;

/** How often it might happen in a year, for one figure of all. */
const year = {
  "leaf bumped": 200,
  "package bumped": 100,
  "core bumped": 5,
  "package added": 20,
  "package removed": 5,
  "container added": 3,
};

function compareStrategies(title, catalogue, seeds, candidates) {
  const events = Object.keys(changes);
  const results = candidates.map(({ name, plan, budget }) => {
    const runs = seeds.map((seed) =>
      history({ seed, ...catalogue }, (packages) => plan(packages, budget - otherLayers)),
    );
    process.stderr.write(`  … ${name}\n`);
    return { name, ...average(runs, events) };
  });
  console.log(`\n${title}`);
  console.log("MB to push after a change (and new layers), all containers of the catalogue together");
  const cell = ({ bytes, layers }) => `${megabytes(bytes)} (${layers.toFixed(1)})`;
  printTable(
    ["", "bytes shared", "layers", ...events, "GB a year"],
    [
      ...results.map((result) => [
        result.name,
        `${(100 * result.shared).toFixed(1)} %`,
        String(result.layers),
        ...events.map((event) => cell(result.events[event])),
        gigabytesAYear(result.events, "bytes"),
      ]),
      [
        "bytes of new packages",
        "",
        "",
        ...events.map((event) => megabytes(results[0]?.events[event].changed ?? 0)),
        gigabytesAYear(results[0]?.events ?? {}, "changed"),
      ],
    ],
  );
}

function gigabytesAYear(events, figure) {
  const bytes = Object.entries(year).reduce(
    (sum, [event, times]) => sum + times * (events[event]?.[figure] ?? 0),
    0,
  );
  return (bytes / 1e9).toFixed(1);
}

/** One catalogue through its changes: everything is pushed to one registry, which keeps what it has. */
function history(options, plan) {
  const catalogue = makeCatalogue(options);
  const layers = new Set();
  const packages = new Set();
  let most = 0;
  const push = () => {
    const pushed = { bytes: 0, layers: 0, changed: 0, total: 0 };
    for (const container of resolveCatalogue(catalogue)) {
      for (const one of container.packages) {
        pushed.total += one.size;
        if (!packages.has(one.key)) pushed.changed += one.size;
        packages.add(one.key);
      }
      const groups = plan(container.packages);
      most = Math.max(most, groups.length);
      for (const group of groups) {
        const key = group.map((one) => one.key).join(" ");
        if (layers.has(key)) continue;
        layers.add(key);
        pushed.layers++;
        pushed.bytes += group.reduce((sum, { size }) => sum + size, 0);
      }
    }
    return pushed;
  };
  const first = push();
  const events = new Map(Object.keys(changes).map((event) => [event, []]));
  for (let round = 0; round < rounds; round++)
    for (const [event, change] of Object.entries(changes))
      if (change(catalogue)) events.get(event)?.push(push());
  return { shared: 1 - first.bytes / first.total, layers: most, events };
}

function average(runs, events) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return {
    shared: mean(runs.map(({ shared }) => shared)),
    layers: Math.max(...runs.map(({ layers }) => layers)),
    events: Object.fromEntries(
      events.map((event) => {
        const pushes = runs.flatMap((run) => run.events.get(event) ?? []);
        return [
          event,
          {
            bytes: mean(pushes.map(({ bytes }) => bytes)),
            layers: mean(pushes.map(({ layers }) => layers)),
            changed: mean(pushes.map(({ changed }) => changed)),
          },
        ];
      }),
    ),
  };
}

/** Containers that real Spack chose from the corpus' cache: how much of their bytes they share. */
function corpusLayers() {
  if (!existsSync(corpus)) return skipped("layers of the corpus", `${corpus} is not there`);
  const containers = corpusContainers();
  console.log(
    `\n${containers.length} containers of the corpus (layout v2), ${new Set(containers.flatMap((one) => one.map(({ key }) => key))).size} packages`,
  );
  const largest = Math.max(...containers.map((packages) => packages.length));
  console.log(
    `at most ${largest} packages in one; archives of all together: ${megabytes(total(containers))} MB`,
  );
  const rows = ["one layer", "ours"].flatMap((name) =>
    (name === "ours" ? [60, 10, 6] : [60]).map((budget) => {
      const seen = new Map();
      let layers = 0;
      for (const packages of containers) {
        const groups = strategies[name](packages, budget - otherLayers);
        layers = Math.max(layers, groups.length);
        for (const group of groups)
          seen.set(
            group.map(({ key }) => key).join(" "),
            group.reduce((sum, { size }) => sum + size, 0),
          );
      }
      const unique = [...seen.values()].reduce((sum, size) => sum + size, 0);
      return [
        `${name}, ${budget} layers`,
        String(layers),
        megabytes(unique),
        `${(100 * (1 - unique / total(containers))).toFixed(1)} %`,
      ];
    }),
  );
  printTable(["", "layers", "MB in the registry", "bytes shared"], rows);
}

function total(containers) {
  return containers.flat().reduce((sum, { size }) => sum + size, 0);
}

/** The environments that Spack solved from the cache alone, as packages with the sizes of their archives. */
function corpusContainers() {
  const cache = join(corpus, "v2/build_cache");
  const { installs } = JSON.parse(readFileSync(join(cache, "index.json"), "utf8")).database;
  const sizes = new Map(
    readdirSync(cache, { recursive: true })
      .filter((name) => name.endsWith(".spack"))
      .map((name) => [/-([a-z2-7]{32})\.spack$/.exec(name)?.[1], statSync(join(cache, name)).size]),
  );
  const folder = join(corpus, "oracle/dev/environments");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")))
    .filter(({ solved, missing }) => solved && missing.length === 0)
    .map(({ roots }) => {
      const found = new Map();
      const visit = (hash) => {
        const spec = installs[hash]?.spec;
        if (spec === undefined || found.has(hash) || !sizes.has(hash)) return;
        const below = (spec.dependencies ?? []).filter(({ parameters }) =>
          parameters.deptypes.some((type) => type === "link" || type === "run"),
        );
        found.set(hash, {
          key: hash,
          name: spec.name,
          size: sizes.get(hash),
          needs: below.map((edge) => edge.hash),
          closure: 0,
          sharedBy: [],
        });
        for (const edge of below) visit(edge.hash);
      };
      for (const root of Object.values(roots)) visit(typeof root === "string" ? root : root.hash);
      return [...found.values()].reverse();
    });
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0);
}
