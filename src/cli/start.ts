import { useCompileCache } from "./compileCache.ts";

// Everything else is loaded after this, so that it is kept compiled.
useCompileCache();
const { runCli } = await import("./runCli.ts");
process.exitCode = await runCli(process.argv.slice(2));
