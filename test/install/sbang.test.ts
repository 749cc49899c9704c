import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applySbang, shebangOf, undoSbang } from "../../src/install/sbang.ts";
import { sbangScript } from "../../src/install/sbangScript.ts";

const sbang = "/opt/software/bin/sbang";
const sbangLine = `#!/bin/sh ${sbang}\n`;
const long = `/opt/${"padding/".repeat(20)}bin`;

describe("undoSbang and applySbang", () => {
  const forms: Record<string, [original: string, second: string]> = {
    python: ["#!/p/bin/python3 -u\n", "#!/p/bin/python3 -u\n"],
    lua: ["#!/p/bin/lua\n", "--!/p/bin/lua\n"],
    luajit: ["#!/p/bin/luajit -e\n", "--!/p/bin/luajit -e\n"],
    node: ["#!/p/bin/node\n", "//!/p/bin/node\n"],
    php: ["#!/p/bin/php\n", "<?php #!/p/bin/php\n ?>"],
  };
  for (const [name, [original, second]] of Object.entries(forms)) {
    it(`restores the first line of a ${name} script where it fits`, () => {
      const script = Buffer.from(`${sbangLine}${second}rest\n`);
      expect(undoSbang(script, sbang).toString()).toBe(`${original}rest\n`);
    });

    it(`gives a ${name} script with a long first line the sbang line`, () => {
      const first = original.replace("/p/bin", long);
      const patched = applySbang(Buffer.from(`${first}rest\n`), sbang).toString();
      expect(patched).toBe(`${sbangLine}${second.replace("/p/bin", long)}rest\n`);
      const copy = Buffer.from(patched);
      expect(undoSbang(copy, sbang)).toBe(copy);
      expect(applySbang(copy, sbang)).toBe(copy);
    });
  }

  it("counts 127 bytes with the newline", () => {
    const line = (length: number): string => `#!${"/x".padEnd(length - 3, "x")}\n`;
    const fits = Buffer.from(line(127));
    expect(applySbang(fits, sbang)).toBe(fits);
    expect(applySbang(Buffer.from(line(128)), sbang).toString()).toBe(sbangLine + line(128));
    expect(undoSbang(Buffer.from(sbangLine + line(127)), sbang).toString()).toBe(line(127));
    const tooLong = Buffer.from(sbangLine + line(128));
    expect(undoSbang(tooLong, sbang)).toBe(tooLong);
  });

  const untouched: Record<string, string> = {
    "no script": "\x7fELF",
    "another first line": "#!/bin/sh\n#!/bin/bash\n",
    "an sbang elsewhere": "#!/bin/sh /other/bin/sbang\n#!/bin/bash\n",
    "no second line": sbangLine,
    "a second line that is no interpreter": `${sbangLine}echo\n`,
    "a line without end": `#!${"x".repeat(5000)}`,
    "a long line without interpreter": `#!${" ".repeat(200)}\n`,
    "php without its end": `${sbangLine}<?php #!/p/bin/php\nrest`,
  };
  for (const [what, text] of Object.entries(untouched)) {
    it(`leaves ${what} alone`, () => {
      const data = Buffer.from(text);
      expect(undoSbang(data, sbang)).toBe(data);
      expect(applySbang(data, sbang)).toBe(data);
    });
  }

  it("keeps bytes that are not text", () => {
    const script = Buffer.from(`${sbangLine}#!/p/caf\xe9\nrest\xff`, "latin1");
    expect(undoSbang(script, sbang).toString("latin1")).toBe("#!/p/caf\xe9\nrest\xff");
  });

  it("reads shebangs", () => {
    expect(shebangOf(Buffer.from("#! /bin/sh -e\nx"))?.toString()).toBe(" /bin/sh -e");
    expect(shebangOf(Buffer.from("#!/bin/sh"))?.toString()).toBe("/bin/sh");
    expect(shebangOf(Buffer.from("# no"))).toBeUndefined();
    expect(shebangOf(Buffer.from(`#!${"x".repeat(9999)}`))?.length).toBe(4094);
  });
});

describe("the sbang script", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sbang-"));
    writeFileSync(join(folder, "sbang"), sbangScript, { mode: 0o755 });
    mkdirSync(join(folder, "bin"));
    // Stands for any interpreter: says how it was called.
    for (const name of ["python3", "perl", "ruby", "lua", "node", "php"]) {
      writeFileSync(join(folder, "bin", name), `#!/bin/sh\nprintf '%s' "${name}"\nprintf '|%s' "$@"\n`);
      chmodSync(join(folder, "bin", name), 0o755);
    }
    symlinkSync(join(folder, "sbang"), join(folder, "bin/sbang"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Runs a script whose second line is given. */
  function run(second: string, ...args: string[]): string {
    const script = join(folder, "script with blanks");
    writeFileSync(script, `#!/bin/sh ${folder}/sbang\n${second.replaceAll("BIN", `${folder}/bin`)}\nrest\n`);
    chmodSync(script, 0o755);
    const result = spawnSync(script, args, {
      encoding: "utf8",
      timeout: 5000,
      env: { PATH: `${folder}/bin:/usr/bin:/bin` },
    });
    return result.status === 0
      ? result.stdout.replaceAll(script, "SCRIPT")
      : `${result.status}: ${result.stderr}`;
  }

  it("runs the interpreter of the second line, with its arguments and the script's", () => {
    expect(run("#!BIN/python3")).toBe("python3|SCRIPT");
    expect(run("#!BIN/python3 -u -I", "a b", "*", "")).toBe("python3|-u|-I|SCRIPT|a b|*|");
    expect(run("#! BIN/python3")).toBe("python3|SCRIPT");
  });

  it("does not expand what stands in the line", () => {
    expect(run("#!BIN/python3 * $HOME `id` \\n")).toBe("python3|*|$HOME|`id`|\\n|SCRIPT");
  });

  it("gives perl and ruby -x", () => {
    expect(run("#!BIN/perl -w", "a")).toBe("perl|-w|-x|SCRIPT|a");
    expect(run("#!BIN/ruby")).toBe("ruby|-x|SCRIPT");
    expect(run("#!/usr/bin/env perl")).toBe("perl|-x|SCRIPT");
  });

  it("knows the comments of other languages", () => {
    expect(run("--!BIN/lua -i")).toBe("lua|-i|SCRIPT");
    expect(run("//!BIN/node")).toBe("node|SCRIPT");
    expect(run("<?php #!BIN/php -q ?>")).toBe("php|-q|SCRIPT");
    expect(run("<?php #!BIN/php\n ?>")).toBe("php|SCRIPT");
  });

  it("runs lines much longer than the kernel's limit", () => {
    expect(run(`#!${"/./".repeat(500)}BIN/python3`)).toBe("python3|SCRIPT");
  });

  it("fails clearly", () => {
    expect(run("rest")).toMatch(
      /^126: sbang: .*its interpreter is sbang itself|^126: sbang: .*no interpreter/,
    );
    expect(run("#!BIN/sbang")).toMatch(/^126: sbang: .*sbang itself/);
    const call = (...args: string[]) => spawnSync(join(folder, "sbang"), args, { encoding: "utf8" });
    expect(call().status).toBe(2);
    expect(call("/no/such/script")).toMatchObject({
      status: 127,
      stderr: "sbang: /no/such/script: no such script\n",
    });
  });

  it("is plain shell", () => {
    expect(execFileSync("/bin/sh", ["-n", join(folder, "sbang")], { encoding: "utf8" })).toBe("");
  });
});
