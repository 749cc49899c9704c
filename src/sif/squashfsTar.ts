import { spawn } from "node:child_process";
import { SpacktainersError } from "../util/errors.ts";
import { hostEnvironment } from "../util/surroundings.ts";
import { lastLine } from "../util/tool.ts";

/**
 * The content of a squashfs file as a tar stream.
 * @param program `sqfs2tar`
 * @throws {SpacktainersError} `ARCHIVE_INVALID`
 */
export async function* squashfsTar(program: string, path: string): AsyncGenerator<Buffer, void, void> {
  const child = spawn(program, ["--no-xattr", path], {
    stdio: ["ignore", "pipe", "pipe"],
    env: hostEnvironment(),
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-8192);
  });
  const ended = new Promise<number>((resolve) => {
    child.once("error", (error) => {
      said += error.message;
      resolve(-1);
    });
    child.once("close", (code) => resolve(code ?? -1));
  });
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    if ((await ended) !== 0)
      throw new SpacktainersError("ARCHIVE_INVALID", `the squashfs cannot be read: ${lastLine(said)}`, {
        place: { file: path },
      });
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}
