import { describe, expect, it } from "vitest";
import type { BuildNode } from "../../src/spack/buildGraph.ts";
import type { BuildTask, Executor, TaskEnd, TaskHandle } from "../../src/spack/executors/executor.ts";
import { coresEach, type FailurePolicy, runSchedule, type Schedule } from "../../src/spack/schedule.ts";
import { estimateWork } from "../../src/spack/workEstimate.ts";
import type { DagHash } from "../../src/spec/concrete.ts";
import { graphOf, hashOf } from "../spec/graph.ts";

/** A graph by names: what each package waits for. */
function nodesOf(text: Record<string, string>): readonly BuildNode[] {
  const specs = graphOf(Object.keys(text).map((name) => ({ name })));
  return Object.entries(text).map(([name, after]) => {
    const spec = specs.get(hashOf(name));
    if (spec === undefined) throw new Error(name);
    return { spec, after: after === "" ? [] : after.split(" ").map(hashOf), buildOnly: false };
  });
}

const diamond = nodesOf({ zlib: "", cmake: "", hdf: "zlib cmake", tool: "zlib", app: "hdf tool" });

/** An executor whose tasks end when the test says so; what it was asked for is in `story`. */
function scriptedExecutor(holdsBack = false) {
  const story: string[] = [];
  const ends = new Map<
    TaskHandle,
    { end: Promise<TaskEnd>; finish: (outcome: TaskEnd["outcome"]) => void }
  >();
  const running = new Map<string, TaskHandle>();
  const begins = new Map<string, () => void>();
  const executor: Executor = {
    name: "scripted",
    holdsBack,
    sharesCores: true,
    begun: (handle) =>
      holdsBack
        ? Promise.race([
            new Promise<boolean>((resolve) => begins.set(handle.task.label, () => resolve(true))),
            (ends.get(handle)?.end ?? Promise.reject(new Error("unknown"))).then(() => false),
          ])
        : Promise.resolve(true),
    async start(task, after) {
      const afterwards = after.map((handle) => handle.task.label).join(" ");
      story.push(
        `start ${task.label}${afterwards === "" ? "" : ` after ${afterwards}`} on ${task.resources.cores}`,
      );
      const handle = { task, place: "" };
      let finish: (outcome: TaskEnd["outcome"]) => void = () => {};
      const end = new Promise<TaskEnd>((resolve) => {
        finish = (outcome) => {
          running.delete(task.label);
          resolve({ outcome, status: 0, step: "install", reason: undefined, seconds: 1, memory: undefined });
        };
      });
      ends.set(handle, { end, finish });
      running.set(task.label, handle);
      return handle;
    },
    finished: (handle) => ends.get(handle)?.end ?? Promise.reject(new Error("unknown")),
    async stop(handle) {
      story.push(`stop ${handle.task.label}`);
      ends.get(handle)?.finish("stopped");
    },
    close: async () => {},
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve, 1));
  return {
    executor,
    story,
    running,
    settle,
    /** A task that was held back begins. */
    async begin(label: string) {
      begins.get(label)?.();
      await settle();
    },
    /** Ends a task. */
    async end(label: string, outcome: TaskEnd["outcome"] = "done") {
      const handle = running.get(label);
      if (handle === undefined) throw new Error(`${label} does not run`);
      story.push(`${outcome} ${label}`);
      ends.get(handle)?.finish(outcome);
      await settle();
    },
  };
}

function start(
  nodes: readonly BuildNode[],
  scripted: ReturnType<typeof scriptedExecutor>,
  options: Partial<Schedule> & { readonly onFailure?: FailurePolicy } = {},
) {
  const abort = new AbortController();
  const result = runSchedule({
    nodes,
    executor: scripted.executor,
    atOnce: 2,
    cores: 4,
    onFailure: "finish",
    estimate: estimateWork(
      nodes.map(({ spec, after }) => ({ hash: spec.hash, after })),
      (hash: DagHash) => (hash === hashOf("cmake") ? 100 : 1),
      2,
    ),
    task: (node, cores): BuildTask => ({
      hash: node.spec.hash,
      work: "",
      label: node.spec.name,
      steps: [],
      log: "",
      env: {},
      cwd: "/",
      resources: { cores, memory: undefined, seconds: undefined },
    }),
    ended: async () => {},
    signal: abort.signal,
    ...options,
  });
  result.catch(() => {});
  return { result, abort };
}

const namesOf = (nodes: readonly BuildNode[]) => nodes.map(({ spec }) => spec.name).join(" ");

describe("runSchedule", () => {
  it("begins what is ready, what most waits for first, as many at once as it may", async () => {
    const scripted = scriptedExecutor();
    const { result } = start(diamond, scripted);
    await scripted.settle();
    expect([...scripted.running.keys()]).toEqual(["cmake", "zlib"]);
    await scripted.end("zlib");
    expect([...scripted.running.keys()]).toEqual(["cmake", "tool"]);
    await scripted.end("cmake");
    expect([...scripted.running.keys()]).toEqual(["tool", "hdf"]);
    await scripted.end("hdf");
    await scripted.end("tool");
    expect(scripted.story.at(-1)).toBe("start app after hdf tool on 4");
    await scripted.end("app");
    expect(namesOf((await result).done)).toBe("zlib cmake hdf tool app");
  });

  it("waits for what is done with a package before anything that depends on it begins", async () => {
    const scripted = scriptedExecutor();
    let published = (): void => {};
    const { result } = start(nodesOf({ lib: "", app: "lib" }), scripted, {
      ended: (node) =>
        node.spec.name === "lib" ? new Promise((resolve) => (published = resolve)) : Promise.resolve(),
    });
    await scripted.settle();
    await scripted.end("lib");
    expect(scripted.running.size).toBe(0);
    published();
    await scripted.settle();
    await scripted.end("app");
    expect(namesOf((await result).done)).toBe("lib app");
  });

  it("lets what runs finish when something fails, and begins nothing else", async () => {
    const scripted = scriptedExecutor();
    const { result } = start(diamond, scripted);
    await scripted.settle();
    await scripted.end("zlib", "failed");
    await scripted.end("cmake");
    const { done, failed, left } = await result;
    expect([namesOf(done), namesOf(failed.map(({ node }) => node)), namesOf(left)]).toEqual([
      "cmake",
      "zlib",
      "hdf tool app",
    ]);
  });

  it("goes on with what does not depend on it when asked to", async () => {
    const scripted = scriptedExecutor();
    const { result } = start(diamond, scripted, { onFailure: "keep-going" });
    await scripted.settle();
    await scripted.end("cmake", "failed");
    await scripted.end("zlib");
    await scripted.end("tool");
    const { done, left } = await result;
    expect([namesOf(done), namesOf(left)]).toEqual(["zlib tool", "hdf app"]);
  });

  it("stops what runs when asked to", async () => {
    const scripted = scriptedExecutor();
    const { result } = start(diamond, scripted, { onFailure: "stop" });
    await scripted.settle();
    await scripted.end("cmake", "failed");
    const { done, left } = await result;
    expect(scripted.story).toContain("stop zlib");
    expect([namesOf(done), namesOf(left)]).toEqual(["", "zlib hdf tool app"]);
  });

  it("stops when aborted, and when its own work fails", async () => {
    const aborted = scriptedExecutor();
    const first = start(diamond, aborted);
    await aborted.settle();
    first.abort.abort();
    expect(namesOf((await first.result).left)).toBe("zlib cmake hdf tool app");
    expect(aborted.story.filter((line) => line.startsWith("stop")).sort()).toEqual([
      "stop cmake",
      "stop zlib",
    ]);

    const broken = scriptedExecutor();
    const second = start(diamond, broken, { ended: async () => Promise.reject(new Error("no disk")) });
    await broken.settle();
    await broken.end("zlib");
    await expect(second.result).rejects.toThrow("no disk");
    expect(broken.story).toContain("stop cmake");
  });

  it("gives everything at once to an executor that holds back", async () => {
    const scripted = scriptedExecutor(true);
    const { result } = start(diamond, scripted, { atOnce: 1, onFailure: "keep-going" });
    await scripted.settle();
    expect(scripted.story).toEqual([
      "start zlib on 4",
      "start cmake on 4",
      "start hdf after zlib cmake on 4",
      "start tool after zlib on 4",
      "start app after hdf tool on 4",
    ]);
    await scripted.end("zlib");
    await scripted.end("cmake", "failed");
    await scripted.end("hdf", "not-started");
    await scripted.end("tool");
    await scripted.end("app", "not-started");
    const { done, left } = await result;
    expect([namesOf(done), namesOf(left)]).toEqual(["zlib tool", "hdf app"]);
  });

  it("stops what an executor holds back, but not what has begun, when something failed", async () => {
    const scripted = scriptedExecutor(true);
    const began: string[] = [];
    const { result } = start(diamond, scripted, {
      onFailure: "finish",
      started: ({ spec }) => began.push(spec.name),
    });
    await scripted.settle();
    await scripted.begin("zlib");
    await scripted.begin("cmake");
    await scripted.end("zlib", "failed");
    expect(scripted.story.filter((line) => line.startsWith("stop"))).toEqual([
      "stop hdf",
      "stop tool",
      "stop app",
    ]);
    await scripted.end("cmake");
    const { done, failed, left } = await result;
    expect([namesOf(done), namesOf(failed.map(({ node }) => node)), namesOf(left)]).toEqual([
      "cmake",
      "zlib",
      "hdf tool app",
    ]);
    // What never began is not told of.
    expect(began).toEqual(["zlib", "cmake"]);
  });

  it("gives each task all cores where none are shared", async () => {
    const scripted = scriptedExecutor();
    const executor = { ...scripted.executor, sharesCores: false };
    const { result } = start(diamond.slice(0, 2), scripted, { executor });
    await scripted.settle();
    expect(scripted.story).toEqual(["start cmake on 4", "start zlib on 4"]);
    await scripted.end("zlib");
    await scripted.end("cmake");
    await result;
  });

  it("does nothing with nothing", async () => {
    expect(await start([], scriptedExecutor()).result).toEqual({ done: [], failed: [], left: [] });
  });
});

describe("coresEach", () => {
  it("shares the cores, somewhat more than there are", () => {
    expect([coresEach(8, 1), coresEach(8, 2), coresEach(8, 8), coresEach(1, 4), coresEach(2, 2)]).toEqual([
      8, 6, 2, 1, 2,
    ]);
  });
});
