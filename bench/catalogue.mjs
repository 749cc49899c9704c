/** A catalogue of many containers: the time and memory to write it, its size, and what a browser needs to show and search it. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { siteFiles } from "../build/catalogue/siteFiles.js";
import { syntheticFacts } from "./catalogueFacts.mjs";
import { skipped, timed } from "./measure.mjs";

const root = resolve(import.meta.dirname, "..");
const searches = [
  "hdf5@1.1: +mpi",
  "hdf5",
  "mpi",
  "+mpi",
  "petsc ^mpich",
  "%gcc@12",
  "^zlib",
  "^mpi",
  "^zlib %gcc@12",
  "target=x86_64_v3:",
  "hdf5 petsc",
];

const decimal = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Writes the made-up catalogue; a process of its own does, so that its memory can be told. */
function writeCatalogue(folder, containers, packages) {
  const built = join(root, "dist/catalogue");
  const assets = new Map(readdirSync(built).map((name) => [name, readFileSync(join(built, name), "utf8")]));
  const facts = syntheticFacts({ containers, packages });
  const before = process.cpuUsage();
  for (const { path, text } of siteFiles(facts, assets)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const { user, system } = process.cpuUsage(before);
  const members = facts.containers.reduce((sum, { images }) => sum + images[0].packages.length, 0);
  console.log(
    JSON.stringify({ cpu: (user + system) / 1e6, distinct: facts.graph.size, mean: members / containers }),
  );
}

/** @param {{ work: string, runs: number }} options */
export async function benchCatalogue({ work, runs }) {
  const site = join(work, "site");
  const { memory, stdout } = await timed([
    process.execPath,
    fileURLToPath(import.meta.url),
    site,
    "300",
    "500",
  ]);
  const { cpu, distinct, mean } = JSON.parse(stdout);
  const files = readdirSync(site, { recursive: true, withFileTypes: true }).filter((one) => one.isFile());
  const sizes = files.map((one) => [
    join(one.parentPath, one.name),
    statSync(join(one.parentPath, one.name)).size,
  ]);
  const whole = sizes.reduce((sum, [, size]) => sum + size, 0);
  const pages = sizes.flatMap(([path, size]) => (path.includes("/containers/") ? size : []));
  console.log(`catalogue: 300 containers of ${Math.round(mean)} packages, ${distinct} different ones`);
  console.log(
    `  written     ${files.length} files, ${decimal(whole)}; ${cpu.toFixed(1)} s of CPU, ${memory ?? "?"} MB`,
  );
  console.log(`  a container ${decimal(median(pages))} (median), ${decimal(Math.max(...pages))} (largest)`);
  const size = (name) => decimal(statSync(join(site, name)).size);
  console.log(
    `  search      ${size("assets/search.js")} of code, ${size("data/search.js")} of data; catalogue.json ${size("catalogue.json")}`,
  );
  await inBrowser(site, runs);
}

async function inBrowser(site, runs) {
  const executablePath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) =>
    statSync(path, { throwIfNoEntry: false }),
  );
  if (executablePath === undefined) return skipped("catalogue in a browser", "chromium is not installed");
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
  try {
    const shown = [];
    const took = new Map(searches.map((words) => [words, []]));
    const opened = [];
    let weight = 0;
    for (let run = 0; run < runs; run++) {
      const page = await (await browser.newContext()).newPage();
      const asked = new Set();
      page.on("request", (request) => asked.add(fileURLToPath(request.url().replace(/[?#].*/, ""))));
      await page.goto(pathToFileURL(join(site, "index.html")).href);
      await page.waitForTimeout(300);
      weight = [...asked].reduce((sum, path) => sum + statSync(path).size, 0);
      shown.push(
        await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"),
      );
      const begin = performance.now();
      for (const words of [...searches, ...searches]) {
        await page.evaluate("delete document.getElementById('search').dataset.took");
        await page.fill("#words", words);
        await page.locator("#search[data-took]").waitFor();
        if (opened.length === run) opened.push(performance.now() - begin);
        took.get(words).push(Number(await page.evaluate("document.getElementById('search').dataset.took")));
      }
      await page.context().close();
    }
    console.log(`  front page  ${decimal(weight)} in all; first paint ${Math.round(median(shown))} ms`);
    console.log(`  first search, with loading: ${Math.round(median(opened))} ms`);
    for (const [words, times] of took) {
      const again = times.filter((_, at) => at % 2 === 1);
      const first = times.filter((_, at) => at % 2 === 0);
      console.log(
        `  ${words.padEnd(20)} ${median(first).toFixed(1)} ms the first time, ${median(again).toFixed(1)} ms again`,
      );
    }
  } finally {
    await browser.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeCatalogue(process.argv[2], Number(process.argv[3]), Number(process.argv[4]));
