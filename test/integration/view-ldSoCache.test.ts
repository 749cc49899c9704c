import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FileTree } from "../../src/view/fileTree.ts";
import { librariesIn, writeLdSoCache } from "../../src/view/ldSoCache.ts";
import { cacheDirectories, ldSoConfText, viewLdSoConf } from "../../src/view/ldSoConf.ts";
import { everyStep, inventoryOfDirectory } from "../view/inventoryOfDirectory.ts";

const ldconfig = ["/sbin/ldconfig", "/usr/sbin/ldconfig"].find((path) => existsSync(path));
const systemLibraries = "/usr/lib/x86_64-linux-gnu";
const available =
  ldconfig !== undefined && existsSync(`${systemLibraries}/libz.so.1`) && process.arch === "x64";

/** What `ldconfig -p` prints: `name (kind) => path`, in the file's order. */
function printed(cache: string): string[] {
  const output = execFileSync(ldconfig ?? "", ["-p", "-C", cache], { encoding: "utf8" });
  return output.split("\n").flatMap((line) => (line.startsWith("\t") ? [line.trim()] : []));
}

/** Paths with the folder written as it is, so that `/lib` and `/usr/lib` of a merged system are one. */
function merged(line: string): string {
  return line.replace("=> /lib", "=> /usr/lib");
}

describe.skipIf(!available)(
  "ld.so.cache against the real ldconfig (needs ldconfig and zlib of Debian on x86-64)",
  () => {
    const scratch = mkdtempSync(join(tmpdir(), "spacktainers-cache-"));
    afterAll(() => rmSync(scratch, { recursive: true, force: true }));

    test("the libraries of this machine: same names, kinds and paths", () => {
      const theirs = join(scratch, "theirs");
      const conf = join(scratch, "conf");
      const directories = [
        "/usr/local/lib",
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib",
        "/usr/lib",
      ];
      writeFileSync(conf, directories.join("\n"));
      execFileSync(ldconfig ?? "", ["-X", "-i", "-f", conf, "-C", theirs], { stdio: "ignore" });
      const folders = ["usr/local/lib", "usr/lib/x86_64-linux-gnu", "usr/lib", "usr/lib64", "lib", "lib64"];
      const tree = new FileTree(folders.map((folder) => inventoryOfDirectory("/", [folder], false)));
      // Links may lead deeper, and from one link to the next (`/etc/alternatives`).
      for (const folder of new Set(
        directories.filter((path) => existsSync(path)).map((path) => realpathSync(path)),
      ))
        for (const name of readdirSync(folder)) {
          const path = join(folder, name);
          if (!lstatSync(path).isSymbolicLink()) continue;
          for (const step of everyStep(path)) tree.add(inventoryOfDirectory("/", [step.slice(1)], false));
        }
      const ours = join(scratch, "ours");
      const libraries = librariesIn(tree, directories);
      writeFileSync(ours, writeLdSoCache(libraries));
      const reference = printed(theirs).map(merged);
      expect(reference.length).toBeGreaterThan(50);
      expect(printed(ours).map(merged)).toEqual(reference);
    });

    test("an image with a view: same as ldconfig in its root directory", () => {
      const root = join(scratch, "image");
      const put = (path: string): string => {
        mkdirSync(dirname(join(root, path)), { recursive: true });
        return join(root, path);
      };
      const copy = (from: string, to: string): void => copyFileSync(realpathSync(from), put(to));
      const link = (target: string, path: string): void => symlinkSync(target, put(path));
      const zlib = `${systemLibraries}/libz.so.1`;
      copy(`${systemLibraries}/libc.so.6`, "usr/lib/x86_64-linux-gnu/libc.so.6");
      copy(`${systemLibraries}/ld-linux-x86-64.so.2`, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
      link("usr/lib", "lib");
      copy(zlib, "usr/lib/x86_64-linux-gnu/libz.so.1.2.13");
      link("libz.so.1.2.13", "usr/lib/x86_64-linux-gnu/libz.so.1");
      copy(zlib, "opt/software/zlib-abc/lib/libz.so.1.2.11");
      link("libz.so.1.2.11", "opt/software/zlib-abc/lib/libz.so.1");
      link("libz.so.1.2.11", "opt/software/zlib-abc/lib/libz.so");
      for (const name of ["libz.so", "libz.so.1", "libz.so.1.2.11"])
        link(`/opt/software/zlib-abc/lib/${name}`, `opt/._view/h/lib/${name}`);
      link("._view/h", "opt/view");
      // Not libraries: a linker script, a debugger's script, a dangling link, another prefix.
      writeFileSync(put("usr/lib/x86_64-linux-gnu/libscript.so"), "INPUT(libc.so.6)\n");
      writeFileSync(put("usr/lib/x86_64-linux-gnu/libz.so.1-gdb.py"), "");
      link("nowhere", "usr/lib/x86_64-linux-gnu/libgone.so.1");
      copy(zlib, "usr/lib/x86_64-linux-gnu/plugin.so");
      writeFileSync(put("etc/ld.so.conf"), ldSoConfText);
      writeFileSync(put("etc/ld.so.conf.d/zz_spacktainers.conf"), viewLdSoConf("/opt/view"));
      writeFileSync(put("etc/ld.so.conf.d/x86_64.conf"), "/lib/x86_64-linux-gnu\n");
      mkdirSync(join(root, "var/cache/ldconfig"), { recursive: true });
      execFileSync(ldconfig ?? "", ["-r", root, "-X", "-i"], { stdio: "ignore" });

      const tree = new FileTree([inventoryOfDirectory(root)]);
      const ours = join(scratch, "image.cache");
      writeFileSync(
        ours,
        writeLdSoCache(librariesIn(tree, cacheDirectories("amd64", "/opt/view", ["/lib/x86_64-linux-gnu"]))),
      );
      expect(printed(ours)).toEqual(printed(join(root, "etc/ld.so.cache")));
      expect(printed(ours)).toContain("libz.so.1 (libc6,x86-64) => /opt/view/lib/libz.so.1");
    });

    test("AArch64 libraries are shown as such, and the writer names itself", () => {
      const file = join(scratch, "arm");
      writeFileSync(
        file,
        writeLdSoCache([{ name: "libmpi.so.12", path: "/opt/view/lib/libmpi.so.12", flags: 0x0a03 }]),
      );
      expect(printed(file)).toEqual(["libmpi.so.12 (libc6,AArch64) => /opt/view/lib/libmpi.so.12"]);
      const output = execFileSync(ldconfig ?? "", ["-p", "-C", file], { encoding: "utf8" });
      expect(output).toContain("Cache generated by: spacktainers");
    });
  },
);
