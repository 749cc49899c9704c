import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { checkHost, readHostProfile, srunContainers } from "../../src/hpc/hostProfile.ts";
import { writeClusterStandIns } from "../support/clusterStandIns.ts";

describe("srunContainers", () => {
  it("goes by the options that srun says it has", () => {
    const plain =
      "      --container             Path to OCI container bundle\n      --contiguous            demand\n";
    expect(srunContainers(plain)).toEqual(["slurm"]);
    expect(
      srunContainers(
        `${plain}      --container-image=[USER@][REGISTRY#]IMAGE[:TAG]|PATH\n                              [pyxis] the image\n`,
      ),
    ).toEqual(["pyxis", "slurm"]);
    expect(srunContainers("      --environment=FILE  [ce] the environment\n")).toEqual(["container-engine"]);
    expect(srunContainers("")).toEqual([]);
  });
});

describe("a machine of a cluster", () => {
  let folder: string;
  let path: string | undefined;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "spacktainers-host-"));
    path = process.env.PATH;
  });
  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true, force: true });
  });

  it("has runtimes that only clusters have", async () => {
    writeClusterStandIns(join(folder, "bin"), join(folder, "log"), [
      "enroot",
      "shifter",
      "ch-run",
      "podman-hpc",
    ]);
    process.env.PATH = `${join(folder, "bin")}:${path}`;
    const facts = await readHostProfile();
    const names = ["enroot", "shifter", "charliecloud", "podman-hpc"];
    const found = facts.runtimes.filter(({ name }) => names.includes(name));
    expect(found.map(({ name }) => name).sort()).toEqual([...names].sort());
    const shifter = found.find(({ name }) => name === "shifter");
    expect(shifter).toMatchObject({ version: "", trouble: undefined, path: join(folder, "bin/shifter") });
    expect(checkHost(facts)).toContainEqual(
      expect.objectContaining({ check: "runtime", message: "shifter works" }),
    );
  });
});
