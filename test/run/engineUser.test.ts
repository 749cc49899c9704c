import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { engineBehind, engineUserOptions } from "../../src/run/engineUser.ts";
import { fakeRoot } from "../../src/run/identity.ts";

const me = {
  user: { uid: 1000, gid: 100, name: "me", home: "/home/me" },
  fakeroot: false,
  env: new Map<string, string>(),
  extraEnv: new Map<string, string>(),
  binds: [],
};
const machine = (own: number, subordinates = true) => ({
  own: () => own,
  hasSubordinates: async () => subordinates,
});

describe("the user of an engine's container", () => {
  let folder: string;
  const program = (name: string, script: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    return path;
  };
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "spacktainers-engine-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is the one who runs Podman, with a home directory", async () => {
    expect(await engineUserOptions("podman", "podman", me, machine(1000))).toEqual([
      "--userns=keep-id",
      "--tmpfs=/home/me",
    ]);
    expect(await engineUserOptions("podman", "podman", me, machine(1000, false))).toEqual([
      ...["--uidmap=1000:0:1", "--gidmap=100:0:1", "--user=1000:100", "--env=HOME=/home/me"],
      "--tmpfs=/home/me",
    ]);
  });

  it("is root where root runs it, or root was asked for", async () => {
    for (const engine of ["podman", "docker"] as const) {
      expect(await engineUserOptions(engine, "engine", me, machine(0))).toEqual([]);
      const root = { ...me, user: fakeRoot, fakeroot: true };
      expect(await engineUserOptions(engine, "engine", root, machine(1000))).toEqual([]);
    }
  });

  it("keeps a home directory that is bound, and the image's HOME", async () => {
    for (const target of ["/home/me", "/home"]) {
      const binds = [{ source: target, target, readOnly: false }];
      expect(await engineUserOptions("podman", "podman", { ...me, binds }, machine(1000))).toEqual([
        "--userns=keep-id",
      ]);
    }
    const env = new Map([["HOME", "/work"]]);
    const docker = program("docker", "echo '[\"name=seccomp\"]'");
    expect(await engineUserOptions("docker", docker, { ...me, env }, machine(1000))).toEqual([
      "--user=1000:100",
      "--tmpfs=/home/me",
    ]);
  });

  it("cannot be kept by Docker without root, which PMIx would not stand", async () => {
    const docker = program("rootless", 'echo \'["name=seccomp","name=rootless"]\'');
    expect(await engineUserOptions("docker", docker, me, machine(1000))).toEqual([]);
    const rank = { ...me, extraEnv: new Map([["PMIX_RANK", "0"]]) };
    await expect(engineUserOptions("docker", docker, rank, machine(1000))).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
  });

  it("is Podman's matter where Podman has Docker's name", async () => {
    expect(await engineBehind("docker", program("podman-docker", "echo podman version 4.3.1"))).toBe(
      "podman",
    );
    expect(await engineBehind("docker", program("real", "echo Docker version 27.1"))).toBe("docker");
    expect(await engineBehind("podman", "/nowhere")).toBe("podman");
  });
});
