/** Every executor does what all are to do: on this machine, in a builder image by every engine that is here, as jobs of Slurm. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, it } from "vitest";
import { builderEngines } from "../../src/definitions/executorNames.ts";
import { completeSlurm } from "../../src/definitions/slurmConfiguration.ts";
import { openBuilderContainer } from "../../src/spack/container/openBuilderContainer.ts";
import { openContainerExecutor } from "../../src/spack/executors/containerExecutor.ts";
import { openHostExecutor } from "../../src/spack/executors/hostExecutor.ts";
import { openSlurmExecutor } from "../../src/spack/executors/slurmExecutor.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { findProgram } from "../../src/util/tool.ts";
import { engineEnvironment, engineTrouble, writeBuilderLayout } from "../support/builderImage.ts";
import { builtModules } from "../support/builtProject.ts";
import { executorConformance } from "../support/executorConformance.ts";
import { removeFolder } from "../support/removeFolder.ts";
import { type SlurmCluster, slurmTrouble, startSlurm } from "../support/slurm.ts";

const python = await findProgram("python3");
const skipped = (what: string, why: string): void => {
  describe.skip(`${what} (${why})`, () => it.skip("is tried", () => {}));
};

const folder = mkdtempSync(join(tmpdir(), "spacktainers-executors-"));
let cluster: SlurmCluster | undefined;
afterAll(() => {
  cluster?.stop();
  removeFolder(folder);
});

const start = "await executor.start(JSON.parse(process.argv[1]), []); setInterval(() => {}, 1000);";

if (python === undefined) skipped("executors", "needs python3");
else {
  executorConformance("host", {
    open: async () => openHostExecutor(python),
    local: true,
    elsewhere: `
      const { openHostExecutor } = await import("${builtModules}/spack/executors/hostExecutor.js");
      const executor = openHostExecutor(${JSON.stringify(python)});
      ${start}`,
  });

  Object.assign(process.env, engineEnvironment(folder));
  const layout = await writeBuilderLayout(join(folder, "layout"));
  for (const engine of builderEngines) {
    const trouble = engineTrouble(engine);
    if (trouble !== undefined) {
      skipped(`container by ${engine}`, trouble);
      continue;
    }
    const home = join(folder, `home-${engine}`);
    const choice = { image: layout, engines: [engine], place: {} };
    const places = { home, temporary: join(home, "tmp"), read: [], needs: "shell" as const };
    executorConformance(`container by ${engine}`, {
      async open() {
        const container = await openBuilderContainer(choice, { ...places, emit: ignoreEvents });
        const executor = openContainerExecutor(python, container);
        return {
          ...executor,
          close: async () => {
            await executor.close();
            await container.close();
          },
        };
      },
      folder: home,
      // Podman and Docker number processes apart.
      local: engine === "buildah" || engine === "apptainer",
      measured: engine !== "docker",
      ...(engine === "buildah"
        ? { adds: /^(?:subprocess exited with status \d+|Error: exit status \d+)\n/gm }
        : {}),
      patience: 180_000,
      elsewhere: `
        const { openBuilderContainer } = await import("${builtModules}/spack/container/openBuilderContainer.js");
        const { openContainerExecutor } = await import("${builtModules}/spack/executors/containerExecutor.js");
        const places = ${JSON.stringify(places)};
        const container = await openBuilderContainer(${JSON.stringify(choice)}, { ...places, emit: () => {} });
        const executor = openContainerExecutor(${JSON.stringify(python)}, container);
        ${start}`,
    });
  }

  const noSlurm = slurmTrouble();
  if (noSlurm !== undefined) skipped("slurm", noSlurm);
  else {
    cluster = await startSlurm();
    Object.assign(process.env, cluster.environment);
    let runs = 0;
    executorConformance("slurm", {
      open: () =>
        openSlurmExecutor({
          python,
          container: undefined,
          settings: completeSlurm({ poll: 1 }),
          logs: join(folder, `logs-${runs++}`),
          wanted: () => true,
          isBuilt: async () => false,
          holdsBack: true,
          emit: ignoreEvents,
        }),
      local: true,
      patience: 180_000,
    });

    if (engineTrouble("apptainer") === undefined) {
      const home = join(folder, "home-slurm");
      executorConformance("slurm in a builder image", {
        async open() {
          const container = await openBuilderContainer(
            { image: layout, engines: ["apptainer"], place: {} },
            { home, temporary: join(home, "tmp"), read: [], needs: "shell", emit: ignoreEvents },
          );
          return openSlurmExecutor({
            python,
            container,
            settings: completeSlurm({ poll: 1 }),
            logs: join(folder, `logs-${runs++}`),
            wanted: () => true,
            isBuilt: async () => false,
            holdsBack: true,
            emit: ignoreEvents,
          });
        },
        folder: home,
        local: true,
        patience: 180_000,
      });
    }
  }
}
