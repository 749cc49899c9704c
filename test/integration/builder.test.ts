import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { describe, expect, it } from "vitest";
import { binary, demoRepository } from "../support/cli.ts";
import { jsonLines } from "../support/cliChecks.ts";
import { commandExists } from "../support/commandExists.ts";
import { findApptainer } from "../support/demoSite.ts";
import { startGitServer } from "../support/gitServer.ts";
import { podmanTrouble } from "../support/podman.ts";
import { startDockerRegistry } from "../support/realRegistry.ts";
import {
  build,
  checkout,
  env,
  git,
  inside,
  makeProject,
  makeSigningKey,
  mirror,
  packages,
  passphrase,
  password,
  patience,
  podmanEnv,
  registry,
  requireCredentials,
  s3,
  spacktainers,
  tool,
  trouble,
  wheels,
  work,
} from "./builderImages.ts";

describe.skipIf(trouble !== undefined)(
  `the builder and runtime images${trouble === undefined ? "" : ` (skipped: ${trouble})`}`,
  () => {
    it(
      "are made from what is configured, and listed",
      async () => {
        const isMade = (name: string) =>
          spawnSync("buildah", ["inspect", "--type", "image", name], { env, timeout: 60_000 }).status === 0;
        if (process.env.SPACKTAINERS_TEST_IMAGES === undefined || !isMade("local_builder")) {
          const built = await spacktainers("base", "build", "--with", "buildah");
          expect(built.status, (built.stdout + built.stderr).slice(-4000)).toBe(0);
          expect(built.stdout).toBe("local_builder  by buildah\nlocal_runtime  by buildah\n");
        }
        const listed = jsonLines(await spacktainers("--json", "base", "list", "--with", "buildah"));
        expect(listed).toMatchObject([
          { tag: "local_builder", id: expect.stringMatching(/^[0-9a-f]{64}$/), tool: "buildah" },
          { tag: "local_runtime", id: expect.stringMatching(/^[0-9a-f]{64}$/) },
        ]);
        if (podmanTrouble() !== undefined) return;
        // Compilers found, the target set. (Buildah would carry out what is ONBUILD in its `from`.)
        const said = await shell(
          work.directory,
          "podman run --rm local_builder bash -ec 'spack compilers; spack config get packages'",
        );
        expect(said).toMatch(/gcc@12/);
        expect(said).toContain("target=x86_64_v3");
      },
      patience,
    );

    it(
      "are published under the names of each registry, with credentials of the environment",
      async () => {
        const pushed = await spacktainers("base", "push", "--with", "buildah");
        expect(pushed.status, pushed.stderr).toBe(0);
        expect(pushed.stdout.trimEnd().split("\n")).toEqual(
          [
            "spacktainers/builder",
            "my-org/spack-builder",
            "spacktainers/runtime",
            "my-org/spack-runtime",
          ].map((name) => `${registry.host}/${name}:latest`),
        );
        const config = JSON.parse(
          execFileSync(
            "skopeo",
            [
              "inspect",
              "--config",
              "--raw",
              "--tls-verify=false",
              "--creds",
              `robot:${password}`,
              `docker://${registry.host}/spacktainers/builder:latest`,
            ],
            { encoding: "utf8", timeout: 60_000 },
          ),
        );
        expect(config.config.OnBuild.at(-1)).toContain("/opt/builder/build-environment");
      },
      patience,
    );

    it(
      "build a spack.yaml from the official images, signed, into a cache; no secret is seen anywhere",
      async () => {
        const home = makeSigningKey();
        const { accessKeyId, secretAccessKey } = await requireCredentials();
        const auth = Buffer.from(`robot:${password}`).toString("base64");
        writeFileSync(work.path("auth.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
        const armor = readFileSync(work.path("key"), "utf8").split("\n");
        const canaries = [armor[20] ?? "", passphrase, accessKeyId, secretAccessKey, password, auth];
        for (const canary of canaries) expect(canary.length).toBeGreaterThan(15);

        const project = makeProject("official", [
          `${registry.host}/spacktainers/builder:latest`,
          `${registry.host}/my-org/spack-runtime:latest`,
        ]);
        const secrets = ["signing_key=key", "passphrase=passphrase", "aws=aws"].flatMap((one) => {
          const [id, file = ""] = one.split("=");
          return ["--secret", `id=${id},src=${work.path(file)}`];
        });
        const args = [
          "--tls-verify=false",
          ...secrets,
          ...["--build-arg", "CACHE_BUCKET=s3://packages/cache", "--build-arg", `CACHE_ENDPOINT=${s3.url}`],
        ];
        const first = await build("buildah", project, ...args, "--tag", "official:1");

        // Every package is in the cache before what needs it begins.
        const at = (text: RegExp): number => first.said.search(text);
        expect(at(/Pushed gcc-runtime@/)).toBeGreaterThan(0);
        expect(at(/tree: Executing phase/)).toBeGreaterThan(at(/Pushed gcc-runtime@/));

        expect(inside("official:1", "/opt/view/bin/tree", "--version")).toContain("2.1.0");
        expect(
          inside("official:1", "bash", "-lc", "command -v bzip2; cat /opt/spack-environment/spack.lock"),
        ).toMatch(/^\/opt\/view\/bin\/bzip2\n/);
        expect(inside("official:1", "sh", "-c", "command -v spack gcc || echo neither")).toBe("neither");

        // The cache: all of it signed, by this key, with an index.
        const client = new S3Client({
          endpoint: s3.url,
          region: "us-east-1",
          forcePathStyle: true,
          credentials: { accessKeyId, secretAccessKey },
        });
        // No slash in the prefix: moto takes escapes out of a query before it checks the signature, and then finds it wrong.
        const listed = await client.send(new ListObjectsV2Command({ Bucket: "packages", Prefix: "cache" }));
        const keys = (listed.Contents ?? []).map(({ Key }) => Key ?? "");
        const manifests = keys.filter((key) => key.endsWith(".spec.manifest.json"));
        expect(manifests.map((key) => key.split("/").at(-2)).sort()).toEqual([
          "bzip2",
          "compiler-wrapper",
          "gcc-runtime",
          "tree",
        ]);
        expect(keys.some((key) => key.endsWith("index.manifest.json"))).toBe(true);
        for (const key of manifests) {
          const object = await client.send(new GetObjectCommand({ Bucket: "packages", Key: key }));
          writeFileSync(work.path("manifest"), (await object.Body?.transformToString()) ?? "");
          tool("gpg", "--homedir", home, "--verify", work.path("manifest"));
        }

        // Once more: everything comes from the cache, with its signatures checked.
        const second = await build("buildah", project, ...args, "--tag", "official:2");
        expect(second.said).not.toContain("Executing phase");
        expect(second.said).toMatch(/tree.*from binary cache|Extracting tree/);

        for (const { said, commands } of [first, second])
          for (const canary of canaries) {
            expect(said.includes(canary), "in the log").toBe(false);
            expect(
              commands.filter((command) => command.includes(canary)),
              "on a command line",
            ).toEqual([]);
          }
        for (const image of ["official:1", "official:2", `${registry.host}/spacktainers/builder:latest`])
          for (const canary of canaries)
            expect(tool("buildah", "inspect", "--type", "image", image).includes(canary), image).toBe(false);
        // Layers, those of the builder's stage too: whatever the storage has.
        writeFileSync(work.path("canaries"), canaries.map((one) => `${one}\n`).join(""));
        const storage = join(process.env.SPACKTAINERS_TEST_IMAGES ?? work.path("podman"), "storage");
        const found = spawnSync("grep", ["-rlFf", work.path("canaries"), storage], {
          encoding: "utf8",
          timeout: patience,
        });
        expect(found.stdout).toBe("");
        expect(found.status).toBe(1);
        const rings = spawnSync("find", [storage, "-path", "*private-keys-v1.d/*"], {
          encoding: "utf8",
          timeout: patience,
        });
        expect(rings.stdout).toBe("");
        expect(statSync(storage).isDirectory()).toBe(true);
      },
      patience,
    );

    it(
      "build a spack.yaml without any key or cache, by Podman too where it is here",
      async () => {
        const project = makeProject("local", ["local_builder", "local_runtime"]);
        const { said } = await build(
          commandExists("podman") ? "podman" : "buildah",
          project,
          "--tag",
          "local_result",
        );
        expect(said).toContain("tree: Successfully installed");
        expect(inside("local_result", "/opt/view/bin/tree", "--version")).toContain("2.1.0");
      },
      patience,
    );

    /** The blocks of code of a section of docs/recipes.md. */
    function blocks(section: string): readonly { readonly language: string; readonly text: string }[] {
      const page = readFileSync(join(demoRepository, "docs/recipes.md"), "utf8");
      const part = page.split(/^## /m).find((one) => one.startsWith(`${section}\n`));
      if (part === undefined) throw new Error(`docs/recipes.md has no section ${section}`);
      return [...part.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
        language,
        text,
      }));
    }

    /** What a reader puts in the place of the names of the page. */
    function put(text: string): string {
      return text
        .replaceAll("- zlib", "- tree@2.1.0")
        .replaceAll("install zlib", "install tree@2.1.0")
        .replaceAll("ghcr.io/my-org", `${registry.host}/my-org`)
        .replace(
          /^ {2}specs:/m,
          `  mirrors: {sources: {url: "${mirror.url}", source: true, binary: false}}\n  specs:`,
        );
    }

    /** Runs lines of the page in a shell. */
    async function shell(folder: string, text: string, more: NodeJS.ProcessEnv = {}): Promise<string> {
      mkdirSync(folder, { recursive: true });
      mkdirSync(work.path("bin"), { recursive: true });
      writeFileSync(work.path("bin/spacktainers"), `#!/bin/sh\nexec ${process.execPath} ${binary} "$@"\n`, {
        mode: 0o755,
      });
      // Servers of this process are asked meanwhile.
      const child = spawn("bash", ["-ec", text], {
        cwd: folder,
        env: {
          ...podmanEnv(),
          PATH: `${work.path("bin")}:${process.env.PATH}`,
          XDG_CACHE_HOME: work.cacheHome,
          ...more,
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
        stdout += chunk;
      });
      child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
        stderr += chunk;
      });
      const status = await new Promise((done) => child.once("close", done));
      expect(status, `${text}\n${stdout.slice(-3000)}${stderr.slice(-3000)}`).toBe(0);
      return stdout;
    }
    it.skipIf(podmanTrouble() !== undefined)(
      "are used as docs/recipes.md says: a spack.yaml in a container, with and without a key",
      async () => {
        const [make, dockerfile, yaml, build, key, signed] = blocks("A spack.yaml in a container");
        expect(make?.text).toBe("spacktainers base build\n");
        const folder = work.path("recipe");
        mkdirSync(folder);
        writeFileSync(join(folder, "Dockerfile"), dockerfile?.text ?? "");
        writeFileSync(join(folder, "spack.yaml"), put(yaml?.text ?? ""));
        await shell(folder, build?.text ?? "");
        expect(inside("mine", "/opt/view/bin/tree", "--version")).toContain("2.1.0");

        await shell(folder, key?.text ?? "");
        expect(readFileSync(join(folder, "key"), "utf8")).toContain("PRIVATE KEY BLOCK");
        mkdirSync(join(folder, "cache"));
        await shell(folder, signed?.text ?? "");
        const ring = ["--homedir", work.path("ring"), "--batch"];
        mkdirSync(work.path("ring"), { mode: 0o700 });
        tool("gpg", ...ring, "--import", join(folder, "key.pub"));
        const specs = join(folder, "cache/v3/manifests/spec");
        expect(readdirSync(specs).sort()).toEqual(["compiler-wrapper", "gcc-runtime", "tree"]);
        const [manifest = ""] = readdirSync(join(specs, "tree"));
        tool("gpg", ...ring, "--verify", join(specs, "tree", manifest));
        spawnSync("gpgconf", ["--homedir", work.path("ring"), "--kill", "all"], { timeout: 60_000 });
      },
      patience,
    );

    it.skipIf(podmanTrouble() !== undefined)(
      "are used as docs/recipes.md says: a shell in the official builder",
      async () => {
        const [start, inside_, dockerfile] = blocks("The official builder");
        const auth = Buffer.from(`robot:${password}`).toString("base64");
        writeFileSync(work.path("auth.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
        expect(dockerfile?.text).toContain("FROM ghcr.io/my-org/spack-runtime AS runtime");
        // Images that were kept name the port of the run that made them.
        const pulled = `for repo in /opt/spack-repos/*/; do git -C "$repo" remote set-url origin ${git.url}/packages.git; done`;
        const script = `${pulled}\nspack mirror add --type source sources ${mirror.url}\n${put(inside_?.text ?? "")}\n$(spack location -i tree)/bin/tree --version`;
        const line = put(start?.text ?? "")
          .replace("run -it", "run --rm --tls-verify=false")
          .trim();
        const said = await shell(work.directory, `${line} bash -ec "$SCRIPT"`, { SCRIPT: script });
        expect(said).toContain("Already up to date.");
        expect(said).toMatch(/^tree v2\.1\.0/m);
      },
      patience,
    );

    it.skipIf(podmanTrouble() !== undefined)(
      "are not needed for a SIF file of a Dockerfile, as docs/recipes.md makes it",
      async () => {
        const [direct, byRegistry] = blocks("A SIF file from a Dockerfile");
        const open = await startDockerRegistry();
        try {
          const folder = work.path("td");
          mkdirSync(folder);
          writeFileSync(
            join(folder, "Dockerfile"),
            'FROM localhost/debian-for-tests:1\nRUN cat /src/note > /note\nCMD ["cat", "/note"]\n',
          );
          writeFileSync(join(folder, "note"), "noted\n");
          await shell(folder, direct?.text ?? "");
          expect(statSync(join(folder, "td.sif")).size).toBeGreaterThan(1_000_000);
          await shell(
            folder,
            (byRegistry?.text ?? "")
              .replaceAll("localhost:5000", open.host)
              .replace(/^.*apptainer pull (docker:\S+):latest$/m, "spacktainers sif $1:latest -o pulled.sif"),
          );
          expect(statSync(join(folder, "pulled.sif")).size).toBeGreaterThan(1_000_000);
          const apptainer = findApptainer();
          if (apptainer === undefined) return;
          await shell(
            folder,
            `${(/^.*apptainer pull.*$/m.exec(byRegistry?.text ?? "")?.[0] ?? "").replace("localhost:5000", open.host)}\n[ "$(apptainer run td_latest.sif)" = noted ]\n[ "$(apptainer run td.sif)" = noted ]`,
            { PATH: `${dirname(apptainer)}:${work.path("bin")}:${process.env.PATH}` },
          );
        } finally {
          await open.close();
        }
      },
      patience,
    );

    it(
      "are not needed outside of a container, as docs/recipes.md goes on there",
      async () => {
        const [lines] = blocks("Outside of a container");
        const folder = work.path("outside");
        const definition = join(folder, "container_definitions/amd64/simulation");
        mkdirSync(definition, { recursive: true });
        mkdirSync(join(folder, "empty"));
        writeFileSync(
          join(definition, "spack.yaml"),
          put(
            "spack:\n  specs:\n  - zlib\n  packages:\n    gmake: {buildable: false, externals: [{spec: gmake@4.3, prefix: /usr}]}\n",
          ),
        );
        mkdirSync(join(folder, "clingo"));
        for (const wheel of readdirSync(wheels ?? ""))
          tool("python3", "-m", "zipfile", "-e", join(wheels ?? "", wheel), join(folder, "clingo"));
        const local = await startGitServer({ spack: checkout ?? "", packages: packages ?? "" });
        try {
          // The addresses of the page lead to repositories of this machine; releases are tags there, too.
          const places = { spack: "spack", "spack-packages": "packages" };
          const redirected = Object.entries(places).map(
            ([name, here]) =>
              [`url.${local.url}/${here}.git.insteadOf`, `https://github.com/spack/${name}.git`] as const,
          );
          const config = Object.fromEntries(
            redirected.flatMap(([key, value], at) => [
              [`GIT_CONFIG_KEY_${at}`, key],
              [`GIT_CONFIG_VALUE_${at}`, value],
            ]),
          );
          const said = await shell(
            folder,
            `${(lines?.text ?? "").replace("s3://my-cache", `file://${folder}/empty`)}\nspack find --format '{name}@{version} {architecture}'`,
            {
              ...config,
              GIT_CONFIG_COUNT: String(redirected.length),
              PYTHONPATH: join(folder, "clingo"),
              HOME: folder,
              SPACK_DISABLE_LOCAL_CONFIG: "1",
              SPACK_USER_CACHE_PATH: join(folder, "cache"),
            },
          );
          expect(said).toMatch(/^tree@2\.1\.0 .*x86_64_v3$/m);
        } finally {
          await local.close();
        }
      },
      patience,
    );
  },
);
