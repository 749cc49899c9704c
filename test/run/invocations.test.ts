import { describe, expect, it } from "vitest";
import { apptainerInvocation } from "../../src/run/apptainer.ts";
import { engineInvocation } from "../../src/run/engine.ts";
import { mountOption } from "../../src/run/mountOption.ts";
import { mountPointsIn } from "../../src/run/mountPoints.ts";
import type { ContainerProcess } from "../../src/run/types.ts";

const container: ContainerProcess = {
  argv: ["prog", "a b", "--flag"],
  env: new Map([
    ["PATH", "/bin"],
    ["TOKEN", "secret"],
    ["HOME", "/h"],
  ]),
  extraEnv: new Map([
    ["TOKEN", "secret"],
    ["LD_PRELOAD", "x.so"],
  ]),
  workdir: "/w",
  binds: [{ source: "/s", target: "/t", readOnly: true }],
  network: "host",
  tty: true,
  readOnly: true,
  gpu: undefined,
  hostMpi: false,
  launch: undefined,
};

describe("the command for an engine", () => {
  it("has everything but the values of variables", async () => {
    const files: string[] = [];
    const keep = async (text: string) => {
      files.push(text);
      return "/env-file";
    };
    const { argv, env } = await engineInvocation("docker", "/bin/docker", "image", container, keep);
    expect(argv.slice(0, 2)).toEqual(["/bin/docker", "run"]);
    expect(argv.slice(argv.indexOf("image"))).toEqual(["image", "a b", "--flag"]);
    for (const option of [
      "--rm",
      "--tty",
      "--init",
      "--read-only",
      "--workdir=/w",
      "--entrypoint=prog",
      "--env=TOKEN",
    ])
      expect(argv).toContain(option);
    expect(argv).toContain("--mount=type=bind,source=/s,target=/t,readonly");
    expect(argv.join(" ")).not.toMatch(/secret|x\.so/);
    expect(env.TOKEN).toBe("secret");
    // It would be loaded into the engine itself.
    expect(env.LD_PRELOAD).toBe(process.env.LD_PRELOAD);
    expect(files).toEqual(["LD_PRELOAD=x.so\n"]);
  });

  it("refuses what no file of variables can hold", async () => {
    const odd = { ...container, extraEnv: new Map([["PATH", "a\nb"]]) };
    const refusal = engineInvocation("podman", "podman", "image", odd, async () => "");
    await expect(refusal).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});

describe("the command for Apptainer", () => {
  it("passes variables under its own names, the home directory excepted", () => {
    const { argv, env } = apptainerInvocation("singularity", "singularity", "/root", container);
    expect(argv.slice(argv.indexOf("/root"))).toEqual(["/root", "prog", "a b", "--flag"]);
    expect(argv).toContain("--mount=type=bind,source=/s,destination=/t,ro");
    expect(argv).not.toContain("--writable-tmpfs");
    expect(env).toMatchObject({
      SINGULARITYENV_TOKEN: "secret",
      SINGULARITYENV_PATH: "/bin",
      SINGULARITY_NO_EVAL: "1",
    });
    expect(env.SINGULARITYENV_HOME).toBeUndefined();
    expect(argv.join(" ")).not.toContain("secret");
  });
});

describe("mountOption", () => {
  it("quotes as CSV does", () => {
    const bind = { source: '/a,"b"', target: "/c", readOnly: false };
    expect(mountOption(bind, "target", "readonly")).toBe('type=bind,"source=/a,""b""",target=/c');
  });
});

describe("mountPointsIn", () => {
  it("reads the kernel's table", () => {
    const table =
      "22 1 0:5 / /a\\040b\\134 rw - ext4 /dev/x rw\n23 22 0:6 /x /proc rw shared:1 - proc proc rw\n\n";
    expect(mountPointsIn(table)).toEqual(["/a b\\", "/proc"]);
  });
});
