import { describe, expect, it } from "vitest";
import { expectAddressSpace, parseLimit, usableThreads } from "../../src/util/addressSpace.ts";
import { asSpacktainersError } from "../../src/util/errors.ts";

const table = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max data size             1000                 unlimited            bytes
Max address space         ${soft.padEnd(20)} unlimited            bytes
`;

describe("a limit on the address space", () => {
  it("is read from the system's table", () => {
    expect(parseLimit(table("4096000000"))).toBe(4_096_000_000);
    expect(parseLimit(table("unlimited"))).toBeUndefined();
    expect(parseLimit("")).toBeUndefined();
  });

  it("decides how many threads there may be, one at least", () => {
    expect(usableThreads(undefined, 16)).toBe(16);
    expect(usableThreads(4_096_000_000, 16)).toBe(1);
    expect(usableThreads(8_192_000_000, 16)).toBe(3);
    expect(usableThreads(8_192_000_000, 2)).toBe(2);
    expect(usableThreads(1, 16)).toBe(1);
  });

  it("is an error where it is too low for any", () => {
    expectAddressSpace(undefined);
    expectAddressSpace(4_096_000_000);
    expect(() => expectAddressSpace(2_000_000_000)).toThrow(
      "the address space of processes is limited to 2.0 GB (ulimit -v), which is not enough",
    );
  });

  it("is what the errors of Node and V8 mean", () => {
    const worker = Object.assign(new Error("terminated"), { code: "ERR_WORKER_OUT_OF_MEMORY" });
    const system = Object.assign(new Error("ENOMEM: not enough memory, fork"), {
      code: "ENOMEM",
      syscall: "fork",
    });
    const wasm = new RangeError("WebAssembly.Instance(): Out of memory: Cannot allocate Wasm memory");
    for (const error of [worker, system, wasm, new RangeError("Array buffer allocation failed")])
      expect(asSpacktainersError(error)).toMatchObject({ code: "OUT_OF_MEMORY", exitStatus: 1 });
    expect(asSpacktainersError(new RangeError("Invalid array length")).code).toBe("INTERNAL");
  });
});
