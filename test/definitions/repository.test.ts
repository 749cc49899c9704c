import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { containerAtPath, findRepositoryRoot, loadRepository } from "../../src/definitions/repository.ts";
import { selectContainers, selectDefinitions } from "../../src/definitions/select.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "definitions-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function write(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
}

const manifest = "spack:\n  specs: [zlib]\n";

describe("loadRepository", () => {
  it("finds containers in folders and files, with what lies beside them", async () => {
    await write({
      "container_definitions/amd64/one/spack.yaml": manifest,
      "container_definitions/amd64/one/spack.lock": "{}",
      "container_definitions/amd64/one/Dockerfile.epilogue": "RUN true\n",
      "container_definitions/amd64/two.yaml": manifest,
      "container_definitions/amd64/three.def": "Bootstrap: docker\nFrom: a/b:1\n",
      "container_definitions/arm64/one/spack.yaml": manifest,
    });
    const { containers, errors, warnings } = await loadRepository(root);
    expect([...errors, ...warnings]).toEqual([]);
    const at = (name: string) => join(root, "container_definitions", name);
    expect(containers).toEqual([
      {
        name: "one",
        arch: "amd64",
        kind: "spack",
        path: at("amd64/one/spack.yaml"),
        lock: at("amd64/one/spack.lock"),
        epilogue: at("amd64/one/Dockerfile.epilogue"),
        parked: false,
      },
      {
        name: "three",
        arch: "amd64",
        kind: "def",
        path: at("amd64/three.def"),
        lock: undefined,
        epilogue: undefined,
        parked: false,
      },
      {
        name: "two",
        arch: "amd64",
        kind: "spack",
        path: at("amd64/two.yaml"),
        lock: undefined,
        epilogue: undefined,
        parked: false,
      },
      {
        name: "one",
        arch: "arm64",
        kind: "spack",
        path: at("arm64/one/spack.yaml"),
        lock: undefined,
        epilogue: undefined,
        parked: false,
      },
    ]);
  });

  it("parks what is in folders that start with _", async () => {
    await write({
      "container_definitions/_arm64/a/spack.yaml": manifest,
      "container_definitions/amd64/_b/spack.yaml": manifest,
      "container_definitions/amd64/_old/c/spack.yaml": manifest,
      "container_definitions/amd64/_old/older/nothing.txt": "",
      "container_definitions/_notes/spack.yaml": manifest,
    });
    const { containers, errors } = await loadRepository(root);
    expect(errors).toEqual([]);
    expect(containers.map(({ arch, name, parked }) => [arch, name, parked])).toEqual([
      ["amd64", "b", true],
      ["amd64", "c", true],
      ["arm64", "a", true],
    ]);
  });

  it("reports every problem at once", async () => {
    await write({
      "spacktainers.yaml": "cache: []\ncaches:\n  - { url: c, trust: missing.pub }\n",
      "container_definitions/amd64/one/spack.yaml": manifest,
      "container_definitions/amd64/one.yaml": manifest,
      "container_definitions/amd64/Two/spack.yaml": manifest,
      "container_definitions/amd64/empty/spack.yml": manifest,
      "container_definitions/x86_64/one/spack.yaml": manifest,
      "container_definitions/stray.yaml": manifest,
    });
    const { errors } = await loadRepository(root);
    expect(errors.map(({ code, message }) => `${code} ${message}`).sort()).toEqual([
      "CONFIG_INVALID the key file `missing.pub` does not exist",
      "CONFIG_INVALID unknown key `cache`",
      "DEFINITION_INVALID `Two` cannot be the name of a container",
      "DEFINITION_INVALID `stray.yaml` belongs in the folder of an architecture",
      "DEFINITION_INVALID `x86_64` is not an architecture",
      "DEFINITION_INVALID the folder `empty` has no spack.yaml",
      "DEFINITION_INVALID there are two containers `one` for amd64",
    ]);
    expect(errors.find(({ message }) => message.includes("x86_64"))?.hint).toBe("did you mean `amd64`?");
  });

  it("looks where the configuration says even when other parts of it are wrong", async () => {
    await write({
      "spacktainers.yaml": "definitions: mine\nlayers: {budget: many}\n",
      "mine/amd64/one/spack.yaml": manifest,
      "mine/amd64/one.yaml": manifest,
    });
    const { containers, broken, errors } = await loadRepository(root);
    expect(containers).toEqual([]);
    expect(broken.map(({ name, path }) => [name, path])).toEqual([
      ["one", join(root, "mine/amd64/one.yaml")],
      ["one", join(root, "mine/amd64/one/spack.yaml")],
    ]);
    expect(errors.map(({ message }) => message)).toEqual([
      "there are two containers `one` for amd64",
      expect.stringContaining("`layers.budget`"),
    ]);
  });

  it("keeps apart what concerns one definition from what concerns everybody", async () => {
    await write({
      "spacktainers.yaml": "cache: []\n",
      "container_definitions/amd64/sound/spack.yaml": manifest,
      "container_definitions/amd64/empty/notes.txt": "",
      "container_definitions/amd64/Two/spack.yaml": manifest,
      "container_definitions/amd64/_old/sound/spack.yaml": manifest,
      "container_definitions/x86_64/one/spack.yaml": manifest,
      "container_definitions/stray.yaml": manifest,
    });
    const { containers, broken, generalErrors, errors } = await loadRepository(root);
    expect(generalErrors.map(({ message }) => message)).toEqual(["unknown key `cache`"]);
    expect(errors).toHaveLength(6);
    expect(containers.map(({ name, parked }) => [name, parked])).toEqual([
      ["sound", true],
      ["sound", false],
    ]);
    expect(broken.map(({ arch, name, container }) => `${arch} ${name} ${container?.name}`).sort()).toEqual([
      "amd64 Two Two",
      "amd64 empty undefined",
      "undefined stray undefined",
      "undefined x86_64 undefined",
    ]);
  });

  it("looks for the key files that the configuration names", async () => {
    await write({ "spacktainers.yaml": "caches:\n  - url: c\n    trust: [a.pub, b.pub]\n", "a.pub": "" });
    const { errors } = await loadRepository(root);
    expect(errors.map(({ message, place }) => [message, place.line, place.column])).toEqual([
      ["the key file `b.pub` does not exist", 3, 20],
    ]);
  });

  it("looks for the other files that it names, beside whatever else is wrong", async () => {
    await write({
      "spacktainers.yaml":
        "layers: { budget: 0 }\nbase: { debian: bookworm, keyring: [d.gpg] }\nspack: { facts: f.json }\n",
    });
    const { errors, warnings } = await loadRepository(root);
    expect(errors.map(({ message, place }) => [message, place.line])).toEqual([
      ["`layers.budget` must be at least 2", 1],
      ["the key file `d.gpg` does not exist", 2],
    ]);
    // Containers with a lock need no facts.
    expect(warnings.map(({ message, place }) => [message, place.line])).toEqual([
      ["the file `f.json` does not exist", 3],
    ]);
  });

  it("is content with nothing", async () => {
    const { containers, errors, configuration } = await loadRepository(join(root, "nowhere"));
    expect([containers, errors, configuration.file]).toEqual([[], [], undefined]);
  });
});

describe("findRepositoryRoot", () => {
  it("walks up to the configuration or the definitions", async () => {
    await write({ "container_definitions/amd64/one/spack.yaml": manifest });
    expect(await findRepositoryRoot(join(root, "container_definitions/amd64/one"))).toBe(root);
  });
});

describe("selectContainers", () => {
  beforeEach(() =>
    write({
      "container_definitions/amd64/neuro-a/spack.yaml": manifest,
      "container_definitions/amd64/neuro-b/spack.yaml": manifest,
      "container_definitions/amd64/tool.yaml": manifest,
      "container_definitions/arm64/tool/spack.yaml": manifest,
      "container_definitions/arm64/_parked/old/spack.yaml": manifest,
      "elsewhere/spack.yaml": manifest,
      "elsewhere/spack.lock": "{}",
    }),
  );
  const select = async (names: string[], arch?: "amd64" | "arm64") => {
    const repository = await loadRepository(root);
    const chosen = await selectContainers(repository, {
      names,
      cwd: root,
      ...(arch === undefined ? {} : { arch }),
    });
    return chosen.map((container) => `${container.arch}/${container.name}`);
  };

  it("takes all that are not parked when nothing is named", async () => {
    expect(await select([])).toEqual(["amd64/neuro-a", "amd64/neuro-b", "amd64/tool", "arm64/tool"]);
    expect(await select([], "arm64")).toEqual(["arm64/tool"]);
  });

  it("takes names, globs and qualified names, each container once", async () => {
    expect(await select(["tool"])).toEqual(["amd64/tool", "arm64/tool"]);
    expect(await select(["neuro-*", "neuro-b"])).toEqual(["amd64/neuro-a", "amd64/neuro-b"]);
    expect(await select(["arm64/*"])).toEqual(["arm64/tool"]);
    expect(await select(["tool"], "amd64")).toEqual(["amd64/tool"]);
    expect(await select(["arm64/old"])).toEqual(["arm64/old"]);
  });

  it("takes paths, in the repository and outside of it", async () => {
    expect(await select(["container_definitions/amd64/neuro-a"])).toEqual(["amd64/neuro-a"]);
    expect(await select(["container_definitions/amd64/tool.yaml"])).toEqual(["amd64/tool"]);
    expect(await select(["elsewhere"], "arm64")).toEqual(["arm64/elsewhere"]);
    expect(await containerAtPath(join(root, "elsewhere"), "amd64")).toMatchObject({
      lock: join(root, "elsewhere/spack.lock"),
      kind: "spack",
    });
  });

  it("takes of a parked container and another of its name the other", async () => {
    await write({ "container_definitions/amd64/_old/tool/spack.yaml": manifest });
    const repository = await loadRepository(root);
    const [chosen, more] = await selectContainers(repository, { names: ["amd64/tool"], cwd: root });
    expect([chosen?.parked, more]).toEqual([false, undefined]);
    const path = "container_definitions/amd64/_old/tool";
    const byPath = await selectContainers(repository, { names: [path], cwd: root });
    expect(byPath.map(({ parked }) => parked)).toEqual([true]);
  });

  describe("beside broken definitions", () => {
    beforeEach(() =>
      write({
        "container_definitions/amd64/empty/notes.txt": "",
        "container_definitions/amd64/twice.yaml": manifest,
        "container_definitions/amd64/twice/spack.yaml": manifest,
        "container_definitions/arm64/twice/spack.yaml": manifest,
        "container_definitions/ppc64/one/spack.yaml": manifest,
      }),
    );
    const definitions = async (names: string[], arch?: "amd64" | "arm64") => {
      const selection = { names, cwd: root, ...(arch === undefined ? {} : { arch }) };
      const chosen = await selectDefinitions(await loadRepository(root), selection);
      return chosen.map((one) => `${one.arch ?? "?"}/${one.name}${one.kind === "broken" ? " broken" : ""}`);
    };

    it("takes what is named, and nothing of the others", async () => {
      expect(await select(["tool", "neuro-a"], "amd64")).toEqual(["amd64/neuro-a", "amd64/tool"]);
      expect(await definitions(["neuro-*"])).toEqual(["amd64/neuro-a", "amd64/neuro-b"]);
    });

    it("takes all of them where nothing is named", async () => {
      expect(await definitions([], "amd64")).toEqual([
        "?/ppc64 broken",
        "amd64/empty broken",
        "amd64/neuro-a",
        "amd64/neuro-b",
        "amd64/tool",
        "amd64/twice broken",
        "amd64/twice broken",
      ]);
      expect(await definitions([])).toHaveLength(9);
      expect(await select([], "amd64")).toEqual(["amd64/neuro-a", "amd64/neuro-b", "amd64/tool"]);
    });

    it("takes one by its name or its path, and says what is wrong where no other can be meant", async () => {
      expect(await definitions(["twice"])).toEqual([
        "amd64/twice broken",
        "amd64/twice broken",
        "arm64/twice",
      ]);
      for (const name of ["empty", "amd64/empty", "container_definitions/amd64/empty"])
        await expect(select([name])).rejects.toMatchObject({
          code: "DEFINITION_INVALID",
          message: "the folder `empty` has no spack.yaml",
        });
      await expect(select(["ppc64"])).rejects.toMatchObject({ message: "`ppc64` is not an architecture" });
      await expect(select(["container_definitions/amd64/twice"])).rejects.toMatchObject({
        message: "there are two containers `twice` for amd64",
      });
    });
  });

  it("names the nearest when there is no such container", async () => {
    await expect(select(["nuero-a"])).rejects.toMatchObject({
      code: "UNKNOWN_CONTAINER",
      message: "there is no container `nuero-a`",
      hint: "did you mean `neuro-a` or `neuro-b`?",
    });
    await expect(select(["neuro-a"], "arm64")).rejects.toMatchObject({ hint: "there is one for amd64" });
    await expect(select(["old"])).rejects.toMatchObject({ hint: expect.stringMatching(/parked/) });
    await expect(select(["zzz*"])).rejects.toMatchObject({ message: "no container matches `zzz*`" });
  });
});
