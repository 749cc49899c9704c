import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { SpacktainersError } from "../util/errors.ts";
import { expectWritable } from "../util/expectWritable.ts";

/**
 * Where an option wants a page written; refuses early what could only be found out when the work is done.
 *
 * @param option its name, such as `--html`
 * @returns the absolute path
 * @throws {SpacktainersError} `USAGE` when the name is not that of an HTML file, or something that is no file is in its place;
 *   `ACCESS_DENIED` where it cannot be written
 */
export async function expectPageFile(directory: string, file: string, option: string): Promise<string> {
  if (!/\.html?$/.test(file))
    throw new SpacktainersError("USAGE", `${option} ${file} does not name an HTML file`, {
      hint: `write ${option} FILE.html`,
    });
  const path = resolve(directory, file);
  await expectWritable(path);
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile())
    throw new SpacktainersError("USAGE", "the page would replace something that is no file", {
      place: { file: path },
      hint: "choose another name for it",
    });
  return path;
}
