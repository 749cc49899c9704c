import { useCompileCache } from "./compileCache.ts";

// Whoever reads our output may stop reading (`| head`): that is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
  throw error;
});

// Everything else is loaded after this, so that it is kept compiled.
useCompileCache();
const { runCli } = await import("./runCli.ts");
process.exitCode = await runCli(process.argv.slice(2));
