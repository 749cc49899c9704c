/** Machines that conditions and paths see in tests. */
import type { Machine } from "../../src/environment/machine.ts";
import type { Dialect } from "../../src/spec/abstract.ts";

export function machine(changes: Partial<Machine> = {}): Machine {
  return {
    platform: "linux",
    os: "debian12",
    target: "x86_64_v3",
    dialect: "1.x",
    hostname: "node01.cluster",
    environment: { SITE: "/site", MODE: "full", EMPTY: "" },
    user: "me",
    home: "/home/me",
    date: "2026-01-31",
    ...changes,
  };
}

/** The same machine for whichever generation asks. */
export const machineFor =
  (changes: Partial<Machine> = {}) =>
  (dialect: Dialect): Machine =>
    machine({ ...changes, dialect });
