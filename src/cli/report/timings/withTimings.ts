import { availableParallelism } from "node:os";
import { writeFileAtomically } from "../../../util/atomicFile.ts";
import { shownPath } from "../../../util/shownPath.ts";
import { toolVersion } from "../../../util/toolVersion.ts";
import type { VerbContext } from "../../context.ts";
import { expectPageFile } from "../../pageFile.ts";
import { recordTimings } from "./recordTimings.ts";
import { timingsPage } from "./timingsPage.ts";

/**
 * Does a verb's work, and writes a page of its times when it is over, also when it failed.
 *
 * @param file where the page goes, from the working directory
 * @param command the command line for the page's title, without what may be secret
 * @throws {SpacktainersError} `USAGE` when the name is not that of an HTML file, `ACCESS_DENIED` before the work where the file cannot
 *   be written; what `work` throws
 */
export async function withTimings<Result>(
  context: VerbContext,
  file: string,
  command: string,
  work: (context: VerbContext) => Promise<Result>,
): Promise<Result> {
  const path = await expectPageFile(context.directory, file, "--timings");
  const { emit, timings } = recordTimings(context.reporter.emit);
  const write = async (): Promise<void> => {
    const page = timingsPage(timings(), { command, version: toolVersion(), cores: availableParallelism() });
    await writeFileAtomically(path, page);
    if (!context.json) context.reporter.line(`timings: ${shownPath(path, context.directory)}`);
  };
  let result: Result;
  try {
    result = await work({ ...context, reporter: { ...context.reporter, emit } });
  } catch (error) {
    // Why the work failed is the news.
    await write().catch(() => {});
    throw error;
  }
  await write();
  return result;
}
