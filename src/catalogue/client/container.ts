/** Pages of containers and packages: buttons that copy, tables that are filtered, the drawings. */
import { startCopying } from "./copying.ts";
import { startFilters } from "./filters.ts";
import { startGraph } from "./graph.ts";
import { insideRows } from "./insideRows.ts";
import { startTreemap } from "./treemap.ts";

startCopying();
startFilters();
const rows = insideRows();
startTreemap(rows);
startGraph(rows);
