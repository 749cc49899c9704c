import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { file, hostPrograms, writeTestLayout } from "../support/hostImage.ts";

describe("job, for an image that doctor warns of", () => {
  let work: Workplace;
  beforeAll(async () => {
    work = makeWorkplace("spacktainers: 1\nsites: {here: {runtime: native, prologue: echo ready}}\n");
    const layers = [[...hostPrograms(["sh", "bash"]), file("etc/ld.so.preload", "/opt/gone.so\n")]];
    await writeTestLayout(work.path("image"), { layers, config: { Cmd: ["bash"] } });
  });
  afterAll(() => work.remove());

  const warning = /warning {2}\/opt\/gone\.so is to be loaded into every program/;

  it("says so, and writes the script all the same", async () => {
    const doctor = await work.run(["doctor", "here", "image"]);
    expect(doctor.stdout).toMatch(/^image at here: may work\n(?:.*\n)*.*warning +preload/);
    const job = await work.run(["job", "image", "--site", "here", "-q", "--", "bash"]);
    expect(job.stderr).toMatch(warning);
    expect(job.stdout).toContain("\necho ready\n");
    expect(job.status).toBe(0);
  });

  it("refuses it with --strict", async () => {
    writeFileSync(work.path("job.sh"), "before");
    const job = await work.run(["job", "image", "--site", "here", "--strict", "-o", "job.sh", "--", "bash"]);
    expect(job.stderr).toMatch(/error {2}SITE_MISMATCH {2}\/opt\/gone\.so/);
    expect(job.stdout).toBe("");
    expect(job.status).toBe(1);
  });

  it("says nothing where nothing is checked", async () => {
    const job = await work.run(["job", "image", "--site", "here", "--no-check", "--", "bash"]);
    expect(job.stderr).not.toMatch(warning);
    expect(job.status).toBe(0);
  });
});
