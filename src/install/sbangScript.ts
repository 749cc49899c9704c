/**
 * The script that runs scripts with an over-long interpreter line, to be put at `<root>/bin/sbang` (mode 0755) when a
 * package still needs it. Our own; it understands what Spack's sbang hook writes: the interpreter is on the second line,
 * after `#!`, `--!` (Lua), `//!` (Node) or inside `<?php … ?>`. Perl and Ruby get `-x`, without which they would start
 * with the first line again. Needs a POSIX `/bin/sh`, nothing else.
 */
export const sbangScript = `#!/bin/sh
# Runs a script by the interpreter that its second line names:
#
#     #!/bin/sh <root>/bin/sbang
#     #!/path/that/is/too/long/for/the/kernel/bin/python3
#
# The second line may also be a comment of another language: --!, //! or <?php #!... ?>

fail() {
    printf 'sbang: %s\\n' "$1" >&2
    exit "$2"
}

[ "$#" -gt 0 ] || fail 'usage: sbang SCRIPT [ARGUMENT]...' 2
[ -f "$1" ] || fail "$1: no such script" 127
[ -r "$1" ] || fail "$1: not readable" 126

first=
second=
{
    IFS= read -r first
    IFS= read -r second
} < "$1"

command=
for line in "$second" "$first"; do
    case $line in
        '#!'*) command=\${line#'#!'} ;;
        '--!'*) command=\${line#'--!'} ;;
        '//!'*) command=\${line#'//!'} ;;
        '<?php #!'*)
            command=\${line#'<?php #!'}
            command=\${command%' ?>'}
            ;;
    esac
    [ -z "$command" ] || break
done

# The line is split at blanks, and nothing else happens to it.
set -f
read -r interpreter argument rest <<END
$command
END
[ -n "$interpreter" ] || fail "$1: no interpreter in its first two lines" 126

name=\${interpreter##*/}
case $name/\${argument##*/} in
    sbang/* | */sbang) fail "$1: its interpreter is sbang itself" 126 ;;
    env/*) name=\${argument##*/} ;;
esac
case $name in
    perl | ruby) exec $command -x "$@" ;;
    *) exec $command "$@" ;;
esac
`;
