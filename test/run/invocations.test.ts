import { describe, expect, it } from "vitest";
import { apptainerInvocation } from "../../src/run/apptainer.ts";
import { charliecloudInvocation } from "../../src/run/charliecloud.ts";
import { engineInvocation } from "../../src/run/engine.ts";
import { enrootInvocation } from "../../src/run/enroot.ts";
import { mountOption } from "../../src/run/mountOption.ts";
import { mountPointsIn } from "../../src/run/mountPoints.ts";
import { sarusInvocation, sarusMount } from "../../src/run/sarus.ts";
import type { ContainerProcess } from "../../src/run/types.ts";

const container: ContainerProcess = {
  argv: ["prog", "a b", "--flag"],
  ownScript: undefined,
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
  user: { uid: 1000, gid: 1000, name: "me", home: "/home/me" },
  fakeroot: false,
  isWatched: false,
  launch: undefined,
};

describe("the command for an engine", () => {
  it("has everything but the values of variables", async () => {
    const files: string[] = [];
    const keep = async (text: string) => {
      files.push(text);
      return "/env-file";
    };
    const { argv, env } = await engineInvocation("docker", "/bin/docker", {
      image: "image",
      container,
      writeEnvFile: keep,
    });
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
    const refusal = engineInvocation("podman", "podman", {
      image: "image",
      container: odd,
      writeEnvFile: async () => "",
    });
    await expect(refusal).rejects.toMatchObject({ code: "NOT_SUPPORTED" });
  });
});

describe("the command for Apptainer", () => {
  it("passes variables under its own names, the home directory excepted", () => {
    const { argv, env } = apptainerInvocation("singularity", "singularity", { root: "/root", container });
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

describe("ranks of a launcher", () => {
  const rank: ContainerProcess = {
    ...container,
    extraEnv: new Map([["PMI_RANK", "1"]]),
    launch: { descriptor: 12, devices: ["/dev/cxi0"] },
  };
  const keep = async () => "/env-file";

  it("have the launcher's socket as number 3, and process numbers of the machine", async () => {
    const { argv, env, descriptor } = await engineInvocation("podman", "podman", {
      image: "image",
      container: rank,
      writeEnvFile: keep,
    });
    expect(argv).toContain("--preserve-fds=1");
    expect(argv).toContain("--pid=host");
    expect(argv).not.toContain("--init");
    expect(argv).toContain("--device=/dev/cxi0");
    expect(argv).toContain("--env=PMI_FD");
    expect(env.PMI_FD).toBe("3");
    expect(descriptor).toEqual({ own: 12, number: 3 });
    const apptainer = apptainerInvocation("apptainer", "apptainer", { root: "/root", container: rank });
    expect(apptainer.env.APPTAINERENV_PMI_FD).toBe("3");
    expect(apptainer.descriptor).toEqual({ own: 12, number: 3 });
  });

  it("cannot be Docker's where they have a socket", async () => {
    await expect(
      engineInvocation("docker", "docker", { image: "image", container: rank, writeEnvFile: keep }),
    ).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
    const noSocket = { ...rank, launch: { descriptor: undefined, devices: [] } };
    const { argv, env } = await engineInvocation("docker", "docker", {
      image: "image",
      container: noSocket,
      writeEnvFile: keep,
    });
    expect(argv.join(" ")).not.toContain("PMI_FD");
    expect(env.PMI_FD).toBeUndefined();
  });
});

describe("graphics processors", () => {
  const keep = async () => "/env-file";
  const with_ = (gpu: "nvidia" | "rocm"): ContainerProcess => ({ ...container, gpu });

  it("are asked for in each runtime's own words", async () => {
    const words = async (engine: "podman" | "docker", gpu: "nvidia" | "rocm") =>
      (await engineInvocation(engine, engine, { image: "image", container: with_(gpu), writeEnvFile: keep }))
        .argv;
    expect(await words("podman", "nvidia")).toContain("--device=nvidia.com/gpu=all");
    expect(await words("docker", "nvidia")).toContain("--gpus=all");
    for (const [engine, group] of [
      ["podman", "keep-groups"],
      ["docker", "video"],
    ] as const)
      expect(await words(engine, "rocm")).toEqual(
        expect.arrayContaining(["--device=/dev/kfd", "--device=/dev/dri", `--group-add=${group}`]),
      );
    expect(apptainerInvocation("apptainer", "a", { root: "/r", container: with_("nvidia") }).argv).toContain(
      "--nv",
    );
    expect(apptainerInvocation("apptainer", "a", { root: "/r", container: with_("rocm") }).argv).toContain(
      "--rocm",
    );
  });
});

describe("the machine's MPI in place of the container's", () => {
  const host: ContainerProcess = { ...container, hostMpi: true, readOnly: false };

  it("is Sarus' alone", async () => {
    expect(sarusInvocation("sarus", "image", host).argv).toContain("--mpi");
    expect(() => apptainerInvocation("apptainer", "a", { root: "/r", container: host })).toThrow(
      /instead of the container/,
    );
    await expect(
      engineInvocation("podman", "p", { image: "i", container: host, writeEnvFile: async () => "" }),
    ).rejects.toMatchObject({
      code: "NOT_SUPPORTED",
    });
  });
});

describe("the command for Sarus", () => {
  const plain: ContainerProcess = { ...container, readOnly: false };

  it("is as its user guide has it, without values of variables", () => {
    const { argv, env } = sarusInvocation("/bin/sarus", "load/library/x:1", plain);
    expect(argv).toEqual([
      ...["/bin/sarus", "run", "--tty", "--mount=type=bind,source=/s,destination=/t,readonly"],
      ...["--env=TOKEN", "--env=LD_PRELOAD", "--workdir=/w", "--entrypoint", "", "load/library/x:1"],
      ...["prog", "a b", "--flag"],
    ]);
    expect(env).toMatchObject({ TOKEN: "secret", LD_PRELOAD: "x.so" });
  });

  it("refuses what Sarus has no words for", () => {
    expect(() => sarusInvocation("sarus", "i", container)).toThrow(/refuse writing/);
    expect(() => sarusInvocation("sarus", "i", { ...plain, network: "none" })).toThrow(/network/);
    expect(() => sarusMount({ source: "/a,b", target: "/c", readOnly: false })).toThrow(/comma/);
  });
});

describe("the command for Charliecloud", () => {
  const plain = { ...container, binds: [], readOnly: false };
  it("passes variables on as its own, but for those that the loader would go by", () => {
    const { argv, env } = charliecloudInvocation(
      "/bin/ch-run",
      "/root/fs",
      {
        ...plain,
        env: new Map([
          ["PATH", "/bin"],
          ["TOKEN", "secret"],
          ["LD_PRELOAD", "x.so"],
        ]),
      },
      true,
    );
    expect(argv).toEqual([
      ...[
        "/bin/ch-run",
        "--cd=/w",
        "--write-fake",
        "--private-tmp",
        "--env-no-expand",
        "--set-env=LD_PRELOAD=x.so",
      ],
      ...["/root/fs", "--", "prog", "a b", "--flag"],
    ]);
    expect(env).toEqual({ USER: "me", HOME: "/home/me", PATH: "/bin", TOKEN: "secret" });
  });

  it("shares the machine's /tmp with other ranks, and is root where that was asked for", () => {
    const launch = { descriptor: 9, devices: [] };
    const { argv, descriptor, env } = charliecloudInvocation(
      "ch-run",
      "/r",
      { ...plain, launch, fakeroot: true },
      false,
    );
    expect(argv).toEqual(["ch-run", "--cd=/w", "--uid=0", "--gid=0", "/r", "--", "prog", "a b", "--flag"]);
    expect([descriptor, env.PMI_FD]).toEqual([{ own: 9, number: 3 }, "3"]);
  });

  it.each([
    [{ gpu: "nvidia" }, "graphics"],
    [{ network: "none" }, "network"],
    [{ binds: [{ source: "/s", target: "/t", readOnly: true }] }, "read-only"],
    [{ binds: [{ source: "/s:", target: "/t", readOnly: false }] }, "colon"],
    [{ hostMpi: true }, "MPI"],
  ] as const)("refuses %j", (more, message) => {
    expect(() => charliecloudInvocation("ch-run", "/r", { ...plain, ...more }, true)).toThrow(message);
  });
});

describe("the command for enroot", () => {
  it("takes a root for a container, and keeps what was given from the command line", () => {
    const { argv, env } = enrootInvocation("enroot", "/cache/id/fs", "/rc", {
      ...container,
      extraEnv: new Map([["TOKEN", "secret"]]),
    });
    expect(argv).toEqual([
      ...[
        "enroot",
        "start",
        "--rc=/rc",
        "--mount=/s:/t:none:x-create=auto,rbind,ro",
        "--env=PATH=/bin",
        "--env=TOKEN",
      ],
      ...["--env=SPACKTAINERS_WORKDIR=/w", "fs", "prog", "a b", "--flag"],
    ]);
    expect(env).toMatchObject({ ENROOT_DATA_PATH: "/cache/id", TOKEN: "secret", PATH: process.env.PATH });
  });

  it("asks for NVIDIA's drivers by the variables of their hook", () => {
    const { argv, env } = enrootInvocation("enroot", "/c/fs", "/rc", { ...container, gpu: "nvidia" });
    expect(argv).toContain("--env=NVIDIA_VISIBLE_DEVICES");
    expect(env.NVIDIA_VISIBLE_DEVICES).toBe("all");
  });

  it.each([
    [{ gpu: "rocm" }, "AMD"],
    [{ binds: [{ source: "/a b", target: "/t", readOnly: false }] }, "blank"],
    [{ hostMpi: true }, "MPI"],
  ] as const)("refuses %j", (more, message) => {
    expect(() => enrootInvocation("enroot", "/c/fs", "/rc", { ...container, ...more })).toThrow(message);
  });
});

it("is podman-hpc's own option that shows GPUs", async () => {
  const { argv } = await engineInvocation("podman-hpc", "podman-hpc", {
    image: "image",
    container: { ...container, extraEnv: new Map(), gpu: "nvidia" },
    writeEnvFile: async () => "",
  });
  expect(argv.slice(0, 2)).toEqual(["podman-hpc", "run"]);
  expect(argv).toContain("--gpu");
  expect(argv).toContain("--security-opt=label=disable");
});
