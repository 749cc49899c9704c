/** What programs can do with Spacktainers: a method for each verb of the command line. */
import type { AddRequest, AddResult } from "../commands/add/addContainer.ts";
import type { BuildBasesCommand, BuiltBase } from "../commands/base/buildBases.ts";
import type { listBases } from "../commands/base/listBases.ts";
import type { PushBasesCommand, PushedBase } from "../commands/base/pushBases.ts";
import type { BuildResult } from "../commands/build/buildContainer.ts";
import type { CompileResult } from "../commands/build/compileContainers.ts";
import type { CheckRequest, CheckResult } from "../commands/check/checkDefinitions.ts";
import type { DiffRequest } from "../commands/diff/diffImages.ts";
import type { DockerfileCommand, WrittenDockerfile } from "../commands/dockerfile/writeDockerfile.ts";
import type { DoctorRequest, DoctorResult } from "../commands/doctor/diagnoseImages.ts";
import type { AffectedContainers } from "../commands/explain/affectedContainers.ts";
import type { ExplainRequest } from "../commands/explain/explainedContainer.ts";
import type { ContainerExplanation } from "../commands/explain/explainPackages.ts";
import type { PackageDifferences } from "../commands/explain/packageDifferences.ts";
import type { InitRequest, InitResult } from "../commands/init/initRepository.ts";
import type { JobRequest, MadeJob } from "../commands/job/makeJob.ts";
import type { JobOutcome, JobRun } from "../commands/job/runJob.ts";
import type { ListedContainer } from "../commands/list/listContainers.ts";
import type { LockResult } from "../commands/lock/lockContainer.ts";
import type { LockRequest } from "../commands/lock/lockContainers.ts";
import type { MigrateRequest, MigrateResult } from "../commands/migrate/migrateSource.ts";
import type { BuildPlanReport } from "../commands/plan/planBuild.ts";
import type { PlanRequest } from "../commands/plan/planContainers.ts";
import type { PlanReport } from "../commands/plan/planReport.ts";
import type { Pulled, PullRequest } from "../commands/pull/pullContainer.ts";
import type { PushOutcome, PushRequest } from "../commands/push/pushContainers.ts";
import type { RebaseOutcome, RebaseRequest } from "../commands/rebase/rebaseImages.ts";
import type { ReproduceRequest, ReproduceResult } from "../commands/reproduce/reproduceImage.ts";
import type { RunRequest } from "../commands/run/runContainer.ts";
import type { BillOfMaterials, BillRequest } from "../commands/sbom/billOfMaterials.ts";
import type { ShimsRequest, WrittenShims } from "../commands/shims/writeShims.ts";
import type { SignCommand, SignedImage, VerifyCommand } from "../commands/sign/signImages.ts";
import type { ShellRequest } from "../commands/spack/openBuildShell.ts";
import type { SpackRequest } from "../commands/spack/runRepositorySpack.ts";
import type { Storage, StorageRequest } from "../commands/storage/tidyStorage.ts";
import type { TestedContainers, TestRequest } from "../commands/test/testContainers.ts";
import type { UnpackedEnvironment, UnpackRequest } from "../commands/unpack/unpackEnvironment.ts";
import type { ProgramVersion } from "../commands/version/programVersion.ts";
import type { KeyPairFiles } from "../pipeline/describe/keyFiles.ts";
import type { BuildRequest } from "../pipeline/workspace/buildRequest.ts";
import type { ContainerOutcome } from "../pipeline/workspace/outcomes.ts";
import type { VerificationReport } from "../supply/verifyImage.ts";
import type { EmitEvent } from "../util/events.ts";
import type { CacheMethods } from "./cacheMethods.ts";
import type { CatalogueMethods } from "./catalogueMethods.ts";
import type { CiMethods } from "./ciMethods.ts";
import type { Given, GivenBuilding } from "./requests.ts";
import type { SifMethods } from "./sifMethods.ts";

/** What {@link openSpacktainers} takes. */
export interface SpacktainersOptions {
  /** Folder of the repository, or one below it; relative paths of requests start there. */
  readonly directory: string;
  /** Where what can be made again is kept; default `$XDG_CACHE_HOME/spacktainers`, by default `~/.cache/spacktainers`. */
  readonly cacheDirectory?: string | undefined;
  /** Receives the progress of all work; it must not throw. */
  readonly emit?: EmitEvent | undefined;
  /** Stops all work: what it had not finished is left as it was, and its promise is rejected with `INTERRUPTED`. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Environment variables that work goes by, and hands on to what it starts: proxies, credentials, the search path. Default: those of the
   * process.
   */
  readonly env?: NodeJS.ProcessEnv | undefined;
}

type Outcomes<Result> = Promise<readonly ContainerOutcome<Result>[]>;

/**
 * A repository, to work with. Each method is a verb of the command line: what its options are is what the request has, under the
 * names that docs/library.md lists, and all but what the verb cannot do without may be left out.
 *
 * @throws {SpacktainersError} all of them, when their work cannot be done; `SpacktainersErrors` for several reasons. Methods that
 * give outcomes throw only when nothing was tried.
 */
export interface Spacktainers {
  /** Absolute. */
  readonly directory: string;

  /** A new container in the repository. */
  add(request: Given<AddRequest, "name" | "specs">): Promise<AddResult>;
  /** Makes the builder and runtime images, by whatever makes images of Dockerfiles here. */
  readonly base: {
    (request?: Given<BuildBasesCommand>): Promise<readonly BuiltBase[]>;
    /** Publishes them. */
    push(request?: Given<PushBasesCommand>): Promise<readonly PushedBase[]>;
    /** Which of them are here. */
    list(request?: Pick<Given<PushBasesCommand>, "tool">): ReturnType<typeof listBases>;
  };
  /** Makes images: assembles what caches have, and builds what they lack where that is allowed. */
  build(request?: Given<BuildRequest> & GivenBuilding): Outcomes<BuildResult>;
  /** Builds packages that no cache has, and no image: `build` with `--only-dependencies` or `--until`. */
  compile(request?: Given<Omit<BuildRequest, "outputs" | "force">> & GivenBuilding): Outcomes<CompileResult>;
  /** Build caches: what is in them, copies, keys, indexes. */
  readonly cache: CacheMethods;
  /** Web pages of the containers, to browse and search. */
  readonly catalogue: CatalogueMethods;
  /** Every problem in the definitions and the configuration. */
  check(request?: Given<CheckRequest>): Promise<CheckResult>;
  /** Pipelines for GitHub and GitLab. */
  readonly ci: CiMethods;
  /** Two containers, locks or images by package; without `after`, the built image and what a build would give now. */
  diff(request: Given<DiffRequest, "before">): Promise<PackageDifferences>;
  /** A Dockerfile that makes about the same image. */
  dockerfile(request: Given<DockerfileCommand, "name">): Promise<WrittenDockerfile>;
  /** Whether images will run at sites, and on this machine. */
  doctor(request?: Given<DoctorRequest>): Promise<DoctorResult>;
  /** Runs a program in an image without its entrypoint; gives its exit status. It has the process's standard streams. */
  exec(request: Given<RunRequest, "image" | "command">): Promise<number>;
  /** Why packages are in a container, and why in this form. */
  readonly explain: {
    (
      request: Given<ExplainRequest> & {
        /** A container, or an image in any form. */
        readonly name: string;
        /** Packages in it; none: the container as a whole. */
        readonly packages?: readonly string[] | undefined;
        /** Most configurations of a package that are looked into; default 20. */
        readonly limit?: number | undefined;
      },
    ): Promise<ContainerExplanation>;
    /** Which containers have packages, and how. */
    affects(
      request: Given<ExplainRequest> & {
        readonly packages: readonly string[];
        /** Containers to look at; none: all. */
        readonly names?: readonly string[] | undefined;
      },
    ): Promise<AffectedContainers>;
  };
  /** Makes a repository of `root`, by default the session's directory. */
  init(request?: Given<InitRequest>): Promise<InitResult>;
  /** The batch script for an image at a site, and what was found in the image. */
  readonly job: {
    (request: Given<JobRequest, "image" | "site" | "command">): Promise<MadeJob>;
    /** Submits a script to Slurm and follows the job until it ends. */
    run(request: Given<JobRun, "script">): Promise<JobOutcome>;
  };
  /** Makes a key pair for signing images: `PREFIX.key`, encrypted with `COSIGN_PASSWORD`, and `PREFIX.pub`. */
  keys(request?: { readonly prefix?: string | undefined }): Promise<KeyPairFiles>;
  /** The containers of the repository. */
  list(
    request?: Given<Pick<CheckRequest, "directory" | "names" | "arch">>,
  ): Promise<readonly ListedContainer[]>;
  /** Chooses packages and writes the locks; with `check`, only whether they are up to date. */
  lock(request?: Given<LockRequest> & GivenBuilding): Outcomes<LockResult | undefined>;
  /** Takes over what exists: a `container:` section, a Dockerfile, a repository. */
  migrate(request: Given<MigrateRequest, "source">): Promise<MigrateResult>;
  /** What a build would do, before it does it. */
  plan(request?: Given<PlanRequest> & GivenBuilding): Outcomes<PlanReport | BuildPlanReport>;
  /** An image from a registry, by whatever runtime is here. */
  pull(request: Given<PullRequest, "image">): Promise<Pulled>;
  /** Publishes to the configured registries. `errors`: what went wrong, for some or all. */
  push(request?: Given<PushRequest> & GivenBuilding): Promise<PushOutcome>;
  /** Finished images on another base. */
  rebase(request?: Given<RebaseRequest>): Promise<readonly RebaseOutcome[]>;
  /** Makes a published image again from what it says of itself, and compares. */
  reproduce(request: Given<ReproduceRequest, "image">): Promise<ReproduceResult>;
  /** Runs a command line in an image; gives its exit status. It has the process's standard streams. */
  run(request: Given<RunRequest, "image">): Promise<number>;
  /** What is in an image, as SPDX or CycloneDX. */
  sbom(request: Given<BillRequest, "image">): Promise<BillOfMaterials>;
  /** An interactive shell in an image; gives its exit status. It has the process's standard streams. */
  shell(request: Given<RunRequest, "image">): Promise<number>;
  /** Wrapper scripts and a module file for an image's programs, in a folder. */
  shims(request: Given<ShimsRequest, "image" | "into">): Promise<WrittenShims>;
  /** An image as a SIF or squashfs file, and what is in one. */
  readonly sif: SifMethods;
  /** Signs a published image. */
  sign(request: Given<SignCommand, "image">): Promise<SignedImage>;
  /** Real Spack, with a container's environment; gives its exit status. It has the process's standard streams. */
  readonly spack: {
    (request: Given<SpackRequest, "args">): Promise<number>;
    /** A shell where building a package of a container failed: `build --shell`. */
    shell(request: Given<ShellRequest, "container" | "package">): Promise<number>;
  };
  /** What is kept on this machine, part by part; with `unusedDays` and `remove`, what nobody used for so long is removed. */
  storage(request?: Given<StorageRequest>): Promise<Storage>;
  /** Runs the tests of containers. */
  test(request?: Given<TestRequest>): Promise<TestedContainers>;
  /** A container's environment as plain files; `path` is a container's name or folder. */
  unpack(request: Given<UnpackRequest, "path" | "into">): Promise<UnpackedEnvironment>;
  /** Whether a published image has the signatures that are asked for, from those to its layers. */
  verify(
    request: Given<VerifyCommand, "image">,
  ): Promise<{ readonly image: string; readonly report: VerificationReport }>;
  /** Which program this is, and what it runs on. */
  version(): Promise<ProgramVersion>;
}
