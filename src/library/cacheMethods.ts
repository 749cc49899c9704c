import type { CopyReport, CopyRequest } from "../commands/cache/copyPackages.ts";
import type { ListedKey } from "../commands/cache/listKeys.ts";
import type { ListedPackage, ListPackagesRequest, ListTotals } from "../commands/cache/listPackages.ts";
import type { CacheRequest } from "../commands/cache/openNamedCaches.ts";
import type { PruneAnnouncement, PruneOutcome, PruneRequest } from "../commands/cache/pruneCaches.ts";
import type { PublishedKey, PublishKeysRequest } from "../commands/cache/publishKeys.ts";
import type { PushInstalledReport, PushInstalledRequest } from "../commands/cache/pushInstalled.ts";
import type { RebuiltIndexes } from "../commands/cache/rebuildIndexes.ts";
import type { ShownPackage, ShowRequest } from "../commands/cache/showPackage.ts";
import type { VerifiedCaches, VerifyRequest } from "../commands/cache/verifyPackages.ts";
import { asConfigured, complete, type Given } from "./requests.ts";
import type { DoWork } from "./work.ts";

/** `cache`: what is in build caches, and what is done with them. `caches` are URLs or paths; none: the configured ones. */
export interface CacheMethods {
  /** Copies packages from a cache to another one, verified. */
  copy(request: Given<CopyRequest, "from" | "to">): Promise<CopyReport>;
  /** Writes the indexes again from the packages that are there. */
  index(request?: Given<CacheRequest>): Promise<readonly RebuiltIndexes[]>;
  /** The keys that caches publish, and those that are trusted; with `publish` or `withdraw`, of which these are changed first. */
  readonly keys: {
    (request?: Given<CacheRequest>): Promise<readonly ListedKey[]>;
    /** Adds keys to those that caches publish, and takes others away. */
    publish(request: Given<PublishKeysRequest>): Promise<readonly PublishedKey[]>;
  };
  /** Packages that satisfy specs; none: all. */
  list(
    request?: Given<ListPackagesRequest>,
  ): Promise<{ readonly packages: readonly ListedPackage[]; readonly totals: ListTotals }>;
  /** What nothing needs any more; removed only with `remove`. */
  prune(
    request?: Given<PruneRequest>,
  ): Promise<{ readonly plan: PruneAnnouncement | undefined; readonly outcomes: readonly PruneOutcome[] }>;
  /** Publishes packages that a Spack here has installed. */
  push(request?: Given<PushInstalledRequest>): Promise<PushInstalledReport>;
  /** One package: what it is and where it is. `spec`: the words of a spec that one package satisfies. */
  show(request: Given<ShowRequest, "spec">): Promise<ShownPackage>;
  /** Verifies metadata and archives of packages. */
  verify(request?: Given<VerifyRequest>): Promise<VerifiedCaches>;
}

/** How packages are written by default. */
const ordinaryTarget = { sign: undefined, unsigned: false, layout: undefined } as const;
/** Which packages are copied by default. */
const ordinaryCopy = { closure: true, withBuild: false, replace: false, dryRun: false } as const;

/** The methods of one session. */
export function cacheMethods(work: DoWork): CacheMethods {
  const keys = (given: Given<CacheRequest> = {}) =>
    work(given, async (session) => {
      const { listKeys } = await import("../commands/cache/listKeys.ts");
      return listKeys(complete<CacheRequest>(session, asConfigured, given));
    });
  return {
    copy: (given) =>
      work(given, async (session) => {
        const { copyPackages } = await import("../commands/cache/copyPackages.ts");
        const usual = {
          ...asConfigured,
          ...ordinaryTarget,
          ...ordinaryCopy,
          fromUnsigned: false,
          specs: [],
          jobs: undefined,
        };
        return copyPackages(complete<CopyRequest, "from" | "to">(session, usual, given));
      }),
    index: (given = {}) =>
      work(given, async (session) => {
        const { rebuildIndexes } = await import("../commands/cache/rebuildIndexes.ts");
        return rebuildIndexes(complete<CacheRequest>(session, asConfigured, given));
      }),
    keys: Object.assign(keys, {
      publish: (given: Given<PublishKeysRequest>) =>
        work(given, async (session) => {
          const { publishKeys } = await import("../commands/cache/publishKeys.ts");
          const usual = { ...asConfigured, publish: [], withdraw: [] };
          return publishKeys(complete<PublishKeysRequest>(session, usual, given));
        }),
    }),
    list: (given = {}) =>
      work(given, async (session) => {
        const { listPackages } = await import("../commands/cache/listPackages.ts");
        const packages: ListedPackage[] = [];
        const usual = { ...asConfigured, specs: [], sizes: false };
        const totals = await listPackages(complete<ListPackagesRequest>(session, usual, given), (some) => {
          for (const one of some) packages.push(one);
        });
        return { packages, totals };
      }),
    prune: (given = {}) =>
      work(given, async (session) => {
        const { pruneCaches } = await import("../commands/cache/pruneCaches.ts");
        let plan: PruneAnnouncement | undefined;
        const usual = {
          ...asConfigured,
          keep: [],
          keepSpecs: [],
          images: true,
          grace: 24,
          runtimeOnly: false,
          allowEmpty: false,
          remove: false,
        };
        const outcomes = await pruneCaches(complete<PruneRequest>(session, usual, given), (announced) => {
          plan = announced;
        });
        return { plan, outcomes };
      }),
    push: (given = {}) =>
      work(given, async (session) => {
        const { pushInstalled } = await import("../commands/cache/pushInstalled.ts");
        const usual = {
          ...asConfigured,
          ...ordinaryTarget,
          ...ordinaryCopy,
          to: undefined,
          store: undefined,
          packages: [],
        };
        return pushInstalled(complete<PushInstalledRequest>(session, usual, given));
      }),
    show: (given) =>
      work(given, async (session) => {
        const { showPackage } = await import("../commands/cache/showPackage.ts");
        return showPackage(complete<ShowRequest, "spec">(session, asConfigured, given));
      }),
    verify: (given = {}) =>
      work(given, async (session) => {
        const { verifyPackages } = await import("../commands/cache/verifyPackages.ts");
        const usual = { ...asConfigured, specs: [], archives: true, jobs: undefined };
        return verifyPackages(complete<VerifyRequest>(session, usual, given));
      }),
  };
}
