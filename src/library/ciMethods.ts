import type { PipelineCheck, PipelineFile, PipelineHost } from "../commands/ci/writePipelines.ts";
import type { DoWork } from "./work.ts";

/** `ci`: the pipelines of a repository. Their jobs run the program: `ci plan`, `ci packages` and the like are no methods. */
export interface CiMethods {
  /** Writes the files of GitHub's or GitLab's pipelines. */
  write(request: {
    readonly host: PipelineHost;
    /** Replace files that spacktainers did not write. */
    readonly force?: boolean | undefined;
  }): Promise<readonly PipelineFile[]>;
  /** Whether the files are what would be written. */
  check(): Promise<PipelineCheck>;
}

/** The methods of one session. */
export function ciMethods(work: DoWork): CiMethods {
  return {
    write: ({ host, force = false }) =>
      work({}, async ({ directory }) => {
        const { writePipelines } = await import("../commands/ci/writePipelines.ts");
        return writePipelines(directory, host, { force });
      }),
    check: () =>
      work({}, async ({ directory }) => {
        const { checkPipelines } = await import("../commands/ci/writePipelines.ts");
        return checkPipelines(directory);
      }),
  };
}
