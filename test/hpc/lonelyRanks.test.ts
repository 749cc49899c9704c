import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { ImageProfile } from "../../src/hpc/imageProfile.ts";
import { lonelyRanks, stepPmi } from "../../src/hpc/lonelyRanks.ts";
import { openLayout } from "../../src/image/openLayout.ts";
import { writeLdSoCache } from "../../src/view/ldSoCache.ts";
import { file, hostArchitecture, writeTestLayout } from "../support/hostImage.ts";
import { mpich, openMpi, soundFacts } from "./imageProfileOf.ts";

const step = { SLURM_PROCID: "0", SLURM_STEP_NUM_TASKS: "4", SLURM_JOB_ID: "7", SLURM_PMI_SETTING: "x" };

describe("stepPmi", () => {
  it.each([
    [{}, []],
    [{ PMI_RANK: "0", PMI_FD: "7" }, ["pmi1", "pmi2"]],
    [{ PMIX_RANK: "0" }, ["pmix"]],
    [{ PALS_APID: "x", PMI_CONTROL_PORT: "1" }, ["cray"]],
  ])("knows what tasks with %j can meet by", (env, flavours) => {
    for (const mode of ["auto", "launcher"] as const)
      expect(stepPmi(mode, { ...step, ...env })).toEqual({ tasks: 4, flavours });
  });

  it("is silent about one task, other tasks, other launchers, and where none is asked for", () => {
    expect(stepPmi("auto", { ...step, SLURM_STEP_NUM_TASKS: "1" })).toBeUndefined();
    expect(stepPmi("auto", { ...step, SLURM_PROCID: "1" })).toBeUndefined();
    expect(stepPmi("auto", { PMI_RANK: "0", PMI_SIZE: "2" })).toBeUndefined();
    expect(stepPmi("none", step)).toBeUndefined();
  });
});

describe("lonelyRanks", () => {
  const folder = mkdtempSync(join(tmpdir(), "spacktainers-lonely-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;

  async function warningFor(
    libraries: readonly string[],
    flavours: readonly ("pmi1" | "pmi2" | "pmix" | "cray")[],
    facts: Partial<ImageProfile>,
  ): Promise<{ readonly text: string; readonly read: number }> {
    const cache = writeLdSoCache(
      libraries.map((name) => ({ name, path: `/opt/lib/${name}`, flags: 0x0303 })),
    );
    const layout = await writeTestLayout(join(folder, `image${count++}`), {
      layers: [[file("etc/ld.so.cache", "old")], [file("etc/ld.so.cache", cache)], [file("etc/motd", "x")]],
    });
    const platform = { os: "linux", architecture: hostArchitecture };
    const image = await openLayout(layout, { platforms: [platform], reference: undefined });
    let read = 0;
    const warning = await lonelyRanks({ tasks: 4, flavours }, image, async () => {
      read++;
      return { ...soundFacts, cachedMpi: undefined, ...facts };
    });
    return { text: `${warning?.message ?? ""} ${warning?.hint ?? ""}`, read };
  }

  it("says how they find one another", async () => {
    const mpich4 = await warningFor(["libmpi.so.12", "libz.so.1"], [], { mpi: [mpich] });
    expect(mpich4.text).toMatch(
      /^srun started 4 tasks without PMI: .*MPICH 4\.0\.2 is alone.*srun --mpi=pmi2/,
    );
    const open = await warningFor(["libmpi.so.40"], [], { mpi: [openMpi] });
    expect(open.text).toMatch(/without PMI: .*Open MPI.*srun --mpi=pmix/);
  });

  it("knows that not every way is every library's", async () => {
    const mpichByPmix = await warningFor(["libmpi.so.12"], ["pmix"], { mpi: [mpich] });
    expect(mpichByPmix.text).toMatch(/with PMIx alone: .*MPICH.*srun --mpi=pmi2/);
    const openByPmi2 = await warningFor(["libmpi.so.40"], ["pmi1", "pmi2"], { mpi: [openMpi] });
    expect(openByPmi2.text).toMatch(/with PMI-1 and PMI-2 alone: .*Open MPI.*srun --mpi=pmix/);
    const both = { ...mpich, pmi: [...mpich.pmi, { flavour: "pmix" as const, evidence: "x" }] };
    expect((await warningFor(["libmpi.so.12"], ["pmix"], { mpi: [both] })).text).toBe(" ");
  });

  it("reads no more than it has to where all is well", async () => {
    expect(await warningFor(["libmpi.so.12"], ["pmi1", "pmi2"], {})).toEqual({ text: " ", read: 0 });
    expect(await warningFor(["libmpi.so.40"], ["pmix"], {})).toEqual({ text: " ", read: 0 });
    expect(await warningFor(["libz.so.1"], [], {})).toEqual({ text: " ", read: 0 });
    expect(await warningFor(["libmpi.so.12"], ["cray"], {})).toEqual({ text: " ", read: 0 });
  });
});
