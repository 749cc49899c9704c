// Prints the arrows between the folders of a module, or between all modules: how many imports go from where to where, and
// which of them point backward or run in a circle.
//
//   npm run arrows                 the inner folders of pipeline and commands
//   npm run arrows -- --modules    the modules
import { innerOrders, modules, roomOf } from "./house.mjs";
import { readImportGraph } from "./importGraph.mjs";

const byModule = process.argv.includes("--modules");
const order = byModule
  ? modules
  : Object.entries(innerOrders).flatMap(([module, folders]) =>
      folders.map((folder) => `${module}/${folder}`),
    );

const folderOf = (path) => {
  const { module, inner } = roomOf(path);
  return byModule ? module : inner && `${module}/${inner}`;
};

const arrows = new Map();
for (const [file, { imports }] of readImportGraph())
  for (const target of imports) {
    const [from, to] = [folderOf(file), folderOf(target)];
    if (from === undefined || to === undefined || from === to) continue;
    const key = `${from} -> ${to}`;
    const arrow = arrows.get(key) ?? { from, to, imports: 0 };
    arrow.imports++;
    arrows.set(key, arrow);
  }

const sorted = [...arrows.values()].sort(
  (a, b) => order.indexOf(a.from) - order.indexOf(b.from) || order.indexOf(a.to) - order.indexOf(b.to),
);
const isBackward = ({ from, to }) => order.indexOf(to) > order.indexOf(from);
for (const arrow of sorted)
  console.log(`${isBackward(arrow) ? "BACKWARD " : ""}${arrow.from} -> ${arrow.to}  ${arrow.imports}`);

/** Whether there is a way along arrows. */
function leads(from, to, seen = new Set()) {
  return sorted.some((arrow) => {
    if (arrow.from !== from || seen.has(arrow.to)) return false;
    seen.add(arrow.to);
    return arrow.to === to || leads(arrow.to, to, seen);
  });
}
const backward = sorted.filter(isBackward).length;
const circular = sorted.filter(({ from, to }) => leads(to, from)).length;
console.log(
  `arrows: ${sorted.length} between ${order.length} folders, ${backward} backward, ${circular} in a circle`,
);
if (backward + circular > 0) process.exitCode = 1;
