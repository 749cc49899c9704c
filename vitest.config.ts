import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/closingLineReporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/integration/**"],
          setupFiles: ["./test/support/propertySeed.ts", "./test/support/limitedWaiting.ts"],
          // Nothing is timed by tests: a limit only ends what hangs, on a machine that does other work as well.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "integration",
          globalSetup: ["./test/support/readableBuild.ts", "./test/support/stopHanging.ts"],
          include: ["test/integration/**/*.test.ts"],
          setupFiles: ["./test/support/propertySeed.ts", "./test/support/limitedWaiting.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Registries, engines and a batch system of this machine's own, an hour long: one hiccup does not end a run. What only passed when
          // it was repeated is named at the end.
          retry: Number(process.env.SPACKTAINERS_TEST_RETRIES ?? 0),
        },
      },
    ],
  },
});
