/** Instructions of a Dockerfile as text. */

/** Installs packages of Debian or Ubuntu, without questions and without what they only recommend. */
export function aptInstall(packages: readonly string[]): string {
  return [
    "RUN apt-get update \\",
    ` && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ${[...packages].sort().join(" ")} \\`,
    " && rm -rf /var/lib/apt/lists/*",
  ].join("\n");
}

/** Commands of which each is run when those before it succeeded. */
export function run(commands: readonly string[], options = ""): string {
  return `RUN ${options}${commands.join(" \\\n && ")}`;
}

/** A copy of one file or folder. */
export function copy(option: string | undefined, from: string, to: string): string {
  return `COPY ${option === undefined ? "" : `${option} `}${JSON.stringify([from, to])}`;
}

/** A copy of an archive, unpacked. */
export function add(from: string, to: string): string {
  return `ADD ${JSON.stringify([from, to])}`;
}

/** A word for a shell. */
export function quotedWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
