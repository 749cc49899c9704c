/**
 * The program that installs a package and pushes it in one process of Spack: starting Spack takes as long as everything else that it does
 * for a small package.
 *
 * Arguments: Spack's own file, the file to be made when the package was pushed, Spack's options, `--`, the words of the command that
 * installs, `--`, those of the one that pushes. Its status is that of installing: pushing is a step of its own all the same, which
 * {@link pushedOr} is, and is done there if it fails here. A Spack whose parts are not where they are expected only installs.
 */
export const installScript = `
import os, sys

spack, pushed = sys.argv[1:3]
at = sys.argv.index("--")
between = sys.argv.index("--", at + 1)
options, install, push = sys.argv[3:at], sys.argv[at + 1 : between], sys.argv[between + 1 :]
sys.path[0] = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(spack))), "lib", "spack")
sys.argv = [spack] + options + install
try:
    import spack.main as program
    parts = program.main, program.make_argument_parser, program._invoke_command
except (ImportError, AttributeError):
    os.execv(sys.executable, [sys.executable] + sys.argv)
status = program.main(options + install)
if status:
    sys.exit(status)
try:
    parser = program.make_argument_parser()
    command = parser.add_command(push[0])
    known, unknown = parser.parse_known_args(push)
    if not program._invoke_command(command, parser, known, unknown):
        open(pushed, "w").close()
except BaseException as error:
    print("==> Not pushed yet: %s" % error, flush=True)
`;

/**
 * A command line that does nothing if a file is there, which it removes, and else what another one does.
 *
 * @param pushed absolute path
 */
export function pushedOr(pushed: string, push: readonly string[]): readonly [string, ...string[]] {
  return ["sh", "-c", 'if rm "$0" 2>/dev/null; then exit 0; fi; exec "$@"', pushed, ...push];
}
