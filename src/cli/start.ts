import { writeSync } from "node:fs";
import { useCompileCache } from "./compileCache.ts";
import { runLimited } from "./runLimited.ts";

// A process ends when it waits for nothing that can come: then work is not done, whatever it waited for.
process.exitCode = 1;
const complain = (): void => {
  writeSync(2, "error  INTERNAL  the program ended before its work was done\n");
};
process.once("exit", complain);

// Everything else is loaded after this, so that it is kept compiled.
useCompileCache();
const argv = process.argv.slice(2);
process.exitCode = (await runLimited(argv)) ?? (await (await import("./runCli.ts")).runCli(argv));
process.off("exit", complain);
