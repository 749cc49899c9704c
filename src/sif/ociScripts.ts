/** What an image's OCI configuration says about running it, as shell text. */

/** A word for the shell, taken as it is. */
export function quotedShellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The same between double quotes. In an assignment: the shell that is built into Apptainer 1.4 keeps the backslash of an
 * escaped single quote there.
 */
function assignedWord(text: string): string {
  return `"${text.replace(/[\\"$`]/g, "\\$&")}"`;
}

/**
 * The script that runs an image as its configuration says: entrypoint, then the arguments given or else the command.
 *
 * As with Apptainer, arguments are read by the shell once more (`$HOME` in one stands for the value in the container),
 * unless `APPTAINER_NO_EVAL` is set. Unlike with Apptainer, double quotes in arguments survive that.
 */
export function ociRunscript(entrypoint: readonly string[], command: readonly string[]): string {
  const words = (list: readonly string[]): string => list.map(quotedShellWord).join(" ");
  const fallback =
    command.length > 0
      ? `    set -- ${words(command)}\n`
      : entrypoint.length > 0
        ? "    :\n"
        : '    echo "The image has no entrypoint and no command: say what to run" >&2\n    exit 1\n';
  const prefix = entrypoint.length > 0 ? `set -- ${words(entrypoint)} "$@"\n` : "";
  return `#!/bin/sh
# Runs the entrypoint of the image's OCI configuration with the arguments given, or else with its command.
if [ $# -eq 0 ]; then
${fallback}elif [ -z "\${SINGULARITY_NO_EVAL:-}" ] && [ -z "\${APPTAINER_NO_EVAL:-}" ]; then
    # Arguments are read by the shell once more, as between double quotes; quotes in them are kept.
    left=$#
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        rest=$1
        word=
        shift
        while :; do
            before=\${rest%%[\\"\\\\]*}
            word=$word$before
            rest=\${rest#"$before"}
            case $rest in
            '') break ;;
            \\"*)
                word="$word\\\\\\""
                rest=\${rest#?}
                ;;
            ?)
                word="$word\\\\\\\\"
                rest=
                ;;
            *)
                after=\${rest#??}
                word=$word\${rest%"$after"}
                rest=$after
                ;;
            esac
        done
        eval "set -- \\"\\$@\\" \\"$word\\""
    done
    unset left rest word before after
fi
${prefix}exec "$@"
`;
}

/**
 * The script that sets the variables of an image's configuration. A variable that is set already is left alone, as with
 * Apptainer; `PATH` is always the image's.
 *
 * @param env `NAME=value`
 * @returns the script, and the names that no shell can set, which are left out
 */
export function ociEnvironmentScript(env: readonly string[]): {
  readonly script: string;
  readonly skipped: readonly string[];
} {
  const skipped: string[] = [];
  let script = "#!/bin/sh\n";
  for (const line of env) {
    const equals = line.indexOf("=");
    const name = equals < 0 ? line : line.slice(0, equals);
    const value = equals < 0 ? "" : line.slice(equals + 1);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0")) skipped.push(name);
    else if (name === "PATH") script += `export PATH=${assignedWord(value)}\n`;
    else script += `[ -n "\${${name}:-}" ] || ${name}=${assignedWord(value)}\nexport ${name}\n`;
  }
  return { script, skipped };
}
