import { expect, it } from "vitest";
import { type BaseTools, startBase } from "../../../src/pipeline/base/startBase.ts";
import type { ImageRepository } from "../../../src/registry/registry.ts";
import { SpacktainersError } from "../../../src/util/errors.ts";
import { ignoreEvents } from "../../../src/util/events.ts";

/** Tools whose registry answers as it is told, and only then. */
function tools(answer: () => ImageRepository, signal = new AbortController().signal): BaseTools {
  return {
    baseCacheDir: "/nonexistent/spacktainers-base",
    registries: { repository: answer, close: async () => {} },
    emit: ignoreEvents,
    signal,
  };
}

const wanted = {
  configured: { kind: "image", reference: "registry.example/base:1" },
  architecture: "amd64",
  lock: undefined,
  refresh: false,
} as const;
const failure = new SpacktainersError("NETWORK", "not there");
const refuse = (): ImageRepository => {
  throw failure;
};

it("is quiet about a base that fails until somebody asks for it", async () => {
  const base = startBase(wanted, tools(refuse));
  await base.abandon(new Error("there will be no image"));
  await expect(base.planned).rejects.toBe(failure);
});

it("stops what goes on for a base that nobody wants any more, and only that", async () => {
  const everything = new AbortController();
  const [first, second] = [1, 2].map(() => startBase(wanted, tools(refuse, everything.signal)));
  const reason = new SpacktainersError("NO_SOLUTION", "no such package");
  await first?.abandon(reason);
  expect(first?.options.signal?.reason).toBe(reason);
  expect(second?.options.signal?.aborted).toBe(false);
  everything.abort();
  expect(second?.options.signal?.aborted).toBe(true);
});
