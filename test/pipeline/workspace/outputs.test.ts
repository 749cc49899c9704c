import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Output, writeOutputs } from "../../../src/pipeline/workspace/outputs.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import { file } from "../../archive/streams.ts";
import { image, layer } from "../../image/fixtures.ts";

let directory: string;
let events: WorkEvent[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-outputs-"));
  events = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const names = { name: "hello", arch: "amd64", version: "1.0" };

async function write(outputs: readonly Output[], signal = new AbortController().signal): Promise<void> {
  const small = image([await layer(directory, "layer", [file("opt/a", "content")])]);
  await writeOutputs(small, outputs, names, {
    directory,
    force: false,
    facts: undefined,
    emit: (event) => void events.push(event),
    signal,
  });
}

const ends = () => events.flatMap((event) => (event.type === "task-end" ? [[event.id, event.outcome]] : []));

describe("writing outputs", () => {
  it("reports one task a place", async () => {
    await write([
      { kind: "oci", path: join(directory, "one") },
      { kind: "docker-archive", path: join(directory, "two.tar") },
    ]);
    expect(events[0]).toEqual({ type: "stage", stage: "write-image" });
    expect(events.flatMap((event) => (event.type === "task-start" ? [event.label] : []))).toEqual([
      "oci:one",
      "docker-archive:two.tar",
    ]);
    expect(ends()).toEqual([
      [`write:${join(directory, "one")}`, "done"],
      [`write:${join(directory, "two.tar")}`, "done"],
    ]);
  });

  it("ends the task of a place that cannot be written as failed", async () => {
    const taken = join(directory, "taken");
    mkdirSync(taken);
    writeFileSync(join(taken, "notes"), "somebody's");
    await expect(
      write([
        { kind: "oci", path: taken },
        { kind: "oci", path: join(directory, "never") },
      ]),
    ).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(ends()).toEqual([[`write:${taken}`, "failed"]]);
  });
});
