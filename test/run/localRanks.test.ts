import { describe, expect, it } from "vitest";
import { localRanks } from "../../src/run/localRanks.ts";

describe("localRanks", () => {
  it.each([
    [
      { SLURM_LOCALID: "1", SLURM_STEP_TASKS_PER_NODE: "4" },
      { own: 1, count: 4 },
    ],
    [
      { SLURM_LOCALID: "0", SLURM_STEP_TASKS_PER_NODE: "4(x2),3", SLURM_NODEID: "1" },
      { own: 0, count: 4 },
    ],
    [
      { SLURM_LOCALID: "2", SLURM_STEP_TASKS_PER_NODE: "4(x2),3", SLURM_NODEID: "2" },
      { own: 2, count: 3 },
    ],
    [
      { SLURM_LOCALID: "0", SLURM_STEP_TASKS_PER_NODE: "1,5,2(x3)", SLURM_NODEID: "4" },
      { own: 0, count: 2 },
    ],
    [
      { MPI_LOCALRANKID: "3", MPI_LOCALNRANKS: "8" },
      { own: 3, count: 8 },
    ],
    [
      { OMPI_COMM_WORLD_LOCAL_RANK: "0", OMPI_COMM_WORLD_LOCAL_SIZE: "2" },
      { own: 0, count: 2 },
    ],
    [
      { PALS_LOCAL_RANKID: "5", PALS_LOCAL_SIZE: "6" },
      { own: 5, count: 6 },
    ],
  ])("reads %j", (env, ranks) => {
    expect(localRanks(env)).toEqual(ranks);
  });

  it.each([
    {},
    { SLURM_LOCALID: "1" },
    { SLURM_LOCALID: "0", SLURM_STEP_TASKS_PER_NODE: "4", SLURM_NODEID: "1" },
    { SLURM_LOCALID: "0", SLURM_STEP_TASKS_PER_NODE: "four" },
    { MPI_LOCALRANKID: "-1", MPI_LOCALNRANKS: "8" },
  ])("knows nothing from %j", (env) => {
    expect(localRanks(env)).toBeUndefined();
  });
});
