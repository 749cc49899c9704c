import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mergeView } from "../../src/view/mergeView.ts";
import { relativeLink } from "../../src/view/pythonView.ts";
import type { MergedView, ViewOptions } from "../../src/view/types.ts";
import { type Files, viewPackage } from "./entries.ts";
import { makeSpec } from "./makeSpec.ts";

const options: ViewOptions = { viewPath: "/v", layout: "plain", linkType: "symlink", metadata: false };

/** Paths below the view with link texts, `/` for directories, contents of files. */
function shown(view: MergedView): Record<string, string> {
  const root = `${view.realPath.slice(1)}/`;
  return Object.fromEntries(
    view.entries
      .filter((entry) => entry.path.startsWith(root))
      .map((entry) => [
        entry.path.slice(root.length),
        entry.type === "directory"
          ? "/"
          : (entry.target ?? Buffer.from(entry.content ?? []).toString("latin1")),
      ]),
  );
}

function merge(packages: readonly (readonly [string, Files])[], more: Partial<ViewOptions> = {}): MergedView {
  return mergeView(
    packages.map(([name, files]) => viewPackage(makeSpec(name), files)),
    { ...options, ...more },
  );
}

describe("merging prefixes", () => {
  test("the first package wins, losers are told, empty folders are kept", () => {
    const view = merge([
      ["app", { "bin/tool": "1", "share/empty": "/", ".spack/spec.json": "{}" }],
      ["lib", { "bin/tool": "2", "lib/libx.so": "3" }],
      ["other", { "bin/tool": "4" }],
    ]);
    expect(shown(view)).toEqual({
      bin: "/",
      "bin/tool": "/sw/app/bin/tool",
      lib: "/",
      "lib/libx.so": "/sw/lib/lib/libx.so",
      share: "/",
      "share/empty": "/",
    });
    expect(view.conflicts).toEqual([
      { path: "bin/tool", winner: "/sw/app/bin/tool", losers: ["/sw/lib/bin/tool", "/sw/other/bin/tool"] },
    ]);
  });

  test("links to folders near the top become folders, deeper or outward ones stay links", () => {
    const view = merge([
      [
        "p",
        {
          "lib/x": "1",
          lib64: "-> lib",
          "share/man/man1/p.1": "2",
          "share/doc": "-> man",
          "share/up": "-> ../lib",
          "share/man/deep": "-> man1",
          "lib/dangling": "-> nothing",
        },
      ],
    ]);
    expect(shown(view)).toMatchObject({
      lib64: "/",
      "lib64/x": "/sw/p/lib64/x",
      "share/doc": "/",
      "share/doc/man1/p.1": "/sw/p/share/doc/man1/p.1",
      "share/up": "/sw/p/share/up",
      "share/man/deep": "/sw/p/share/man/deep",
      "lib/dangling": "/sw/p/lib/dangling",
    });
  });

  test("a link to oneself does not go on for ever", () => {
    const view = merge([["p", { "lib/x": "1", "lib/self": "-> .", loop: "-> loop", all: "-> ." }]]);
    expect(shown(view)["lib/self/self"]).toBe("/sw/p/lib/self/self");
    expect(shown(view).loop).toBe("/sw/p/loop");
    expect(shown(view)["all/lib/self"]).toBe("/sw/p/all/lib/self");
  });

  test("of a link and the file it leads to, the file is shown", () => {
    const view = merge([
      ["alias", { "bin/tool": "-> /sw/real/bin/tool" }],
      ["real", { "bin/tool": "1" }],
    ]);
    expect(shown(view)["bin/tool"]).toBe("/sw/real/bin/tool");
    expect(view.conflicts).toEqual([]);
  });

  test("a link to a folder gives way to the folder itself", () => {
    const view = merge([
      ["alias", { "share/a/b/data": "-> /sw/real/share/a/b/data" }],
      ["real", { "share/a/b/data/x": "1" }],
    ]);
    expect(shown(view)["share/a/b/data/x"]).toBe("/sw/real/share/a/b/data/x");
    const reversed = merge([
      ["real", { "share/a/b/data/x": "1" }],
      ["zalias", { "share/a/b/data": "-> /sw/real/share/a/b/data" }],
    ]);
    expect(shown(reversed)["share/a/b/data"]).toBe("/");
  });

  test.each([
    [{ "lib/x": "file" }, { "lib/x/y": "in a folder" }],
    [{ "lib/x/y": "in a folder" }, { "lib/x": "file" }],
  ])("a file where another package has a folder is refused", (first, second) => {
    expect(() =>
      merge([
        ["one", first],
        ["two", second],
      ]),
    ).toThrow(
      expect.objectContaining({
        code: "VIEW_CONFLICT",
        message: expect.stringMatching(/lib\/x.*\/sw\/one\/lib\/x.*\/sw\/two\/lib\/x/),
      }),
    );
  });

  test("two packages of one name need two places", () => {
    const one = viewPackage(makeSpec("zlib", { version: "1.2" }), {}, "/sw/zlib-1.2");
    const two = viewPackage(makeSpec("zlib", { version: "1.3" }), {}, "/sw/zlib-1.3");
    expect(() => mergeView([one, two], options)).toThrow(/zlib-1\.2.*zlib-1\.3/);
    const view = mergeView([one, two], { ...options, projectionOf: (spec) => `z/${spec.version}` });
    expect(shown(view)).toMatchObject({ "z/1.2": "/", "z/1.3": "/" });
  });

  test("of run-time packages of compilers only the newest is shown", () => {
    const versions = ["12.2.0", "13.1.0", "9.4.0", "13.1.0"];
    const view = mergeView(
      versions.map((version, at) =>
        viewPackage(
          makeSpec("gcc-runtime", { version, external: undefined as never, variants: [["at", String(at)]] }),
          { "lib/libgcc_s.so.1": "x" },
          `/sw/gcc-runtime-${version}-${at}`,
        ),
      ),
      options,
    );
    expect(view.packages.map((one) => one.prefix)).toEqual(["/sw/gcc-runtime-13.1.0-1"]);
  });

  test("externals and what is left out are not shown", () => {
    const view = mergeView(
      [
        viewPackage(makeSpec("kept"), { "bin/kept": "1" }),
        viewPackage(makeSpec("left"), { "bin/left": "1" }),
        viewPackage(makeSpec("curl", { external: "/usr" }), { "bin/curl": "1" }),
      ],
      { ...options, includes: (spec) => spec.name !== "left" },
    );
    expect(Object.keys(shown(view))).toEqual(["bin", "bin/kept"]);
  });

  test("the folder of notes of every package, when asked for", () => {
    const view = merge([["a", { ".spack/spec.json": "{}", ".spack/repos/x/y": "1" }]], { metadata: true });
    expect(shown(view)).toEqual({
      ".spack": "/",
      ".spack/a": "/",
      ".spack/a/repos": "/",
      ".spack/a/repos/x": "/",
      ".spack/a/repos/x/y": "/sw/a/.spack/repos/x/y",
      ".spack/a/spec.json": "/sw/a/.spack/spec.json",
    });
  });

  test("hard links for those who want them, and a word to those who want copies", () => {
    const files = { "bin/a": "1", "bin/b": "-> a", "bin/c": "= sw/p/bin/a" };
    const hard = merge([["p", files]], { linkType: "hardlink" });
    expect(
      hard.entries
        .filter((entry) => entry.path.startsWith("v/bin/"))
        .map((entry) => [entry.type, entry.target]),
    ).toEqual([
      ["hardlink", "sw/p/bin/a"],
      ["symlink", "a"],
      ["hardlink", "sw/p/bin/a"],
    ]);
    const copy = merge([["p", files]], { linkType: "copy" });
    expect(shown(copy)["bin/a"]).toBe("/sw/p/bin/a");
    expect(copy.notices.join()).toMatch(/link_type: copy/);
  });

  test("the link to a hidden folder is relative, and named by what the view is made of", () => {
    const view = merge([["a", { "bin/a": "1" }]], { viewPath: "/opt/view", layout: "link" });
    expect(view.realPath).toMatch(/^\/opt\/\._view\/[a-z2-7]{32}$/);
    const link = view.entries.find((entry) => entry.path === "opt/view");
    expect(link?.target).toBe(view.realPath.slice("/opt/".length));
    expect(view.entries.map((entry) => entry.path)).toContain("opt/._view");
    const same = merge([["a", { "bin/a": "1" }]], { viewPath: "/opt/view", layout: "link" });
    expect(same).toEqual(view);
    const other = merge([["b", { "bin/a": "1" }]], { viewPath: "/opt/view", layout: "link" });
    expect(other.realPath).not.toBe(view.realPath);
    const top = merge([["a", {}]], { viewPath: "/view", layout: "link" });
    expect(top.entries.find((entry) => entry.path === "view")?.target).toMatch(/^\._view\//);
  });

  test("a view path or projection that leads elsewhere is refused", () => {
    for (const viewPath of ["", "/", "view", "/a/../b", "/a//b", "/a/"])
      expect(() => merge([], { viewPath })).toThrow(/not an absolute path/);
    expect(() => merge([["a", {}]], { projectionOf: () => "../x" })).toThrow(/leaves the view/);
  });

  test("entries are sorted, parents first, whatever the packages hold", () => {
    const name = fc.constantFrom("a", "b", "c-d", "c", "é", "z.y", "constructor", "__proto__");
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    const what = fc.constantFrom("/", "x", "-> a", "-> ../b", "-> /sw/two/c", "-> .");
    const tree = fc.array(fc.tuple(path, what), { maxLength: 8 });
    fc.assert(
      fc.property(tree, tree, (first, second) => {
        let view: MergedView;
        try {
          view = mergeView(
            [first, second].map((files, at) =>
              viewPackage(makeSpec(at === 0 ? "one" : "two"), Object.fromEntries(files)),
            ),
            options,
          );
        } catch (error) {
          expect(error).toMatchObject({ code: "VIEW_CONFLICT" });
          return;
        }
        const paths = view.entries.map((entry) => entry.path);
        expect(paths).toEqual([...new Set(paths)].sort());
        const known = new Map(view.entries.map((entry) => [entry.path, entry.type]));
        for (const one of paths)
          if (one.includes("/")) expect(known.get(one.slice(0, one.lastIndexOf("/")))).toBe("directory");
      }),
    );
  });
});

describe("Python in a view", () => {
  const python = makeSpec("python", { version: "3.11.2" });
  const venv = makeSpec("python-venv", { dependencies: [["python", python.hash, "build", "run"]] });
  const extension = makeSpec("py-x", {
    dependencies: [
      ["python", python.hash, "build", "run"],
      ["python-venv", venv.hash, "build", "run"],
    ],
  });
  const pythonPackage = viewPackage(python, { "bin/python3.11": "elf", "bin/python3": "-> python3.11" });
  const venvPackage = viewPackage(venv, {
    "bin/activate": "VIRTUAL_ENV=/sw/python-venv\n",
    "bin/python3": "-> /sw/python/bin/python3.11",
    "pyvenv.cfg": "home = /sw/python/bin\n",
  });
  const extensionFiles = {
    "bin/x": "#!/sw/python-venv/bin/python3\nimport x # /sw/python-venv\n",
    "bin/x-alias": "-> x",
    "bin/x-hard": "= sw/py-x/bin/x",
    "bin/data": "/sw/python-venv",
    "lib/python3.11/site-packages/x.py": "",
  };

  test("scripts of extensions are copies that start the view's interpreter; links to them follow", () => {
    const view = mergeView([viewPackage(extension, extensionFiles), venvPackage, pythonPackage], options);
    expect(shown(view)).toMatchObject({
      "bin/x": "#!/v/bin/python3\nimport x # /v\n",
      // Of two names of one file the later one, as in Spack.
      "bin/x-alias": "x-hard",
      "bin/data": "/sw/py-x/bin/data",
      "bin/activate": "VIRTUAL_ENV=/v\n",
      "bin/python3": "/sw/python-venv/bin/python3",
      "pyvenv.cfg": "/sw/python-venv/pyvenv.cfg",
    });
    const script = view.entries.find((entry) => entry.path === "v/bin/x");
    expect(script).toMatchObject({ type: "file", mode: 0o755, shebang: "/v/bin/python3" });
    expect(shown(view)["bin/x-hard"]).toBe("#!/v/bin/python3\nimport x # /v\n");
  });

  test("an interpreter without python-venv gets a pyvenv.cfg, older extensions use it", () => {
    const old = makeSpec("py-old", { dependencies: [["python", python.hash, "run"]] });
    const view = mergeView(
      [
        viewPackage(old, {
          "bin/old": "#!/sw/python/bin/python3.11\n",
          "lib/python3.11/site-packages/old.py": "",
        }),
        pythonPackage,
      ],
      options,
    );
    expect(shown(view)["bin/old"]).toBe("#!/v/bin/python3.11\n");
    expect(shown(view)["pyvenv.cfg"]?.split("\n")).toEqual([
      "home = /sw/python/bin",
      "include-system-site-packages = false",
      "version = 3.11.2",
      "executable = /sw/python/bin/python3.11",
      "command = /sw/python/bin/python3.11 -m venv --without-pip /v",
      "",
    ]);
  });

  test("packages that only run Python, and extensions of a Python that is not shown, are linked", () => {
    const user = makeSpec("tool", { dependencies: [["python", python.hash, "run"]] });
    const files = { "bin/tool": "#!/sw/python/bin/python3.11\n" };
    const view = mergeView([viewPackage(user, files), pythonPackage], options);
    expect(shown(view)["bin/tool"]).toBe("/sw/tool/bin/tool");
    const alone = mergeView([viewPackage(extension, extensionFiles)], options);
    expect(shown(alone)["bin/x"]).toBe("/sw/py-x/bin/x");
  });

  test("extensions go to the place of their interpreter", () => {
    const view = mergeView([viewPackage(extension, extensionFiles), venvPackage, pythonPackage], {
      ...options,
      projectionOf: (spec) => `${spec.name}-${spec.version}`,
    });
    expect(shown(view)["python-3.11.2/bin/x"]).toContain("#!/v/python-3.11.2/bin/python3\n");
    expect(shown(view)["python-3.11.2/bin/activate"]).toBe("VIRTUAL_ENV=/v/python-3.11.2\n");
  });

  test("a script whose text is not known is linked, and that is told", () => {
    const known = viewPackage(extension, extensionFiles);
    const entries = known.inventory.entries.map(({ text: _, ...entry }) => entry);
    const view = mergeView([{ ...known, inventory: { entries } }, venvPackage, pythonPackage], options);
    expect(shown(view)["bin/x"]).toBe("/sw/py-x/bin/x");
    expect(view.notices.join()).toContain("/sw/py-x/bin/x is linked");
  });

  test("relative links", () => {
    expect(relativeLink("bin/a", "bin/b")).toBe("b");
    expect(relativeLink("bin/a", "libexec/x/b")).toBe("../libexec/x/b");
    expect(relativeLink("a/b/c", "a/d")).toBe("../d");
  });
});
