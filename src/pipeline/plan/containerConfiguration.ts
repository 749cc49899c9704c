import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { EmitEvent } from "../../util/events.ts";
import { withContainerSection } from "./containerSection.ts";
import { withEpilogueNeeds } from "./epilogueNeeds.ts";

/**
 * The configuration of one container: that of the repository, what `container:` of its manifest adds, and what its
 * epilogue needs. What has no effect is reported.
 *
 * @throws SpacktainersError, SpacktainersErrors of reading the epilogue; errors of the system
 */
export async function containerConfiguration(
  configured: Configuration,
  container: Container,
  emit: EmitEvent,
): Promise<Configuration> {
  const { configuration, warnings } = await withContainerSection(configured, container);
  for (const { code, message, place, hint } of warnings)
    emit({ type: "warning", code, message, place, hint });
  return withEpilogueNeeds(configuration, container);
}
