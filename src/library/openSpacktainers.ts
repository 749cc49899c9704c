import { resolve } from "node:path";
import type { AddRequest } from "../commands/add/addContainer.ts";
import type { BuildBasesCommand } from "../commands/base/buildBases.ts";
import type { PushBasesCommand } from "../commands/base/pushBases.ts";
import type { CheckRequest } from "../commands/check/checkDefinitions.ts";
import type { DiffRequest } from "../commands/diff/diffImages.ts";
import type { DockerfileCommand } from "../commands/dockerfile/writeDockerfile.ts";
import type { DoctorRequest } from "../commands/doctor/diagnoseImages.ts";
import type { InitRequest } from "../commands/init/initRepository.ts";
import type { LockRequest } from "../commands/lock/lockContainers.ts";
import type { MigrateRequest } from "../commands/migrate/migrateSource.ts";
import type { PlanRequest } from "../commands/plan/planContainers.ts";
import type { PullRequest } from "../commands/pull/pullContainer.ts";
import type { PushRequest } from "../commands/push/pushContainers.ts";
import type { RebaseRequest } from "../commands/rebase/rebaseImages.ts";
import type { ReproduceRequest } from "../commands/reproduce/reproduceImage.ts";
import type { BillRequest } from "../commands/sbom/billOfMaterials.ts";
import type { SignCommand, VerifyCommand } from "../commands/sign/signImages.ts";
import type { StorageRequest } from "../commands/storage/tidyStorage.ts";
import type { TestRequest } from "../commands/test/testContainers.ts";
import type { UnpackRequest } from "../commands/unpack/unpackEnvironment.ts";
import { hostArchitecture } from "../definitions/hostArchitecture.ts";
import type { BuildRequest } from "../pipeline/workspace/buildRequest.ts";
import { ignoreEvents } from "../util/events.ts";
import { packageFile } from "../util/packageFile.ts";
import { cacheMethods } from "./cacheMethods.ts";
import { catalogueMethods } from "./catalogueMethods.ts";
import { ciMethods } from "./ciMethods.ts";
import { explainMethods } from "./explainMethods.ts";
import {
  allContainers,
  asConfigured,
  buildingOf,
  complete,
  ordinaryImages,
  ordinaryResources,
} from "./requests.ts";
import { runMethods } from "./runMethods.ts";
import { sifMethods } from "./sifMethods.ts";
import type { Spacktainers, SpacktainersOptions } from "./spacktainers.ts";
import { workIn } from "./work.ts";

/** The program itself, for work that starts it again. */
const ownProgram = (): readonly [string, string] => [process.execPath, packageFile("dist/cli/main.js")];

/**
 * A repository, to work with: a method for each verb of the command line. Nothing is read before a method is called, and of the
 * program only what that method needs is loaded. There is nothing to close.
 */
export function openSpacktainers(options: SpacktainersOptions): Spacktainers {
  const { cacheDirectory, env } = options;
  const directory = resolve(options.directory);
  const session = {
    directory,
    emit: options.emit ?? ignoreEvents,
    signal: options.signal ?? new AbortController().signal,
  };
  const work = workIn(session, {
    env,
    cacheDirectory: cacheDirectory === undefined ? undefined : resolve(cacheDirectory),
  });
  const ordinaryBases = {
    images: ["builder", "runtime"],
    arch: hostArchitecture(),
    tool: undefined,
  } as const;
  return {
    directory,
    cache: cacheMethods(work),
    catalogue: catalogueMethods(work),
    ci: ciMethods(work),
    sif: sifMethods(work),
    ...explainMethods(work),
    ...runMethods(work),
    add: (given) =>
      work(given, async (session) => {
        const { addContainer } = await import("../commands/add/addContainer.ts");
        const usual = { ...asConfigured, arch: undefined };
        return addContainer(complete<AddRequest, "name" | "specs">(session, usual, given));
      }),
    base: Object.assign(
      (given: Parameters<Spacktainers["base"]>[0] = {}) =>
        work(given, async (session) => {
          const { buildBases } = await import("../commands/base/buildBases.ts");
          const usual = { ...ordinaryBases, buildArguments: new Map(), onOutput: () => {} };
          return buildBases(complete<BuildBasesCommand>(session, usual, given));
        }),
      {
        push: (given: Parameters<Spacktainers["base"]["push"]>[0] = {}) =>
          work(given, async (session) => {
            const { pushBases } = await import("../commands/base/pushBases.ts");
            return pushBases(complete<PushBasesCommand>(session, ordinaryBases, given));
          }),
        list: (given: Parameters<Spacktainers["base"]["list"]>[0] = {}) =>
          work(given, async () => (await import("../commands/base/listBases.ts")).listBases(given.tool)),
      },
    ),
    build: (given = {}) =>
      work(given, async (session) => {
        const { buildContainers } = await import("../commands/build/buildContainers.ts");
        const usual = { ...ordinaryImages, building: buildingOf(given), outputs: [], force: false };
        return buildContainers(complete<BuildRequest>(session, usual, withoutBuilding(given)));
      }),
    compile: (given = {}) =>
      work(given, async (session) => {
        const { compileContainers } = await import("../commands/build/compileContainers.ts");
        const usual = { ...ordinaryImages, building: buildingOf(given) };
        return compileContainers(
          complete<Omit<BuildRequest, "outputs" | "force">>(session, usual, withoutBuilding(given)),
        );
      }),
    check: (given = {}) =>
      work(given, async (session) => {
        const { checkDefinitions } = await import("../commands/check/checkDefinitions.ts");
        return checkDefinitions(complete<CheckRequest>(session, { names: [], arch: undefined }, given));
      }),
    diff: (given) =>
      work(given, async (session) => {
        const { diffImages } = await import("../commands/diff/diffImages.ts");
        const usual = { ...asConfigured, after: undefined, arch: undefined };
        return diffImages(complete<DiffRequest, "before">(session, usual, given));
      }),
    dockerfile: (given) =>
      work(given, async (session) => {
        const { writeDockerfile } = await import("../commands/dockerfile/writeDockerfile.ts");
        const usual = { arch: undefined, output: undefined, force: false };
        return writeDockerfile(complete<DockerfileCommand, "name">(session, usual, given));
      }),
    doctor: (given = {}) =>
      work(given, async (session) => {
        const { diagnoseImages } = await import("../commands/doctor/diagnoseImages.ts");
        const usual = { subjects: [], arch: undefined, resources: {}, mpi: undefined, hostMpi: undefined };
        return diagnoseImages(complete<DoctorRequest>(session, usual, given));
      }),
    init: (given = {}) =>
      work(given, async (session) => {
        const { initRepository } = await import("../commands/init/initRepository.ts");
        const usual = {
          caches: [],
          trust: [],
          unsigned: false,
          base: "bookworm",
          registry: undefined,
          architectures: [hostArchitecture()],
          example: true,
          builder: true,
          sites: true,
          ci: undefined,
          catalogue: false,
        };
        const root = resolve(session.directory, given.root ?? ".");
        return initRepository(complete<InitRequest, "root">(session, usual, { ...given, root }));
      }),
    keys: ({ prefix = "cosign" } = {}) =>
      work({}, async ({ directory }) => {
        const { makeKeyPair } = await import("../pipeline/describe/keyFiles.ts");
        return makeKeyPair(prefix, directory);
      }),
    list: (given = {}) =>
      work(given, async (session) => {
        const { listContainers } = await import("../commands/list/listContainers.ts");
        return listContainers(complete<CheckRequest>(session, { names: [], arch: undefined }, given));
      }),
    lock: (given = {}) =>
      work(given, async (session) => {
        const { lockContainers } = await import("../commands/lock/lockContainers.ts");
        // What is only compared is not made.
        const building = given.check === true ? undefined : buildingOf(given);
        const usual = { ...allContainers, building, keep: false, check: false };
        return lockContainers(complete<LockRequest>(session, usual, withoutBuilding(given)));
      }),
    migrate: (given) =>
      work(given, async (session) => {
        const { migrateSource } = await import("../commands/migrate/migrateSource.ts");
        const usual = {
          caches: [],
          trust: [],
          unsigned: false,
          into: undefined,
          name: undefined,
          arch: undefined,
        };
        return migrateSource(complete<MigrateRequest, "source">(session, usual, given));
      }),
    plan: (given = {}) =>
      work(given, async (session) => {
        const { planContainers } = await import("../commands/plan/planContainers.ts");
        const usual = { ...ordinaryImages, building: buildingOf(given), registry: true };
        return planContainers(complete<PlanRequest>(session, usual, withoutBuilding(given)));
      }),
    pull: (given) =>
      work(given, async (session) => {
        const { pullContainer } = await import("../commands/pull/pullContainer.ts");
        const { registryCredentials } = await import("../commands/pull/registryCredentials.ts");
        const usual = {
          arch: undefined,
          tag: undefined,
          runtime: "auto" as const,
          file: undefined,
          force: false,
          plainHttp: false,
          registryCredentials,
          print: undefined,
        };
        return pullContainer(complete<PullRequest, "image">(session, usual, given));
      }),
    push: (given = {}) =>
      work(given, async (session) => {
        const { pushContainers } = await import("../commands/push/pushContainers.ts");
        const usual = {
          ...ordinaryImages,
          building: buildingOf(given),
          registries: [],
          tags: [],
          force: false,
        };
        return pushContainers(complete<PushRequest>(session, usual, withoutBuilding(given)));
      }),
    rebase: (given = {}) =>
      work(given, async (session) => {
        const { rebaseImages } = await import("../commands/rebase/rebaseImages.ts");
        const usual = {
          images: [],
          arch: undefined,
          base: undefined,
          registries: [],
          tags: [],
          outputs: [],
          force: false,
          dryRun: false,
          refresh: false,
          failFast: false,
        };
        return rebaseImages(complete<RebaseRequest>(session, usual, given));
      }),
    reproduce: (given) =>
      work(given, async (session) => {
        const { reproduceImage } = await import("../commands/reproduce/reproduceImage.ts");
        const usual = { ...ordinaryResources, arch: undefined, base: undefined };
        return reproduceImage(complete<ReproduceRequest, "image">(session, usual, given));
      }),
    sbom: (given) =>
      work(given, async (session) => {
        const { billOfMaterials } = await import("../commands/sbom/billOfMaterials.ts");
        const usual = { ...asConfigured, arch: undefined, format: "spdx" as const, output: undefined };
        return billOfMaterials(complete<BillRequest, "image">(session, usual, given));
      }),
    sign: (given) =>
      work(given, async (session) => {
        const { signImages } = await import("../commands/sign/signImages.ts");
        const usual = {
          arch: undefined,
          key: undefined,
          keyless: undefined,
          forms: undefined,
          annotations: {},
        };
        return signImages(complete<SignCommand, "image">(session, usual, given));
      }),
    storage: (given = {}) =>
      work(given, async (session) => {
        const { tidyStorage } = await import("../commands/storage/tidyStorage.ts");
        const usual = { parts: [], unusedDays: undefined, remove: false };
        return tidyStorage(complete<StorageRequest>(session, usual, given));
      }),
    test: (given = {}) =>
      work(given, async (session) => {
        const { testContainers } = await import("../commands/test/testContainers.ts");
        const usual = {
          names: [],
          arch: undefined,
          runtimes: [],
          slurm: undefined,
          failFast: false,
          self: ownProgram(),
        };
        return testContainers(complete<TestRequest>(session, usual, given));
      }),
    unpack: (given) =>
      work(given, async (session) => {
        const { unpackEnvironment } = await import("../commands/unpack/unpackEnvironment.ts");
        const usual = {
          ...ordinaryResources,
          root: "/opt/software",
          view: "/opt/view",
          arch: undefined,
          strip: undefined,
          keepMetadata: false,
        };
        return unpackEnvironment(complete<UnpackRequest, "path" | "into">(session, usual, given));
      }),
    verify: (given) =>
      work(given, async (session) => {
        const { verifyImages } = await import("../commands/sign/signImages.ts");
        const usual = { arch: undefined, keys: [], certificate: undefined, attestations: [] };
        return verifyImages(complete<VerifyCommand, "image">(session, usual, given));
      }),
    version: () =>
      work({}, async () => (await import("../commands/version/programVersion.ts")).programVersion()),
  };
}

/** What was said of building is in the request in a completed form already. */
function withoutBuilding<T extends { readonly building?: unknown }>(given: T): Omit<T, "building"> {
  const { building, ...rest } = given;
  return rest;
}
