/** Every verb that takes an image takes it in every form: one image, said in all the ways there are. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRegistries } from "../../src/registry/openRegistries.ts";
import { parseRepository } from "../../src/registry/reference.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { apptainerTrouble, mountVariables, pathWithApptainer } from "../support/apptainer.ts";
import { type CommandResult, makeWorkplace, type Workplace } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import {
  everyForm,
  type FormName,
  squashfsForms,
  squashfsTrouble,
  writeEveryForm,
} from "../support/everyForm.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fakeRegistry.ts";
import { file, hostArchitecture, hostPrograms } from "../support/hostImage.ts";
import { podmanEnvironment, podmanTrouble } from "../support/podman.ts";
import { pushLayout } from "../support/pushLayout.ts";
import { runnerTrouble } from "../support/runner.ts";

const trouble = runnerTrouble();
const runtimes = [
  { runtime: "namespace", missing: undefined },
  { runtime: "podman", missing: podmanTrouble() },
  { runtime: "apptainer", missing: apptainerTrouble() },
] as const;
const forms = [...Object.keys(everyForm), "docker reference"] as (FormName | "docker reference")[];
const missingFor = (form: string): string | undefined =>
  squashfsForms.includes(form as FormName) ? squashfsTrouble() : undefined;

describe.skipIf(trouble !== undefined)(
  `images in every form${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    let work: Workplace;
    let registry: FakeRegistry;
    let environment: NodeJS.ProcessEnv;
    beforeAll(async () => {
      registry = await startFakeRegistry();
      work = makeWorkplace(
        `registries:\n- {url: "${registry.host}/my-org", repository: "spack-{name}"}\nsites:\n  here: {runtime: native}\n`,
      );
      chmodSync(work.directory, 0o755);
      for (const folder of [`container_definitions/${hostArchitecture}`, "apptainer-cache", "apptainer-tmp"])
        mkdirSync(work.path(folder), { recursive: true });
      writeFileSync(
        work.path(`container_definitions/${hostArchitecture}/tool.yaml`),
        "spack:\n  specs: [tool]\ncontainer:\n  mpi: false\n",
      );
      await writeEveryForm(work.directory, {
        layers: [hostPrograms(["bash", "sh", "cat"]), [file("etc/said", "inside\n")]],
        config: { Env: ["PATH=/usr/bin:/bin", "WORD=set"], Cmd: ["sh", "-c", "echo by itself"] },
      });
      environment = {
        ...(podmanTrouble() === undefined ? podmanEnvironment(work.path("podman")) : {}),
        PATH: pathWithApptainer,
        APPTAINER_CACHEDIR: work.path("apptainer-cache"),
        APPTAINER_TMPDIR: work.path("apptainer-tmp"),
        ...mountVariables(),
      };
      const registries = openRegistries({
        configured: [],
        emit: ignoreEvents,
        signal: new AbortController().signal,
      });
      const repository = registries.repository(parseRepository(`${registry.host}/my-org/spack-tool`));
      await pushLayout(repository, work.path("image"), "latest");
      await registries.close();
    });
    afterAll(async () => {
      await registry?.close();
      work?.remove();
    });

    const run = (...args: readonly string[]): Promise<CommandResult> => work.run(args, { env: environment });
    const words = (form: FormName | "docker reference"): string =>
      form === "docker reference" ? `docker://${registry.host}/my-org/spack-tool` : everyForm[form];

    describe.each(runtimes)("by $runtime", ({ runtime, missing }) => {
      it.skipIf(missing !== undefined).each(forms)("exec takes a %s", async (form) => {
        if (missingFor(form) !== undefined) return;
        const script = 'cat /etc/said; echo "$WORD:$1"; exit 3';
        const ran = await run("exec", "--with", runtime, words(form), "--", "sh", "-c", script, "sh", "a b");
        expect(ran.stdout, ran.stderr).toBe(`inside\n${form === "sandbox" ? "" : "set"}:a b\n`);
        expect(ran.status).toBe(3);
      });
    });

    it.each(forms)("run takes a %s, and starts what it is for", async (form) => {
      if (missingFor(form) !== undefined) return;
      const ran = await run("run", "--with", "namespace", words(form));
      expect(ran.stdout, ran.stderr).toBe("by itself\n");
    });

    it.each(forms)("shell takes a %s", async (form) => {
      if (missingFor(form) !== undefined) return;
      const ran = await work.run(["shell", "--with", "namespace", words(form)], {
        env: environment,
        input: "cat /etc/said; exit 4\n",
      });
      expect(ran.stdout, ran.stderr).toBe("inside\n");
      expect(ran.status).toBe(4);
    });

    it.each(forms)("test, doctor, job and sif take a %s", async (form) => {
      if (missingFor(form) !== undefined) return;
      const image = words(form);
      const tested = await run("--json", "test", "--with", "namespace", image);
      expect(tested.status, tested.stdout + tested.stderr).toBe(0);
      const examined = await run("--json", "doctor", "here", image);
      expect(examined.status, examined.stdout + examined.stderr).toBe(0);
      const job = await run("job", "--site", "here", image, "--", "cat", "/etc/said");
      expect(job.stdout, job.stderr).toContain("spacktainers exec");
      if (squashfsTrouble() !== undefined) return;
      const converted = await run("sif", "-q", "--force", "-o", "out.sif", image);
      expect(converted.status, converted.stderr).toBe(0);
      const ran = await run("exec", "--with", "namespace", "out.sif", "--", "cat", "/etc/said");
      expect(ran.stdout, ran.stderr).toBe("inside\n");
    });

    it.each(forms)("sbom, diff, explain and rebase say of a %s that nothing of it is known", async (form) => {
      if (missingFor(form) !== undefined) return;
      for (const verb of ["sbom", "explain"]) {
        const refused = await run(verb, words(form));
        expect(refused.status, refused.stdout).not.toBe(0);
        // In a registry a bill of materials is looked for first.
        expect(refused.stderr).toMatch(/NOT_SUPPORTED|NOT_FOUND {2}no bill of materials/);
      }
      const compared = await run("diff", words(form), words(form));
      expect(compared.stderr).toContain("NOT_SUPPORTED");
      const rebased = await run("rebase", words(form), "--base", "scratch", "-o", "oci:rebased");
      expect(rebased.status).not.toBe(0);
      expect(rebased.stderr).toMatch(/NOT_SUPPORTED|BASE_INVALID/);
      expect(existsSync(work.path("rebased"))).toBe(false);
    });

    it("a container that is not built is what is published, and what was pulled where something was", async () => {
      const published = await run("exec", "--with", "namespace", "tool", "--", "cat", "/etc/said");
      expect(published.stdout, published.stderr).toBe("inside\n");
      expect(published.stderr).toMatch(/tool is not built here: docker:\/\/.*@sha256:.*, which is published/);
      if (apptainerTrouble() !== undefined || squashfsTrouble() !== undefined) return;
      const pulled = await run("pull", "tool", "--with", "apptainer");
      expect(pulled.stdout, pulled.stderr).toBe("tool.sif\n");
      for (const image of ["tool", "tool.sif"])
        for (const runtime of ["namespace", "apptainer"]) {
          const ran = await run("exec", "--with", runtime, image, "--", "cat", "/etc/said");
          expect(ran.stdout, ran.stderr).toBe("inside\n");
          if (image === "tool") expect(ran.stderr).toMatch(/tool\.sif, which is pulled, is used/);
        }
      expect((await run("run", "tool", "--with", "apptainer")).stdout).toBe("by itself\n");
      expect((await run("--json", "test", "--with", "namespace", "tool")).status).toBe(0);
      const job = jsonLines(await run("--json", "job", "--site", "here", "tool", "--", "cat")).at(-1);
      expect(JSON.stringify(job)).toContain(join(work.directory, "tool.sif"));
    });

    it("verbs that take containers say so of an image", async () => {
      for (const verb of ["build", "lock", "plan", "push", "check", "list", "dockerfile"])
        for (const image of ["oci:image", "oci-archive:image.tar", "docker://here/x", "image.sif"]) {
          const refused = await run(verb, image);
          expect(refused.stderr, `${verb} ${image}`).toMatch(
            /UNKNOWN_CONTAINER[\s\S]*hint: that is an image/,
          );
          expect(refused.status).toBe(2);
        }
    });

    it("verbs of SIF files say how to make one of another form", async () => {
      for (const args of [
        ["sif", "list", "oci:image"],
        ["sif", "dump", "docker-archive:docker.tar", "1"],
        ["sif", "verify", "docker://here/x", "--key", "spacktainers.yaml"],
        ["sif", "push", "oci-archive:image.tar", "oras://localhost:1/x"],
      ]) {
        const refused = await run(...args);
        expect(refused.stderr, args.join(" ")).toMatch(
          /NOT_SUPPORTED[\s\S]*hint: to make one: `spacktainers sif \S+`/,
        );
        expect(refused.status).toBe(1);
      }
    });

    it("a directory that is neither a layout nor Apptainer's is no image, and that is said", async () => {
      mkdirSync(work.path("root/bin"), { recursive: true });
      for (const verb of ["run", "sif", "doctor", "sbom", "explain"])
        for (const image of ["root", "./root", "rootfs:root"]) {
          const refused = await run(...(verb === "doctor" ? ["doctor", "here", image] : [verb, image]));
          expect(refused.stdout + refused.stderr, `${verb} ${image}`).toMatch(
            /NOT_SUPPORTED[\s\S]*a directory is an image if it is an OCI layout/,
          );
          expect(refused.status).not.toBe(0);
        }
    });

    it("verbs that cannot take a form say which they take", async () => {
      for (const [verb, image] of [
        ["pull", "oci:image"],
        ["pull", "sandbox"],
        ["sign", "docker-archive:docker.tar"],
        ["verify", "oci-archive:image.tar"],
        ["rebase", "docker-archive:docker.tar"],
        ["rebase", "sandbox"],
      ] as const) {
        const refused = await run(verb, image);
        expect(refused.stderr, `${verb} ${image}`).toMatch(/NOT_SUPPORTED[\s\S]*hint:.*docker:\/\/NAME/);
        expect(refused.status).toBe(1);
      }
    });
  },
);
