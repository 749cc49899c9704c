import { describe, expect, it } from "vitest";
import { builderImage } from "../../src/definitions/builderImage.ts";
import { readConfiguration } from "../../src/definitions/configuration.ts";
import { bytesOfMemory, secondsOfLimit } from "../../src/definitions/slurmConfiguration.ts";
import { chosenExecutor } from "../../src/definitions/spackConfiguration.ts";

const read = (text: string) => readConfiguration(text, "/repo/spacktainers.yaml");

describe("spack: slurm:", () => {
  it("reads what jobs ask for, as sbatch takes it", () => {
    const { configuration, problems } = read(
      'spack: { executor: slurm, slurm: { partition: build, account: proj, time: "1-02:00", memory: 8G, cores: 16, poll: 30, args: [--exclusive] } }',
    );
    expect(problems.errors).toEqual([]);
    expect(configuration?.spack.slurm).toEqual({
      partition: "build",
      account: "proj",
      qos: undefined,
      constraint: undefined,
      time: 93_600,
      memory: 8 * 2 ** 30,
      cores: 16,
      poll: 30,
      args: ["--exclusive"],
    });
  });

  it("refuses what is none, at its place", () => {
    const problemsOf = (text: string) =>
      read(text).problems.errors.map(({ place, message }) => `${place.line}:${place.column} ${message}`);
    expect(problemsOf("spack:\n  executor: cloud\n")).toEqual([expect.stringMatching(/^2:13 /)]);
    expect(problemsOf("spack:\n  slurm: { args: [exclusive] }\n")).toEqual([
      expect.stringContaining("must be an option of sbatch"),
    ]);
    expect(problemsOf("spack:\n  slurm: { poll: 0 }\n")).toHaveLength(1);
    expect(problemsOf("spack:\n  slurm: { partition: '-x y' }\n")).toHaveLength(1);
  });

  it.each([
    ["30", 1800],
    ["30:15", 1815],
    ["2:00:00", 7200],
    ["1-12", 129_600],
    ["1-02:30:01", 95_401],
    ["unlimited", Number.POSITIVE_INFINITY],
  ])("reads the time limit %s", (text, seconds) => {
    expect(secondsOfLimit(text)).toBe(seconds);
  });

  it.each([
    ["512", 512 * 2 ** 20],
    ["4G", 4 * 2 ** 30],
    ["100K", 102_400],
    ["1T", 2 ** 40],
  ])("reads the memory %s", (text, bytes) => {
    expect(bytesOfMemory(text)).toBe(bytes);
  });
});

describe("the builder image", () => {
  it("is a path when it looks like one, and what packages are then built in", () => {
    const absolute = (path: string) => `/repo/${path}`;
    expect(builderImage("images/builder.sif", absolute)).toBe("/repo/images/builder.sif");
    expect(builderImage("./builder", absolute)).toBe("/repo/./builder");
    expect(builderImage("ghcr.io/org/spack-builder:1", absolute)).toBe("ghcr.io/org/spack-builder:1");
    expect(builderImage("local_builder", absolute)).toBe("local_builder");
    const { configuration } = read("spack: { builder: builder.sif, engine: apptainer }");
    expect(configuration?.spack).toMatchObject({
      builder: { image: "/repo/builder.sif" },
      engine: "apptainer",
    });
    expect(chosenExecutor({ executor: undefined, builder: configuration?.spack.builder })).toBe("container");
    expect(chosenExecutor({ executor: undefined, builder: undefined })).toBe("host");
  });
});
