import type { Configuration } from "../../definitions/configuration.ts";
import { type DefContents, defContents } from "../../definitions/defContents.ts";
import { readDefFile } from "../../definitions/defFile.ts";
import { yamlLimits } from "../../definitions/positionedYaml.ts";
import { inOrderOfPlace } from "../../definitions/problems.ts";
import { type Container, type Definition, readTextFile } from "../../definitions/repository.ts";
import { selectDefinitions } from "../../definitions/select.ts";
import { readTestsFile } from "../../definitions/testsFile.ts";
import { loadLock, loadManifest } from "../../environment/load.ts";
import { lockStaleness } from "../../environment/lock.ts";
import type { Environment } from "../../environment/types.ts";
import { configuredReading } from "../../pipeline/choose/configuredReading.ts";
import { movedPlaces } from "../../pipeline/choose/movedPlaces.ts";
import { hasNoSpecs, noSpecs } from "../../pipeline/choose/noSpecs.ts";
import { withContainerSection } from "../../pipeline/plan/containerSection.ts";
import { planEpilogue } from "../../pipeline/plan/planEpilogue.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { checkConfiguration } from "../../pipeline/workspace/checkConfiguration.ts";
import { openRepository } from "../../pipeline/workspace/workspace.ts";
import { errorsOf, SpacktainersError } from "../../util/errors.ts";
import { findProgram } from "../../util/tool.ts";
import { checkNamedFiles, checkTargets } from "./checkNamedFiles.ts";

/** What to check. */
export interface CheckRequest {
  readonly directory: string;
  readonly names: readonly string[];
  readonly arch: string | undefined;
}

/** Everything that was found, in order of place. */
export interface CheckResult {
  readonly errors: readonly SpacktainersError[];
  readonly warnings: readonly SpacktainersError[];
  /** Files read. */
  readonly checked: number;
}

/**
 * Finds every problem in the configuration and in the definitions asked for, without any network. What is wrong with other
 * definitions is not theirs.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`
 */
export async function checkDefinitions(request: CheckRequest): Promise<CheckResult> {
  const repository = await openRepository(request.directory);
  const { configuration } = repository;
  const arch = asArchitecture(request.arch);
  const definitions = await selectDefinitions(repository, {
    names: request.names,
    cwd: request.directory,
    arch,
  });
  const all = request.names.length === 0 && arch === undefined;
  const ofPlaces = all ? repository.errors : [...repository.generalErrors, ...placeErrors(definitions)];
  const containers = definitions.flatMap((one) => (one.kind === "broken" ? (one.container ?? []) : one));
  const errors: SpacktainersError[] = [
    ...ofPlaces,
    ...checkConfiguration(configuration),
    ...checkTargets(configuration, containers),
    ...(await checkNamedFiles(configuration)),
  ];
  const warnings: SpacktainersError[] = [...repository.warnings];
  let checked = configuration.file === undefined ? 0 : 1;
  for (const container of containers) {
    const found = await checkContainer(container, configuration);
    errors.push(...found.errors);
    warnings.push(...found.warnings);
    checked += found.checked;
  }
  return { errors: inOrderOfPlace(errors), warnings: inOrderOfPlace(warnings), checked };
}

/** What is wrong with the places of definitions; with two of one name, once. */
function placeErrors(definitions: readonly Definition[]): readonly SpacktainersError[] {
  return [...new Set(definitions.flatMap((one) => (one.kind === "broken" ? one.errors : [])))];
}

/** Everything that is wrong in the files of a container. */
async function checkContainer(container: Container, configured: Configuration): Promise<CheckResult> {
  let configuration = configured;
  const errors: SpacktainersError[] = [];
  const warnings: SpacktainersError[] = [];
  let checked = 1;
  // What is wrong with one file says nothing of the others.
  const attempt = (work: () => Promise<void>): Promise<void> =>
    work().catch((error: unknown) => void errors.push(...errorsOf(error, { file: container.path })));
  if (container.kind === "def") {
    await attempt(async () => {
      const problems = readDefFile(await readTextFile(container.path, 1024 * 1024), container.path);
      const contents = problems.stages.map(defContents);
      errors.push(...problems.errors, ...contents.flatMap((stage) => stage.errors));
      warnings.push(...problems.warnings, ...(await withoutApptainer(contents)));
    });
    return { errors, warnings, checked };
  }
  let environment: Environment | undefined;
  await attempt(async () => {
    const section = await withContainerSection(configured, container);
    configuration = section.configuration;
    warnings.push(...section.warnings);
    const reading = await loadManifest(container.path, await configuredReading(container, configuration));
    environment = reading.environment;
    errors.push(...reading.errors);
    warnings.push(...reading.warnings);
    if (environment !== undefined) warnings.push(...movedPlaces(environment, configuration));
    if (environment !== undefined && hasNoSpecs(environment)) errors.push(noSpecs(container.path));
  });
  const { tests, lock, epilogue } = container;
  if (tests !== undefined) {
    checked++;
    await attempt(async () => {
      errors.push(...readTestsFile(await readTextFile(tests, yamlLimits.bytes), tests).problems.errors);
    });
  }
  if (epilogue !== undefined) {
    checked++;
    await attempt(async () => {
      await planEpilogue(epilogue, container, {
        epilogue: configuration.epilogue,
        buildArguments: new Map(),
        network: undefined,
      });
    });
  }
  if (lock !== undefined) {
    checked++;
    await attempt(async () => {
      const read = await loadLock(lock);
      if (environment !== undefined) warnings.push(...lockStaleness(read, environment));
    });
  }
  return { errors, warnings, checked };
}

/** Sections that this machine cannot carry out: another one may. */
async function withoutApptainer(stages: readonly DefContents[]): Promise<readonly SpacktainersError[]> {
  const needed = stages.flatMap(({ needsApptainer }) => needsApptainer);
  if (needed.length === 0) return [];
  if ((await findProgram("apptainer")) !== undefined || (await findProgram("singularity")) !== undefined)
    return [];
  return needed.map(
    ({ what, place }) =>
      new SpacktainersError("RUNTIME_MISSING", `${what} needs Apptainer, which is not installed here`, {
        place,
        hint: "build it where Apptainer is installed",
      }),
  );
}
