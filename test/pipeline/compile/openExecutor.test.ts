import { describe, expect, it } from "vitest";
import { defaultConfiguration, readConfiguration } from "../../../src/definitions/configuration.ts";
import { builderEngines } from "../../../src/definitions/executorNames.ts";
import { buildPlace } from "../../../src/pipeline/compile/openExecutor.ts";

const configured = (text: string) =>
  readConfiguration(text, "/repo/spacktainers.yaml").configuration ?? defaultConfiguration("/repo");

describe("where packages are built", () => {
  it("is this machine, unless somebody says otherwise", () => {
    expect(buildPlace(configured(""))).toEqual({ executor: "host", builder: undefined });
    expect(buildPlace(configured(""), { executor: "container", builder: undefined })).toEqual({
      executor: "container",
      builder: { image: "local_builder", engines: builderEngines, place: {} },
    });
    expect(buildPlace(configured(""), { executor: undefined, builder: "/x.sif" })).toMatchObject({
      executor: "container",
      builder: { image: "/x.sif" },
    });
  });

  it("is as configured, and what is asked for goes over that", () => {
    const image = configured("spack: { builder: org/builder, engine: podman }");
    expect(buildPlace(image)).toMatchObject({
      executor: "container",
      builder: { image: "org/builder", engines: ["podman"], place: { line: 1 } },
    });
    expect(buildPlace(image, { executor: "host", builder: undefined })).toEqual({
      executor: "host",
      builder: undefined,
    });
    expect(buildPlace(image, { executor: undefined, builder: "other" }).builder?.image).toBe("other");
  });

  it("is the nodes of a cluster, in a builder image where one is named", () => {
    expect(buildPlace(configured("spack: { executor: slurm }"))).toEqual({
      executor: "slurm",
      builder: undefined,
    });
    expect(buildPlace(configured("spack: { executor: slurm, builder: b.sif }"))).toMatchObject({
      executor: "slurm",
      builder: { image: "/repo/b.sif", engines: ["apptainer", "singularity"] },
    });
    expect(
      buildPlace(configured("spack: { executor: slurm }"), { executor: undefined, builder: "/b.sif" }),
    ).toMatchObject({ executor: "slurm", builder: { image: "/b.sif" } });
  });
});
