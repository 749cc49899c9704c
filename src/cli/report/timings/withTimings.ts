import { stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { writeFileAtomically } from "../../../util/atomicFile.ts";
import { SpacktainersError } from "../../../util/errors.ts";
import { expectWritable } from "../../../util/expectWritable.ts";
import { shownPath } from "../../../util/shownPath.ts";
import { toolVersion } from "../../../util/toolVersion.ts";
import type { VerbContext } from "../../context.ts";
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
  if (!/\.html?$/.test(file))
    throw new SpacktainersError("USAGE", `--timings ${file} does not name an HTML file`, {
      hint: "write --timings FILE.html",
    });
  const path = resolve(context.directory, file);
  await expectFile(path);
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

/** Refuses early what could only be found out when the work is done. */
async function expectFile(path: string): Promise<void> {
  await expectWritable(path);
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile())
    throw new SpacktainersError("USAGE", "the page of timings would replace something that is no file", {
      place: { file: path },
      hint: "choose another name for it",
    });
}
