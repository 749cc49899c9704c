import type { ExplainRequest } from "../commands/explain/explainedContainer.ts";
import { asConfigured, complete } from "./requests.ts";
import type { Spacktainers } from "./spacktainers.ts";
import type { DoWork } from "./work.ts";

type Explain = Spacktainers["explain"];

/** `explain`, of one session. */
export function explainMethods(work: DoWork): Pick<Spacktainers, "explain"> {
  const usual = { ...asConfigured, arch: undefined };
  const explain = ({ name, packages = [], limit = 20, ...given }: Parameters<Explain>[0]) =>
    work(given, async (session) => {
      const { explainPackages } = await import("../commands/explain/explainPackages.ts");
      return explainPackages(complete<ExplainRequest>(session, usual, given), name, packages, limit);
    });
  const affects = ({ names = [], packages, ...given }: Parameters<Explain["affects"]>[0]) =>
    work(given, async (session) => {
      const { affectedContainers } = await import("../commands/explain/affectedContainers.ts");
      return affectedContainers(complete<ExplainRequest>(session, usual, given), names, packages);
    });
  return { explain: Object.assign(explain, { affects }) };
}
