import { defContents } from "../../definitions/defContents.ts";
import { readDefFile } from "../../definitions/defFile.ts";
import { yamlLimits } from "../../definitions/positionedYaml.ts";
import { inOrderOfPlace } from "../../definitions/problems.ts";
import { readTextFile } from "../../definitions/repository.ts";
import { selectContainers } from "../../definitions/select.ts";
import { readTestsFile } from "../../definitions/testsFile.ts";
import { loadLock, loadManifest } from "../../environment/load.ts";
import { lockStaleness } from "../../environment/lock.ts";
import { configuredReading } from "../../pipeline/choose/environmentOptions.ts";
import { hasNoSpecs, noSpecs } from "../../pipeline/choose/noSpecs.ts";
import { asArchitecture } from "../../pipeline/workspace/architecture.ts";
import { checkConfiguration } from "../../pipeline/workspace/checkConfiguration.ts";
import { openRepository } from "../../pipeline/workspace/workspace.ts";
import { asSpacktainersError, type SpacktainersError } from "../../util/errors.ts";

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
 * Finds every problem in the configuration and the definitions of a repository, without any network.
 *
 * @throws {SpacktainersError} `UNKNOWN_CONTAINER`
 */
export async function checkDefinitions(request: CheckRequest): Promise<CheckResult> {
  const repository = await openRepository(request.directory);
  const arch = asArchitecture(request.arch);
  const containers = await selectContainers(repository, {
    names: request.names,
    cwd: request.directory,
    ...(arch === undefined ? {} : { arch }),
  });
  const errors: SpacktainersError[] = [...repository.errors, ...checkConfiguration(repository.configuration)];
  const warnings: SpacktainersError[] = [...repository.warnings];
  let checked = repository.configuration.file === undefined ? 0 : 1;
  for (const container of containers) {
    checked++;
    try {
      if (container.kind === "def") {
        const problems = readDefFile(await readTextFile(container.path, 1024 * 1024), container.path);
        errors.push(...problems.errors, ...problems.stages.flatMap((stage) => defContents(stage).errors));
        warnings.push(...problems.warnings);
        continue;
      }
      const options = configuredReading(container, repository.configuration);
      const reading = await loadManifest(container.path, options);
      errors.push(...reading.errors);
      warnings.push(...reading.warnings);
      if (reading.environment !== undefined && hasNoSpecs(reading.environment))
        errors.push(noSpecs(container.path));
      if (container.tests !== undefined) {
        checked++;
        const text = await readTextFile(container.tests, yamlLimits.bytes);
        errors.push(...readTestsFile(text, container.tests).problems.errors);
      }
      if (container.lock !== undefined) {
        checked++;
        const lock = await loadLock(container.lock);
        if (reading.environment !== undefined) warnings.push(...lockStaleness(lock, reading.environment));
      }
    } catch (error) {
      errors.push(asSpacktainersError(error, { file: container.path }));
    }
  }
  return { errors: inOrderOfPlace(errors), warnings: inOrderOfPlace(warnings), checked };
}
