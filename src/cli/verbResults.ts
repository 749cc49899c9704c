/**
 * What verbs print for programs, by verb. `schema/output/` is made from these types (`npm run schema`), so a change of a type that
 * belongs to them is a change of a published format. A verb may add its own result to them in its own file (`declare module`).
 */
import type { CiPlan } from "../ci/ciPlan.ts";
import type { AddResult } from "../commands/add/addContainer.ts";
import type { BuildTool } from "../commands/base/baseImage.ts";
import type { BuiltBase } from "../commands/base/buildBases.ts";
import type { ListedBase } from "../commands/base/listBases.ts";
import type { PushedBase } from "../commands/base/pushBases.ts";
import type { BuildResult } from "../commands/build/buildContainer.ts";
import type { CompileResult } from "../commands/build/compileContainers.ts";
import type { CopyReport } from "../commands/cache/copyPackages.ts";
import type { ListedKey } from "../commands/cache/listKeys.ts";
import type { ListedPackage, ListTotals } from "../commands/cache/listPackages.ts";
import type { PruneAnnouncement, PruneOutcome } from "../commands/cache/pruneCaches.ts";
import type { PublishedKey } from "../commands/cache/publishKeys.ts";
import type { PushInstalledReport } from "../commands/cache/pushInstalled.ts";
import type { RebuiltIndexes } from "../commands/cache/rebuildIndexes.ts";
import type { ShownPackage } from "../commands/cache/showPackage.ts";
import type { VerifiedCaches } from "../commands/cache/verifyPackages.ts";
import type { BuiltCatalogue } from "../commands/catalogue/buildCatalogue.ts";
import type { PackageJobResult } from "../commands/ci/buildPackages.ts";
import type { PublishedImages } from "../commands/ci/publishImages.ts";
import type { PipelineJobOutcome } from "../commands/ci/runPipeline.ts";
import type { WrittenCredentials } from "../commands/ci/writeCredentials.ts";
import type { PipelineCheck, PipelineFile } from "../commands/ci/writePipelines.ts";
import type { WrittenDockerfile } from "../commands/dockerfile/writeDockerfile.ts";
import type { Examination } from "../commands/doctor/diagnoseImages.ts";
import type { AffectedContainers } from "../commands/explain/affectedContainers.ts";
import type { ContainerExplanation } from "../commands/explain/explainPackages.ts";
import type { PackageDifferences } from "../commands/explain/packageDifferences.ts";
import type { InitResult } from "../commands/init/initRepository.ts";
import type { MadeJob } from "../commands/job/makeJob.ts";
import type { JobOutcome } from "../commands/job/runJob.ts";
import type { ListedContainer } from "../commands/list/listContainers.ts";
import type { LockResult } from "../commands/lock/lockContainer.ts";
import type { MigrateResult } from "../commands/migrate/migrateSource.ts";
import type { BuildPlanReport } from "../commands/plan/planBuild.ts";
import type { PlanReport } from "../commands/plan/planReport.ts";
import type { Pulled } from "../commands/pull/pullContainer.ts";
import type { PushResult } from "../commands/push/moveTags.ts";
import type { RebaseResult } from "../commands/rebase/rebaseImages.ts";
import type { ReproduceResult } from "../commands/reproduce/reproduceImage.ts";
import type { BillOfMaterials } from "../commands/sbom/billOfMaterials.ts";
import type { WrittenShims } from "../commands/shims/writeShims.ts";
import type { ListedSif } from "../commands/sif/inspectSif.ts";
import type { PushedSif } from "../commands/sif/pushSif.ts";
import type { SignedImage, VerifiedImage } from "../commands/sign/signImages.ts";
import type { Storage } from "../commands/storage/tidyStorage.ts";
import type { TestResult } from "../commands/test/testContainers.ts";
import type { UnpackedEnvironment } from "../commands/unpack/unpackEnvironment.ts";
import type { ProgramVersion } from "../commands/version/programVersion.ts";
import type { KeyPairFiles } from "../pipeline/describe/keyFiles.ts";
import type { Conversion } from "../pipeline/images/convertImage.ts";
import type { SifVerification } from "../sif/verifySif.ts";
import type { ErrorCode, Place } from "../util/errors.ts";

/** The file `catalogue.json` of a catalogue. */
export type { CatalogueDocument } from "../catalogue/document.ts";
export type { WorkEvent } from "../util/events.ts";

/** An error, in lines of the type `error` and wherever something failed. */
export interface ErrorEntry extends Place {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  /** Lines to write into a file. */
  readonly example?: string;
}

/** What became of an image in a registry. */
export interface PushEntry extends Omit<PushResult, "errors" | "skipped"> {
  readonly failed: boolean;
  readonly errors?: readonly ErrorEntry[];
  readonly skipped?: boolean;
}

/** A line about one of several: what was done, or why not. */
type EachOf<Subject, Result> =
  | (Result & { readonly failed: boolean })
  | (Subject & { readonly failed: boolean; readonly errors: readonly ErrorEntry[] })
  | (Subject & { readonly failed: boolean; readonly skipped: true });

/** What names a container in a line about it. */
interface NamedContainer {
  readonly name: string;
  /** Undefined for a definition that is for every architecture. */
  readonly arch: string | undefined;
}

/** What was done to one of several, by verb. */
export interface ResultsOfSeveral {
  build: BuildResult | CompileResult;
  lock: LockResult;
  plan: PlanReport | BuildPlanReport;
  rebase: Omit<RebaseResult, "pushed"> & { readonly pushed: readonly PushEntry[] };
}

/** Lines of the type `result`, by verb. */
export interface VerbResults {
  add: AddResult;
  "base build": BuiltBase;
  "base list": ListedBase & { readonly tool: BuildTool };
  "base push": PushedBase;
  build: EachOf<NamedContainer, ResultsOfSeveral["build"]>;
  "cache copy": CopyReport;
  "cache index": { readonly caches: readonly RebuiltIndexes[] };
  "cache keys": { readonly keys: readonly ListedKey[] | readonly PublishedKey[] };
  "cache list": ListTotals;
  "cache prune": { readonly removed: boolean; readonly caches: readonly PruneOutcome[] };
  "cache push": PushInstalledReport;
  "cache show": ShownPackage;
  "cache verify": { readonly caches: VerifiedCaches["caches"]; readonly findings: number };
  "catalogue build": BuiltCatalogue;
  /** Before it is served. */
  "catalogue serve": { readonly url: string };
  check: {
    /** Files. */
    readonly checked: number;
    readonly errors: readonly ErrorEntry[];
    readonly warnings: readonly ErrorEntry[];
  };
  "ci check": Omit<PipelineCheck, "errors"> & { readonly failed: boolean };
  "ci credentials": WrittenCredentials;
  "ci github": { readonly host: "github"; readonly files: readonly PipelineFile[] };
  "ci gitlab": { readonly host: "gitlab"; readonly files: readonly PipelineFile[] };
  "ci packages": PackageJobResult;
  "ci plan": Omit<CiPlan, "version">;
  "ci publish": PushEntry | PublishedImages["files"][number];
  "ci rebase":
    | PushEntry
    | PublishedImages["files"][number]
    | { readonly failed: true; readonly errors: readonly ErrorEntry[] };
  "ci run": PipelineJobOutcome;
  completion: { readonly shell: string; readonly script: string };
  diff: PackageDifferences;
  dockerfile: WrittenDockerfile;
  doctor: {
    /** No examination found an error. */
    readonly works: boolean;
    readonly examinations: readonly Examination[];
  };
  explain:
    | ContainerExplanation
    | AffectedContainers
    | { readonly format: "dot" | "mermaid" | "svg"; readonly graph: string }
    /** Absolute path of the page. */
    | { readonly format: "html"; readonly file: string };
  init: InitResult;
  job: Pick<MadeJob, "script" | "job" | "findings"> | JobOutcome;
  keys: KeyPairFiles;
  list: { readonly containers: readonly ListedContainer[] };
  lock: EachOf<NamedContainer, ResultsOfSeveral["lock"]> | { readonly upToDate: true };
  migrate: MigrateResult;
  plan: EachOf<NamedContainer, ResultsOfSeveral["plan"]>;
  pull: Pulled;
  push: PushEntry;
  rebase: EachOf<{ readonly image: string }, ResultsOfSeveral["rebase"]>;
  reproduce: ReproduceResult;
  sbom: Omit<BillOfMaterials, "text"> & {
    /** What the file would have, where none was asked for. */
    readonly document?: object;
  };
  schema: { readonly schema: object };
  shims: WrittenShims;
  sif: Conversion;
  "sif list": ListedSif;
  "sif push": PushedSif;
  "sif verify": SifVerification & { readonly verified: true };
  sign: SignedImage;
  storage: Storage;
  test: { readonly passed: boolean; readonly results: readonly TestResult[] };
  unpack: UnpackedEnvironment;
  verify: VerifiedImage;
  version: ProgramVersion;
}

/** Lines of other types that only one verb prints, by verb. */
export interface VerbLines {
  /** A package each, before the result. */
  "cache list": ListedPackage & { readonly type: "package" };
  /** Before anything is removed. */
  "cache prune": Omit<PruneAnnouncement, "problems"> & {
    readonly type: "plan";
    readonly problems: readonly ErrorEntry[];
  };
  /** What the job printed. */
  job: { readonly type: "output"; readonly text: string };
}
