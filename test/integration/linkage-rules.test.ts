import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkLinkage } from "../../src/linkage/checkLinkage.ts";
import { Loader } from "../../src/linkage/loader.ts";
import { FileTree } from "../../src/view/fileTree.ts";
import { librariesIn, writeLdSoCache } from "../../src/view/ldSoCache.ts";
import { inventoryOfDirectory } from "../view/inventoryOfDirectory.ts";

const loaderPath = "/lib64/ld-linux-x86-64.so.2";
const possible =
  process.getuid?.() === 0 &&
  existsSync(loaderPath) &&
  ["/usr/bin/gcc", "/usr/bin/as", "/usr/bin/ld", "/bin/dash", "/usr/bin/patchelf", "/usr/sbin/chroot"].every(
    (path) => existsSync(path),
  );

/** A library or program to make: what it needs, by the files made before, and how it searches. */
interface Recipe {
  readonly path: string;
  readonly needs?: readonly string[];
  /** Linker options. */
  readonly options?: readonly string[];
  readonly program?: boolean;
}

describe.skipIf(!possible)(
  "search rules against the real loader (needs gcc and root on x86-64 Linux)",
  () => {
    const root = mkdtempSync(join(tmpdir(), "spacktainers-rules-"));
    const put = (path: string): string => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      return join(root, path);
    };
    const make = ({ path, needs = [], options = [], program = false }: Recipe): void => {
      const source = put(`src/${path}.c`);
      writeFileSync(source, program ? "int main(void) { return 0; }\n" : "int nothing;\n");
      const linker = ["--no-as-needed", "--allow-shlib-undefined", ...options].map(
        (option) => `-Wl,${option}`,
      );
      const shared = program
        ? []
        : ["-shared", "-fPIC", `-Wl,-soname,${path.slice(path.lastIndexOf("/") + 1)}`];
      const libraries = needs.map((need) => (need.startsWith("-") ? need : join(root, need)));
      execFileSync("gcc", [...shared, "-o", put(path), source, ...linker, ...libraries]);
    };

    beforeAll(() => {
      for (const path of [loaderPath, "/lib/x86_64-linux-gnu/libc.so.6"])
        copyFileSync(realpathSync(path), put(path));
      copyFileSync(realpathSync("/bin/dash"), put("shell"));
      chmodSync(join(root, "shell"), 0o755);
      mkdirSync(join(root, "proc"));
      const leaf = (path: string): void => make({ path });
      for (const folder of ["a", "b", "c", "usr/lib", "cached"]) leaf(`${folder}/libleaf.so.1`);
      leaf("a/libonlya.so.1");
      leaf("cached/libcached.so.1");
      leaf("own/libown.so.1");
      leaf("deep/x/lib/liborigin.so.1");
      const rpath = "--disable-new-dtags";
      const runpath = "--enable-new-dtags";
      make({ path: "m/libmid.so.1", needs: ["a/libleaf.so.1"] });
      make({ path: "m/libmidrun.so.1", needs: ["a/libonlya.so.1"], options: [runpath, "-rpath,/nowhere"] });
      make({ path: "m/libmidrpath.so.1", needs: ["a/libleaf.so.1"], options: [rpath, "-rpath,/b"] });
      const program = (name: string, needs: string[], ...options: string[]): void =>
        make({ path: `bin/${name}`, program: true, needs, options });
      program("plain", ["a/libleaf.so.1"]);
      program("rpath", ["a/libleaf.so.1"], rpath, "-rpath,/b:/a");
      program("runpath", ["a/libleaf.so.1"], runpath, "-rpath,/c");
      program("inherits", ["m/libmid.so.1"], rpath, "-rpath,/m:/b");
      program("inheritsnot", ["m/libmid.so.1"], runpath, "-rpath,/m:/b");
      program("midrun", ["m/libmidrun.so.1"], rpath, "-rpath,/m:/a");
      program("midrpath", ["m/libmidrpath.so.1"], rpath, "-rpath,/m:/a");
      program("loadedfirst", ["a/libonlya.so.1", "m/libmidrun.so.1"], rpath, "-rpath,/m:/a");
      program("cached", ["cached/libcached.so.1"]);
      program(
        "nodeflib",
        ["cached/libcached.so.1", "-lc"],
        "-z,nodefaultlib",
        "-rpath,/lib/x86_64-linux-gnu",
      );
      program("missing", ["own/libown.so.1"]);
      make({
        path: "deep/x/bin/origin",
        program: true,
        needs: ["deep/x/lib/liborigin.so.1"],
        options: [runpath, "-rpath,$ORIGIN/../lib"],
      });
      symlinkSync("/deep/x/bin/origin", put("view/bin/origin"));
      make({
        path: "l/liborg.so.1",
        needs: ["own/libown.so.1"],
        options: [runpath, "-rpath,$ORIGIN/../own"],
      });
      symlinkSync("/l/liborg.so.1", put("links/lib/liborg.so.1"));
      program("originlink", ["l/liborg.so.1"], rpath, "-rpath,/links/lib");
      program("originreal", ["l/liborg.so.1"], rpath, "-rpath,/l");
      // A file of another machine is passed over.
      const foreign = Buffer.from("7f454c460201010000000000000000000300b70001000000", "hex");
      writeFileSync(put("foreign/libleaf.so.1"), Buffer.concat([foreign, Buffer.alloc(4096)]));
      program("foreign", ["a/libleaf.so.1"], rpath, "-rpath,/foreign:/c");
      // The path of a library without a SONAME goes into the program as it is.
      const source = put("src/abs.c");
      writeFileSync(source, "int x;\n");
      execFileSync("gcc", ["-shared", "-fPIC", "-o", put("abs/libabs.so"), source]);
      execFileSync("gcc", [
        "-o",
        put("bin/absolute"),
        put("src/bin/plain.c"),
        "-Wl,--no-as-needed",
        join(root, "abs/libabs.so"),
      ]);
      execFileSync("patchelf", [
        "--replace-needed",
        join(root, "abs/libabs.so"),
        "/abs/libabs.so",
        put("bin/absolute"),
      ]);
      tree = new FileTree([inventoryOfDirectory(root)]);
      writeFileSync(put("etc/ld.so.cache"), writeLdSoCache(librariesIn(tree, directories)));
    });
    afterAll(() => rmSync(root, { recursive: true, force: true }));

    const directories = ["/cached", "/lib/x86_64-linux-gnu", "/lib", "/usr/lib"];
    let tree = new FileTree([]);

    test.each([
      "bin/plain",
      "bin/rpath",
      "bin/runpath",
      "bin/inherits",
      "bin/inheritsnot",
      "bin/midrun",
      "bin/midrpath",
      "bin/loadedfirst",
      "bin/cached",
      "bin/nodeflib",
      "bin/missing",
      "deep/x/bin/origin",
      "view/bin/origin",
      "bin/originlink",
      "bin/originreal",
      "bin/foreign",
      "bin/absolute",
    ])("%s", (path) => {
      // The kernel, not the loader, starts the program: `$ORIGIN` is what it is in life.
      const trace = `LD_TRACE_LOADED_OBJECTS=1 exec /${path}`;
      // Without /proc the loader does not know where its program is.
      const inside = `mount -t proc proc '${root}/proc' || mount --rbind /proc '${root}/proc'; exec /usr/sbin/chroot '${root}' /shell -c '${trace}'`;
      const output = execFileSync("unshare", ["-m", "sh", "-c", inside], { encoding: "utf8" });
      const real = new Map<string, string>();
      for (const line of output.split("\n")) {
        const [, name, target] = /^\t(\S+) => (not found|\S+)/.exec(line) ?? [];
        if (name !== undefined && target !== undefined && !name.startsWith("/")) real.set(name, target);
        const [, absolute] = /^\t(\/\S+) \(0x/.exec(line) ?? [];
        if (absolute !== undefined && !absolute.includes("ld-linux")) real.set(absolute, absolute);
      }
      const loader = new Loader(tree, "amd64", librariesIn(tree, directories));
      const file = loader.fileAt(path);
      if (file === undefined) throw new Error(`no ${path}`);
      const ours = loader.load(file);
      const found = new Map<string, string>(ours.unresolved.map((one) => [one.name, "not found"]));
      for (const [name, object] of ours.names)
        if (!name.startsWith("ld-linux")) found.set(name, `/${object.file.path}`);
      expect([...found].sort()).toEqual([...real].sort());
      expect(real.size).toBeGreaterThan(0);
    });

    test("the check tells what the loader would not find", () => {
      const report = checkLinkage({
        tree,
        architecture: "amd64",
        packages: [],
        cache: librariesIn(tree, directories),
        searchPath: [],
      });
      const told = report.problems.flatMap((one) => one.files.map((path) => `${path}: ${one.missing}`));
      expect(told.sort()).toEqual([
        "/bin/missing: libown.so.1",
        "/l/liborg.so.1: libown.so.1",
        "/m/libmidrun.so.1: libonlya.so.1",
      ]);
    });
  },
);
