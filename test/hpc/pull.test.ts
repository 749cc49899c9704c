import { describe, expect, it } from "vitest";
import { type PullTask, pullCommand, pullReference, pullRuntimes } from "../../src/hpc/pull.ts";

const task: PullTask = {
  transport: "docker",
  reference: "ghcr.io/org/spack-hello:1.0",
  file: "/w/hello.sif",
  force: false,
  plainHttp: false,
  credentials: undefined,
};
const credentials = { username: "AWS", password: "hunter2\n'$" };

describe("pullCommand", () => {
  it.each([
    ["apptainer", ["pull", "/w/hello.sif", "docker://ghcr.io/org/spack-hello:1.0"]],
    ["singularity", ["pull", "/w/hello.sif", "docker://ghcr.io/org/spack-hello:1.0"]],
    ["sarus", ["pull", "ghcr.io/org/spack-hello:1.0"]],
    ["podman", ["pull", "ghcr.io/org/spack-hello:1.0"]],
    ["docker", ["pull", "ghcr.io/org/spack-hello:1.0"]],
    ["podman-hpc", ["pull", "ghcr.io/org/spack-hello:1.0"]],
    ["enroot", ["import", "--output", "/w/hello.sif", "docker://ghcr.io#org/spack-hello:1.0"]],
    ["shifter", ["pull", "docker:ghcr.io/org/spack-hello:1.0"]],
    ["charliecloud", ["pull", "ghcr.io/org/spack-hello:1.0"]],
  ] as const)("is %s's own", (runtime, args) => {
    const command = pullCommand(runtime, `/bin/${runtime}`, task);
    expect(command.argv).toEqual([`/bin/${runtime}`, ...args]);
    expect(command).toMatchObject({ env: {}, input: undefined, secretFile: undefined });
  });

  it("never has a password on the command line", () => {
    for (const runtime of pullRuntimes) {
      // These cannot be given this one at all.
      if (runtime === "shifter" || runtime === "enroot") {
        expect(() => pullCommand(runtime, runtime, { ...task, credentials })).toThrow(
          expect.objectContaining({ code: "NOT_SUPPORTED" }),
        );
        continue;
      }
      const { argv } = pullCommand(runtime, runtime, { ...task, credentials });
      expect(argv.join(" ")).not.toContain("hunter2");
    }
    const given = (runtime: (typeof pullRuntimes)[number]) =>
      pullCommand(runtime, runtime, { ...task, credentials });
    expect(given("apptainer").env).toEqual({
      APPTAINER_DOCKER_USERNAME: "AWS",
      APPTAINER_DOCKER_PASSWORD: credentials.password,
    });
    expect(given("sarus")).toMatchObject({
      argv: ["sarus", "pull", "-u", "AWS", "--password-stdin", task.reference],
      input: credentials.password,
    });
    const file = given("podman").secretFile;
    expect(file).toMatchObject({ variable: "REGISTRY_AUTH_FILE", names: "file" });
    const { auths } = JSON.parse(file?.text ?? "") as { auths: Record<string, { auth: string }> };
    expect(Buffer.from(auths["ghcr.io"]?.auth ?? "", "base64").toString()).toBe(
      `AWS:${credentials.password}`,
    );
    const plain = { username: "me", password: "pa$$word" };
    expect(pullCommand("enroot", "enroot", { ...task, credentials: plain }).secretFile).toEqual({
      name: ".credentials",
      text: "machine ghcr.io login me password pa$$word\n",
      variable: "ENROOT_CONFIG_PATH",
      names: "directory",
    });
    expect(given("charliecloud").env).toEqual({
      CH_IMAGE_USERNAME: "AWS",
      CH_IMAGE_PASSWORD: credentials.password,
    });
    expect(given("docker").secretFile).toMatchObject({ variable: "DOCKER_CONFIG", names: "directory" });
  });

  it("overwrites and goes without TLS only when told to", () => {
    const { argv } = pullCommand("apptainer", "a", { ...task, force: true, plainHttp: true });
    expect(argv).toEqual(["a", "pull", "--force", "--no-https", task.file, `docker://${task.reference}`]);
    expect(pullCommand("podman", "p", { ...task, plainHttp: true }).argv).toContain("--tls-verify=false");
    expect(pullCommand("enroot", "e", { ...task, plainHttp: true }).env).toEqual({ ENROOT_ALLOW_HTTP: "y" });
    expect(pullCommand("charliecloud", "c", { ...task, plainHttp: true }).argv[1]).toBe("--tls-no-verify");
    expect(() => pullCommand("shifter", "s", { ...task, plainHttp: true })).toThrow(/TLS/);
    expect(() => pullCommand("sarus", "s", { ...task, plainHttp: true })).toThrow(/TLS/);
  });
});

it("pulls SIF files of registries with what runs them", () => {
  const sif: PullTask = { ...task, transport: "oras" };
  expect(pullCommand("apptainer", "a", sif).argv.at(-1)).toBe(`oras://${task.reference}`);
  expect(() => pullCommand("podman", "p", sif)).toThrow(
    expect.objectContaining({ code: "NOT_SUPPORTED", hint: expect.stringContaining("docker://") }),
  );
});

describe("pullReference", () => {
  it("writes names in lower case, tags as they are", () => {
    expect(pullReference("docker://GHCR.io/My-Org/Spack-X:V1.0")).toBe("ghcr.io/my-org/spack-x:V1.0");
    expect(pullReference("localhost:5000/a/b")).toBe("localhost:5000/a/b:latest");
    expect(pullReference(`r.io/a@sha256:${"0".repeat(64)}`)).toBe(`r.io/a@sha256:${"0".repeat(64)}`);
  });

  it.each(["a.b/", "a.b/c:t:u", "a.b/c d", "--x.y/z", "a.b/c@sha256:12", "a.b/c:-t", "-x"])(
    "refuses %s",
    (text) => {
      expect(() => pullReference(text)).toThrow(expect.objectContaining({ code: "REFERENCE_INVALID" }));
    },
  );
});
