import type { Reporter, SerializedError, TestModule } from "vitest/node";

/**
 * Closes a run with `N passed, N failed, N skipped` on a line of its own, for continuous integration. What failed is named right
 * before it, where a log that is cut off at its head still has it, and so is what passed only when it was repeated.
 */
export default class ClosingLineReporter implements Reporter {
  /** Where nobody watches, a log that ends early says what was under way. Files of unit tests take no time. */
  onTestModuleQueued(module: TestModule): void {
    if (process.stdout.isTTY || module.project.name !== "integration") return;
    process.stdout.write(`after ${Math.round(process.uptime())} s: ${module.relativeModuleId}\n`);
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[] = []): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    const failures: string[] = [];
    const repeated: string[] = [];
    for (const module of modules) {
      // A file that does not even load, or whose preparations fail, is a failure, though its tests are none.
      for (const error of module.errors()) failures.push(`${module.relativeModuleId}: ${firstLine(error)}`);
      for (const suite of module.children.allSuites())
        for (const error of suite.errors())
          failures.push(`${module.relativeModuleId} > ${suite.fullName}: ${firstLine(error)}`);
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (test.diagnostic()?.flaky === true)
          repeated.push(`${module.relativeModuleId} > ${test.fullName}: ${firstLine(errors?.[0])}`);
        if (state === "failed")
          failures.push(`${module.relativeModuleId} > ${test.fullName}: ${firstLine(errors[0])}`);
        // The process of its file was ended.
        if (state === "pending" && module.state() === "pending")
          failures.push(`${module.relativeModuleId} > ${test.fullName}: it did not end`);
        else if (state === "passed") count.passed++;
        else if (state !== "failed") count.skipped++;
      }
    }
    // Thrown outside of any test: they fail the run, too.
    for (const error of unhandled) failures.push(`outside of the tests: ${firstLine(error)}`);
    count.failed = failures.length;
    for (const one of repeated) process.stdout.write(`passed only when repeated: ${one}\n`);
    for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
    process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
  }
}

function firstLine(error: { readonly message: string } | undefined): string {
  return error?.message.split("\n", 1)[0] ?? "";
}
