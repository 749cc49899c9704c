import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Image } from "../../../src/image/image.ts";
import { layerEntries } from "../../../src/image/layerEntries.ts";
import { openLayout } from "../../../src/image/openLayout.ts";
import type { OpenReference } from "../../../src/pipeline/images/openReference.ts";
import { platformsFor, withImage } from "../../../src/pipeline/images/openSubject.ts";
import { openSoundRepository } from "../../../src/pipeline/workspace/workspace.ts";
import { SpacktainersError } from "../../../src/util/errors.ts";
import type { WorkEvent } from "../../../src/util/events.ts";
import {
  everyForm,
  type FormName,
  squashfsForms,
  squashfsTrouble,
  writeEveryForm,
} from "../../support/everyForm.ts";
import { file } from "../../support/hostImage.ts";

let directory: string;
let events: WorkEvent[];
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "spacktainers-open-"));
  vi.stubEnv("XDG_CACHE_HOME", join(directory, "cache-home"));
  mkdirSync(join(directory, "container_definitions/amd64"), { recursive: true });
  writeFileSync(
    join(directory, "container_definitions/amd64/hello.yaml"),
    "spack:\n  specs: [hello]\ncontainer:\n  mpi: false\n",
  );
  writeFileSync(join(directory, "spacktainers.yaml"), "registries:\n- {url: ghcr.io/my-org}\n");
  await writeEveryForm(directory, { layers: [[file("hello", "world")]], architecture: "amd64" });
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  events = [];
});

async function use<T>(text: string, work: (image: Image) => Promise<T>, open?: OpenReference): Promise<T> {
  const repository = await openSoundRepository(directory);
  const question = {
    directory,
    arch: "amd64",
    emit: (event: WorkEvent) => events.push(event),
    signal: new AbortController().signal,
    open,
  };
  return withImage(text, repository, question, ({ image }) => work(image));
}

/** Content of the image's file `hello`. */
async function helloOf(image: Image): Promise<string> {
  let text = "";
  for (const layer of await image.layers())
    for await (const entry of layerEntries(layer))
      if (entry.path === "hello" && entry.type === "file")
        for await (const chunk of entry.content) text += Buffer.from(chunk).toString();
  return text;
}

const trouble = squashfsTrouble();
it.each(Object.entries(everyForm))("reads the files of a %s", async (form, text) => {
  if (trouble !== undefined && squashfsForms.includes(form as FormName)) return;
  const image = await use(text, async (opened) => {
    expect(await helloOf(opened)).toBe("world");
    return opened;
  });
  expect((await image.config()).value.architecture).toBe("amd64");
  expect(events).toEqual([]);
});

describe("a container that is not built", () => {
  /** A registry that has the test's image. */
  const published: OpenReference = async ({ name, platforms }) => ({
    ...(await openLayout(join(directory, "image"), { platforms, reference: undefined })),
    reference: `docker://${name}@sha256:0`,
  });
  const notice = (by: string) => ({
    type: "warning",
    code: "NOTICE",
    message: `hello is not built here: ${by} is used`,
    hint: "spacktainers build hello",
  });

  it("is read where it is published, which is said", async () => {
    expect(await use("hello", helloOf, published)).toBe("world");
    expect(events).toEqual([notice("docker://ghcr.io/my-org/hello:latest@sha256:0, which is published,")]);
  });

  it("is what was pulled, which is said", async () => {
    const path = join(directory, "hello.sif");
    mkdirSync(join(path, ".singularity.d"), { recursive: true });
    writeFileSync(join(path, "hello"), "pulled");
    expect(await use("hello", helloOf, published)).toBe("pulled");
    expect(events).toEqual([notice(`${path}, which is pulled,`)]);
    rmSync(path, { recursive: true });
  });

  it("is to be built when its registry cannot be reached", async () => {
    const open: OpenReference = () => Promise.reject(new SpacktainersError("NETWORK", "nobody answers"));
    await expect(use("hello", helloOf, open)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("nobody answers"),
      hint: "spacktainers build hello",
    });
  });
});

it("closes the image when it was used, and when its use fails", async () => {
  let closed = 0;
  const open: OpenReference = async ({ platforms }) => ({
    ...(await openLayout(join(directory, "image"), { platforms, reference: undefined })),
    close: async () => {
      closed++;
    },
  });
  await use("docker://ghcr.io/a/b", helloOf, open);
  expect(closed).toBe(1);
  const failing = use("docker://ghcr.io/a/b", () => Promise.reject(new Error("no")), open);
  await expect(failing).rejects.toThrow("no");
  expect(closed).toBe(2);
});

it("looks for this machine's architecture first when none is asked for", () => {
  const here = process.arch === "x64" ? "amd64" : process.arch;
  expect(platformsFor(undefined)[0]?.architecture).toBe(here);
  expect(platformsFor("arm64").map(({ architecture }) => architecture)).toEqual(["arm64"]);
});
