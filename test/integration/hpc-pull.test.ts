import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianTrouble } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { type DemoSite, findApptainer, makeDemoSite } from "../support/demoSite.ts";
import { podmanTrouble } from "../support/podman.ts";
import { dockerRegistryTrouble, type RealRegistry, startDockerRegistry } from "../support/realRegistry.ts";

const trouble =
  dockerRegistryTrouble("htpasswd") ??
  (commandExists("skopeo") ? undefined : "skopeo is not installed") ??
  debianTrouble();

describe.skipIf(trouble !== undefined)(
  `pulling from a registry that wants a password${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let place: DemoSite;
    let registry: RealRegistry;
    const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
      place.work.run(args, {
        env: { ...place.environment, PULL_USER: "AWS", PULL_PASSWORD: "s3cret", ...env },
      });

    beforeAll(async () => {
      place = await makeDemoSite();
      registry = await startDockerRegistry({ users: { AWS: "s3cret" } });
      const target = `docker://${registry.host}/my-org/spack-hello-mpi:1.0.0`;
      const pushed = spawnSync(
        "skopeo",
        [
          "copy",
          "-q",
          "--dest-tls-verify=false",
          "--dest-creds=AWS:s3cret",
          `oci:${place.work.path("dist/amd64/hello-mpi")}`,
          target,
        ],
        { encoding: "utf8" },
      );
      if (pushed.status !== 0) throw new Error(pushed.stderr);
      writeFileSync(
        place.work.path("spacktainers.yaml"),
        `registries:\n- {url: "${registry.host}/My-Org", repository: "spack-{name}", username: $PULL_USER, password: $PULL_PASSWORD}\n`,
      );
    });
    afterAll(async () => {
      await registry?.close();
      place?.dispose();
    });

    it.skipIf(podmanTrouble() !== undefined)("by Podman, which can run it then", async () => {
      const runtime = place.work.path("runtime");
      const pulled = await run(["pull", "hello-mpi", "--with", "podman", "--json"], {
        XDG_RUNTIME_DIR: runtime,
      });
      expect(pulled.status, pulled.stdout).toBe(0);
      const reference = `${registry.host}/my-org/spack-hello-mpi:1.0.0`;
      expect(JSON.parse(pulled.stdout.trim().split("\n").at(-1) ?? "")).toEqual({
        type: "result",
        reference,
        runtime: "podman",
      });
      const ran = spawnSync(
        "podman",
        ["run", "--rm", "--network=none", "--entrypoint=", reference, "ring", "--version"],
        {
          env: { ...process.env, ...place.environment },
          encoding: "utf8",
        },
      );
      expect(ran.stdout, ran.stderr).toBe("ring 1.0.0\n");
      // The file with the password is gone.
      expect(readdirSync(runtime).filter((name) => name.startsWith("spacktainers-"))).toEqual([]);
    });

    it.skipIf(findApptainer() === undefined)("by Apptainer, into a SIF file, once", async () => {
      const args = ["pull", "hello-mpi", "--with", "apptainer", "--plain-http", "-o", "x.sif"];
      const pulled = await run(args);
      expect(pulled.stdout, pulled.stderr).toBe("x.sif\n");
      const ran = spawnSync(
        "apptainer",
        ["--silent", "exec", place.work.path("x.sif"), "ring", "--version"],
        {
          env: { ...process.env, ...place.environment },
          encoding: "utf8",
        },
      );
      expect(ran.stdout, ran.stderr).toBe("ring 1.0.0\n");
      const again = await run(args);
      expect(again.status).toBe(1);
      expect(again.stderr).toContain("OUTPUT_EXISTS");
      expect((await run([...args, "--force"])).status).toBe(0);
    });

    it.skipIf(podmanTrouble() !== undefined)(
      "says what the runtime says when it is refused, never the password",
      async () => {
        const wrong = await run(["pull", "hello-mpi", "--with", "podman", "--plain-http"], {
          PULL_PASSWORD: "wr0ng",
        });
        expect(wrong.status).toBe(1);
        expect(wrong.stderr).toMatch(/PROCESS_FAILED {2}podman cannot pull/);
        expect(wrong.stderr).not.toContain("wr0ng");
        const unset = await run(["pull", "hello-mpi", "--with", "podman"], { PULL_PASSWORD: "" });
        expect(unset.stderr).toContain("ACCESS_DENIED  the variable PULL_PASSWORD");
        expect(unset.status).toBe(4);
      },
    );

    it("shows the command without asking for a password, and refuses what makes no sense", async () => {
      const tool = findApptainer() === undefined ? "podman" : "apptainer";
      const printed = await run(["pull", "hello-mpi", "--with", tool, "--print"], { PULL_PASSWORD: "" });
      expect(printed.stdout).toContain(`${registry.host}/my-org/spack-hello-mpi:1.0.0`);
      expect(existsSync(place.work.path("hello-mpi.sif"))).toBe(false);
      const tagged = await run(["pull", "hello-mpi", "--with", tool, "--tag", "V2", "--print"]);
      expect(tagged.stdout).toContain("spack-hello-mpi:V2");
      expect((await run(["pull", "hello-mp"])).stderr).toContain("did you mean `hello-mpi`?");
      expect((await run(["pull", "hello-mpi", "--with", "docker", "-o", "x"])).stderr).toMatch(
        /RUNTIME_MISSING|USAGE/,
      );
    });
  },
);
