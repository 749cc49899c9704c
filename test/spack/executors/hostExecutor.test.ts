import { describe, it } from "vitest";
import { openHostExecutor } from "../../../src/spack/executors/hostExecutor.ts";
import { findProgram } from "../../../src/util/tool.ts";
import { executorConformance } from "../../support/executorConformance.ts";

const python = await findProgram("python3");
if (python === undefined) describe.skip("hostExecutor (needs python3)", () => it.skip("is tried", () => {}));
else executorConformance("host", { open: async () => openHostExecutor(python), local: true });
