import { hostEnvironment } from "../../util/surroundings.ts";
import type { BuilderContainer } from "../container/builderContainer.ts";
import type { SupervisedStep } from "../supervise.ts";
import type { BuildTask, Executor } from "./executor.ts";
import { openHostExecutor } from "./hostExecutor.ts";

/** Seconds that an engine may take to tidy up behind a container. */
const linger = 5;

/** The commands of a task as they are run in a builder image, and what has to be set for them. */
export function taskInside(
  container: BuilderContainer,
  { steps, env, cwd }: Pick<BuildTask, "steps" | "env" | "cwd">,
): { readonly steps: readonly SupervisedStep[]; readonly variables: NodeJS.ProcessEnv } {
  const wrapped = steps.map(({ name, argv, paths }) => ({
    name,
    outer: container.wrap({ argv, env, cwd, paths, oneStream: true }),
  }));
  return {
    steps: wrapped.map(({ name, outer: { argv, cleanup } }) => ({ name, argv, cleanup, linger })),
    variables: Object.assign({}, ...wrapped.map(({ outer }) => outer.variables)) as NodeJS.ProcessEnv,
  };
}

/**
 * Builds on this machine in a builder image: a container for each command, of which no process outlives us. What the image's
 * engine starts is ended with it.
 *
 * @param python absolute path of a Python 3 of this machine, which watches over the tasks
 */
export function openContainerExecutor(python: string, container: BuilderContainer): Executor {
  return openHostExecutor(python, {
    name: "container",
    place: `${container.image} in ${container.engine}`,
    commands: (task) => {
      const { steps, variables } = taskInside(container, task);
      return { steps, env: { ...hostEnvironment(), ...variables } };
    },
    measured: container.isBelow,
    reason: (status) =>
      status === 125 && (container.engine === "podman" || container.engine === "docker")
        ? `${container.engine} could not run the builder image`
        : undefined,
  });
}
