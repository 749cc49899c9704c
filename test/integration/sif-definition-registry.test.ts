import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openApptainer } from "../support/apptainer.ts";
import { makeWorkplace, type Workplace } from "../support/cli.ts";
import { commandExists } from "../support/commandExists.ts";
import { directory, file, hostArchitecture, hostPrograms, writeTestLayout } from "../support/hostImage.ts";
import { freePort, noApptainer, noApptainerLabel, noRegistry } from "./sifDefinitions.ts";

describe.skipIf(noRegistry !== undefined)(
  `definitions from a registry${noRegistry === undefined ? "" : ` (skipped: ${noRegistry})`}`,
  () => {
    let work: Workplace;
    let registry: ChildProcess;
    let host: string;

    beforeAll(async () => {
      const port = await freePort();
      host = `127.0.0.1:${port}`;
      work = makeWorkplace("");
      mkdirSync(work.path("container_definitions", hostArchitecture), { recursive: true });
      mkdirSync(work.path("registry"));
      writeFileSync(
        work.path("registry.yml"),
        `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${work.path("registry")}}}\nhttp: {addr: "${host}"}\n`,
      );
      registry = spawn("docker-registry", ["serve", work.path("registry.yml")], { stdio: "ignore" });
      await writeTestLayout(work.path("base"), {
        layers: [hostPrograms(["sh", "echo"]), [directory("opt"), file("opt/x", "x")]],
        config: { Entrypoint: ["/bin/echo", "base"] },
      });
      for (let attempt = 0; ; attempt++) {
        const answer = await fetch(`http://${host}/v2/`).catch(() => undefined);
        if (answer?.ok === true) break;
        if (attempt > 300) throw new Error("the registry does not start");
        await sleep(100);
      }
      // Where users have no folder for what runs, the usual place of credentials cannot even be asked for.
      writeFileSync(work.path("auth.json"), "{}");
      const pushed = spawnSync(
        "skopeo",
        [
          "copy",
          "-q",
          "--dest-tls-verify=false",
          `oci:${work.path("base")}`,
          `docker://${host}/group/base:1.2`,
        ],
        { encoding: "utf8", env: { ...process.env, REGISTRY_AUTH_FILE: work.path("auth.json") } },
      );
      expect(pushed.stderr).toBe("");
    });
    afterAll(() => {
      registry.kill();
      work.remove();
    });

    const define = (name: string, text: string): void =>
      writeFileSync(work.path("container_definitions", hostArchitecture, `${name}.def`), text);

    it("builds from an image in it, with the tag as version, and converts one directly", async () => {
      define(
        "remote",
        `Bootstrap: docker\nRegistry: ${host}\nNamespace: group\nFrom: base:1.2\n%environment\n export A=1\n`,
      );
      const built = await work.run(["build", "remote", "-o", "sif:{name}-{version}.sif"]);
      expect(built.stderr).not.toContain("error");
      expect(built.stdout).toContain("remote 1.2");
      expect(existsSync(work.path("remote-1.2.sif"))).toBe(true);
      const converted = await work.run(["sif", `docker://${host}/group/base:1.2`]);
      expect(converted.stderr).not.toContain("error");
      const definition = (await work.run(["sif", "dump", "base.sif", "1"])).stdout;
      expect(definition).toMatch(
        new RegExp(`^bootstrap: docker\\nfrom: ${host}/group/base:1\\.2@sha256:[0-9a-f]{64}\\n$`),
      );
      expect((await work.run(["sif", `docker://${host}/group/none:1`])).status).toBe(4);
    });

    it.skipIf(noApptainer !== undefined || !commandExists("sqfs2tar"))(
      `builds from a SIF that Apptainer pushed${noApptainerLabel}`,
      async () => {
        const apptainer = openApptainer(work.directory);
        await work.run(["sif", "oci:base", "-o", "pushed.sif"]);
        const pushed = apptainer.run([
          "push",
          "--allow-unsigned",
          "--no-https",
          work.path("pushed.sif"),
          `oras://${host}/sif/base:3`,
        ]);
        expect(`${pushed.stderr} ${pushed.status}`).toMatch(/ 0$/);
        define("artifact", `Bootstrap: oras\nFrom: ${host}/sif/base:3\n%labels\n More yes\n`);
        const built = await work.run(["build", "artifact", "-o", "sif:artifact.sif"]);
        expect(built.stderr).not.toContain("error");
        expect(built.stdout).toContain("artifact 3");
        expect(apptainer.run(["run", work.path("artifact.sif"), "y"]).stdout).toBe("base y\n");
      },
    );
  },
);
