import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readScript } from "../../src/base/debian/readScript.ts";

/** The commands that a script reaches. */
function commands(body: string, there: readonly string[] = []) {
  return readScript(`#!/bin/sh\nset -e\n${body}`, {
    action: "configure",
    architecture: "amd64",
    multiarch: "x86_64-linux-gnu",
    exists: (path) => there.includes(path),
  });
}

describe("reading maintainer scripts", () => {
  test("continued lines, comments, quotes, redirections", () => {
    expect(
      commands(`run \\
  --one "a b" 'c $d' \\
\t--two x\\ y >/dev/null 2>&1 || true # not this
# nor --this
last a#b;next
`),
    ).toEqual([["run", "--one", "a b", "c $d", "--two", "x y"], ["last", "a#b"], ["next"]]);
  });

  test("variables, what dpkg says, loops and functions", () => {
    expect(
      commands(`arch=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
lib="/usr/lib/$arch"
list="a b"
add() {
  run "$lib/$1" \${2:-none} "$#"
}
for one in $list c; do add $one; done
add x "y z"
run \`dpkg --print-architecture\` "$(uname -r)"
`),
    ).toEqual([
      ["run", "/usr/lib/x86_64-linux-gnu/a", "none", "1"],
      ["run", "/usr/lib/x86_64-linux-gnu/b", "none", "1"],
      ["run", "/usr/lib/x86_64-linux-gnu/c", "none", "1"],
      ["run", "/usr/lib/x86_64-linux-gnu/x", "y", "z", "2"],
      ["run", "amd64", undefined],
    ]);
  });

  test("conditions as on a fresh system; both sides of what cannot be known", () => {
    expect(
      commands(
        `if [ "$1" = configure ] || [ "$1" = "abort-upgrade" ]; then yes 1; else no 1; fi
if [ -n "$2" ] && dpkg --compare-versions "$2" lt 1.0; then no 2; elif test -x /there; then yes 2; fi
if dpkg --compare-versions "$2" lt-nl 1.0; then no 3; fi
case "$1" in
  configure|reconfigure) yes 3 ;;
  (remove) no 4 ;;
  *) no 5 ;;
esac
if who-knows; then maybe 1; else maybe 2; fi
! true || yes 4
[ -z "$2" ] && yes 5
`,
        ["/there"],
      ),
    ).toEqual([
      ["yes", "1"],
      ["yes", "2"],
      ["yes", "3"],
      ["who-knows"],
      ["maybe", "1"],
      ["maybe", "2"],
      ["yes", "4"],
      ["yes", "5"],
    ]);
  });

  test("nothing after an end that is certain; all after one that is not", () => {
    expect(commands("a\nexit 0\nb\n")).toEqual([["a"]]);
    expect(commands("if x; then exit 0; fi\nb\n")).toEqual([["x"], ["b"]]);
    expect(commands('if [ "$1" = triggered ]; then exit 0; fi\nb\n')).toEqual([["b"]]);
  });

  test("here-documents and subshells", () => {
    expect(commands("cat > /etc/x <<EOF\nupdate-alternatives --install a\nEOF\n( cd / && b )\n")).toEqual([
      ["cat"],
      ["cd", "/"],
      ["b"],
    ]);
  });

  test("scripts of other languages, and broken ones, are not read", () => {
    const surroundings = { action: "configure", architecture: "amd64", multiarch: "x", exists: () => false };
    for (const text of [
      "#!/usr/bin/perl\nrun();\n",
      "\x7fELF",
      "#!/bin/sh\nif a; then b\n",
      '#!/bin/sh\necho "a\n',
      "",
    ])
      expect(readScript(text, surroundings)).toBe(undefined);
  });

  test("loops and calls without end do end", () => {
    expect(commands("while true; do a; done\nb\n")).toEqual([["a"], ["b"]]);
    expect(commands("f() { g; f; f; }\nf\n")?.length).toBeLessThan(20_000);
    expect(commands(`${"( ".repeat(500)}a${" )".repeat(500)}\n`)).toBe(undefined);
  });

  test("no text makes it fail", () => {
    const piece = fc.constantFrom(
      ..."if then else fi for in do done case esac while { } ( ) ;; ; & && || | ! [ ] \n $ ${ $( ` \" ' \\ a=b << EOF x $1".split(
        " ",
      ),
      "\n",
      " ",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        expect(() => commands(pieces.join(" "))).not.toThrow();
      }),
    );
  });
});
