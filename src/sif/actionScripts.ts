/**
 * Scripts that Apptainer and its predecessors expect below `/.singularity.d`. What they do is Apptainer's behaviour, seen
 * in what 1.4 builds; they are read by `/bin/sh` and by the shell that is built into Apptainer.
 */

/** Takes over the variables of the image. */
const readEnvironment = `for script in /.singularity.d/env/*.sh; do
    [ ! -f "$script" ] || . "$script"
done
`;

/** A file of an app that was asked for, else of the old common one, or a message. */
function appBranch(file: string, what: string): string {
  return `if [ -n "\${SINGULARITY_APPNAME:-}" ]; then
    for app in "$SINGULARITY_APPNAME" singularity; do
        [ ! -x "/scif/apps/$app/scif/${file}" ] || exec "/scif/apps/$app/scif/${file}" "$@"
    done
    echo "The app $SINGULARITY_APPNAME has no ${what}" >&2
    exit 1
fi
`;
}

/** The scripts in `actions/`, by name: `exec`, `run`, `shell`, `start` and `test`. */
export const actionScripts: ReadonlyMap<string, string> = new Map([
  ["exec", `#!/bin/sh\n# Runs a command in the image's environment.\n${readEnvironment}exec "$@"\n`],
  [
    "run",
    `#!/bin/sh
# Runs what the image is for.
${readEnvironment}${appBranch("runscript", "runscript")}[ ! -x /.singularity.d/runscript ] || exec /.singularity.d/runscript "$@"
echo "The image has no runscript: starting a shell" >&2
exec /bin/sh "$@"
`,
  ],
  [
    "shell",
    `#!/bin/sh
# Starts a shell in the image's environment: the one asked for, else bash, else sh.
${readEnvironment}if [ -n "\${SINGULARITY_SHELL:-}" ] && [ -x "$SINGULARITY_SHELL" ]; then
    exec "$SINGULARITY_SHELL" "$@"
fi
if [ -x /bin/bash ]; then
    SHELL=/bin/bash
    PS1="Apptainer \${APPTAINER_NAME:-}:\\\\w> "
    export SHELL PS1
    exec /bin/bash --norc "$@"
fi
SHELL=/bin/sh
export SHELL
exec /bin/sh "$@"
`,
  ],
  [
    "start",
    `#!/bin/sh
# Starts an instance. The first process waits for this signal.
kill -CONT 1
${readEnvironment}[ ! -x /.singularity.d/startscript ] || exec /.singularity.d/startscript "$@"
`,
  ],
  [
    "test",
    `#!/bin/sh
# Runs the image's own tests.
${readEnvironment}${appBranch("test", "test")}[ ! -x /.singularity.d/test ] || exec /.singularity.d/test "$@"
echo "The image has no test" >&2
exit 0
`,
  ],
]);

/** The scripts in `env/` that are the same in every image, by name. They are read in the order of their names. */
export const commonEnvironmentScripts: ReadonlyMap<string, string> = new Map([
  ["01-base.sh", "#!/bin/sh\n# Comes first; nothing is needed here.\n"],
  [
    "95-apps.sh",
    `#!/bin/sh
# With --app: the programs, libraries and variables of that app, else of the old common one.
if [ -n "\${SINGULARITY_APPNAME:-}" ]; then
    export SINGULARITY_APPNAME
    if [ ! -d "/scif/apps/$SINGULARITY_APPNAME" ]; then
        echo "There is no app $SINGULARITY_APPNAME in this image" >&2
        exit 1
    fi
    SCIF_APPS=/scif/apps
    SCIF_APPROOT="/scif/apps/$SINGULARITY_APPNAME"
    export SCIF_APPS SCIF_APPROOT
    PATH="$SCIF_APPROOT:/scif/apps/singularity:$PATH"
    for root in "$SCIF_APPROOT" /scif/apps/singularity; do
        if [ -d "$root/bin" ]; then
            PATH="$root/bin:$PATH"
            break
        fi
    done
    export PATH
    for root in "$SCIF_APPROOT" /scif/apps/singularity; do
        if [ -d "$root/lib" ]; then
            LD_LIBRARY_PATH="$root/lib:\${LD_LIBRARY_PATH:-}"
            export LD_LIBRARY_PATH
            break
        fi
    done
    for name in 01-base.sh 90-environment.sh; do
        for root in "$SCIF_APPROOT" /scif/apps/singularity; do
            if [ -f "$root/scif/env/$name" ]; then
                . "$root/scif/env/$name"
                break
            fi
        done
    done
fi
`,
  ],
  [
    "99-base.sh",
    `#!/bin/sh
# Libraries that the host brings in (graphics drivers) are found last; the prompt shows where one is.
LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/.singularity.d/libs"
PS1="\${PS1:-Apptainer> }"
export LD_LIBRARY_PATH PS1
`,
  ],
  [
    "99-runtimevars.sh",
    `#!/bin/sh
# What the user asked for at run time: --env PREPEND_PATH, APPEND_PATH, PATH.
if [ -n "\${SING_USER_DEFINED_PREPEND_PATH:-}" ]; then
    PATH="$SING_USER_DEFINED_PREPEND_PATH:$PATH"
fi
if [ -n "\${SING_USER_DEFINED_APPEND_PATH:-}" ]; then
    PATH="$PATH:$SING_USER_DEFINED_APPEND_PATH"
fi
if [ -n "\${SING_USER_DEFINED_PATH:-}" ]; then
    PATH="$SING_USER_DEFINED_PATH"
fi
unset SING_USER_DEFINED_PREPEND_PATH SING_USER_DEFINED_APPEND_PATH SING_USER_DEFINED_PATH
export PATH
`,
  ],
]);
