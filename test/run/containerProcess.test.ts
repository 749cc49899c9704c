import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { ExecutionConfig, ImageConfig } from "../../src/archive/oci/types.ts";
import { commandLine, containerProcess, parseBind } from "../../src/run/containerProcess.ts";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "spacktainers-process-")));
afterAll(() => rmSync(scratch, { recursive: true }));

function config(execution: ExecutionConfig): ImageConfig {
  return { architecture: "amd64", os: "linux", config: execution, rootfs: { type: "layers", diff_ids: [] } };
}

const login = ["/bin/bash", "--rcfile", "/etc/profile", "-l", "-c", "$*", "--"];

describe("commandLine", () => {
  it("keeps the entrypoint and lets a command replace the image's own", () => {
    expect(commandLine([], ["sh"], [])).toEqual(["sh"]);
    expect(commandLine(["init"], ["sh"], [])).toEqual(["init", "sh"]);
    expect(commandLine(["init"], ["sh"], ["ls", "-l"])).toEqual(["init", "ls", "-l"]);
  });

  it("keeps arguments whole where our images' entrypoint would take them apart", () => {
    const exact = ["/bin/bash", "--rcfile", "/etc/profile", "-l", "-c", 'exec "$@"', "--"];
    expect(commandLine(login, ["/bin/bash"], ["echo", "a b"])).toEqual([...exact, "echo", "a b"]);
    expect(commandLine(login, ["/bin/bash"], ["echo a b"])).toEqual([...login, "echo a b"]);
    expect(commandLine(login, ["/bin/bash"], [])).toEqual([...login, "/bin/bash"]);
    expect(commandLine(["sh", "-c", "$*"], [], ["a", "b"])).toEqual(["sh", "-c", "$*", "a", "b"]);
  });
});

describe("containerProcess", () => {
  const options = { command: ["ls"], tty: false };

  it("takes environment and directory from the image, then from the options", async () => {
    const image = config({ Env: ["A=1", "B=x=y", "broken", "=no"], WorkingDir: "/work/" });
    const found = await containerProcess(image, { ...options, env: { B: "2", C: "" } });
    expect(Object.fromEntries(found.env)).toMatchObject({ A: "1", B: "2", C: "" });
    expect([...found.env.keys()]).toEqual(["PATH", "A", "B", "C"]);
    expect(found.env.get("PATH")).toContain("/usr/bin");
    expect(Object.fromEntries(found.extraEnv)).toEqual({ B: "2", C: "" });
    expect(found.workdir).toBe("/work");
    expect((await containerProcess(image, { ...options, workdir: "/a/../b//c" })).workdir).toBe("/b/c");
    expect((await containerProcess(config({}), options)).workdir).toBe("/");
  });

  it.each([
    [{ command: [] }, "has no command"],
    [{ workdir: "here" }, "absolute path"],
    [{ env: { "A=B": "" } }, "name of a variable"],
    [{ env: { A: "\0" } }, "zero byte"],
    [{ command: ["a\0b"] }, "zero byte"],
    [{ binds: [{ source: scratch, target: "//", readOnly: true }] }, "container's /"],
    [{ binds: [{ source: scratch, target: "rel", readOnly: true }] }, "absolute path"],
  ])("refuses %j", async (more, message) => {
    const refusal = containerProcess(config({}), { ...options, ...more });
    await expect(refusal).rejects.toMatchObject({ code: "USAGE", message: expect.stringContaining(message) });
  });
});

describe("containerProcess of an Apptainer image", () => {
  it("starts it by its own scripts: what it is for, or a command in its environment", async () => {
    const of = (command: readonly string[], entrypoint: "image" | "none") =>
      containerProcess(config({}), { command, entrypoint, hasOwnScripts: true, tty: false }, undefined);
    const run = await of(["a b", "c"], "image");
    expect(run.ownScript).toEqual({ action: "run", args: ["a b", "c"] });
    expect(run.argv.slice(0, 2)).toEqual(["/bin/sh", "-c"]);
    expect(run.argv.slice(3)).toEqual(["run", "a b", "c"]);
    expect((await of([], "image")).ownScript).toEqual({ action: "run", args: [] });
    expect((await of(["ls"], "none")).argv.slice(3)).toEqual(["exec", "ls"]);
    await expect(of([], "none")).rejects.toMatchObject({ code: "USAGE" });
  });
});

describe("a shell", () => {
  const of = async (entrypoint: readonly string[], hasOwnScripts = false) => {
    const options = { command: [], entrypoint: "shell", hasOwnScripts, tty: false } as const;
    return containerProcess(config({ Entrypoint: entrypoint, Cmd: ["serve"] }), options, undefined);
  };
  const plain = ["/bin/sh", "-c", expect.stringContaining("exec /bin/bash; exec /bin/sh")];

  it("is started by the login shell of our own images", async () => {
    const login = ["/bin/bash", "--login", "-c", "$*", "--"];
    expect((await of(login)).argv).toEqual([...login, "/bin/bash"]);
  });

  it("is none of another image's entrypoint's arguments", async () => {
    expect((await of(["python3"])).argv).toEqual(plain);
    expect((await of([])).argv).toEqual(plain);
  });

  it("is no argument of an Apptainer image's own program", async () => {
    expect((await of([], true)).ownScript).toEqual({ action: "exec", args: plain });
  });
});

describe("a command that begins with an option", () => {
  const ask = (entrypoint: readonly string[], entry: "image" | "none" = "image") =>
    containerProcess(config({ Entrypoint: [...entrypoint], Cmd: ["sh"] }), {
      command: ["-x", "prog"],
      entrypoint: entry,
      tty: false,
    });

  it("is refused where its first word is a program", async () => {
    const refusal = { code: "USAGE", message: "`-x` is not the name of a program" };
    await expect(ask(login)).rejects.toMatchObject(refusal);
    await expect(ask([])).rejects.toMatchObject(refusal);
    await expect(ask(["prog"], "none")).rejects.toMatchObject(refusal);
  });

  it("is for an entrypoint that takes options", async () => {
    expect((await ask(["prog", "--flag"])).argv).toEqual(["prog", "--flag", "-x", "prog"]);
  });
});

describe("parseBind", () => {
  it("reads what people write", () => {
    expect(parseBind("/a", "/here")).toEqual({ source: "/a", target: "/a", readOnly: false });
    expect(parseBind("data:/b", "/here")).toEqual({ source: "/here/data", target: "/b", readOnly: false });
    expect(parseBind(".:/b:ro", "/here")).toEqual({ source: "/here", target: "/b", readOnly: true });
    expect(parseBind("/a:/b:rw", "/here").readOnly).toBe(false);
  });

  it.each(["", ":/b", "/a:/b:rx", "/a:/b:ro:x"])("refuses %j", (text) => {
    expect(() => parseBind(text, "/here")).toThrow(expect.objectContaining({ code: "USAGE" }));
  });
});
