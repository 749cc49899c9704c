/** Commands that install OS packages. */
import type { ShellCommand } from "./shellCommands.ts";

/** Packages that are there to build others with: an image that nothing is built in needs none of them. */
const buildTools =
  /^(?:build-essential|autoconf|automake|bison|bzip2|ca-certificates|clang(?:-\d+)?|cmake|coreutils|curl|dpkg-dev|environment-modules|file|flex|g\+\+(?:-\d+)?|gcc(?:-\d+)?|gcc-c\+\+|gfortran(?:-\d+)?|gcc-gfortran|git|gnupg2?|gpg|libtool|lsb-release|m4|make|ninja-build|patch|patchelf|pkg-config|pkgconf|procps|python3(?:-(?:boto3|dev|distutils|minimal|pip|setuptools|venv))?|python3-clingo|rpm|software-properties-common|tar|unzip|wget|which|xz(?:-utils)?|zip|zstd|lib.+-dev|linux-headers.*)$/;

/** What a command installs; undefined where it is no such command, nothing where it only prepares (`apt-get update`). */
export function installedPackages({ words }: ShellCommand): readonly string[] | undefined {
  const texts = words.map(({ text }) => text).filter((text) => !/^\w+=/.test(text));
  const [first = "", ...rest] = texts[0] === "sudo" ? texts.slice(1) : texts;
  if (!/(?:^|\/)(?:apt|apt-get|dnf|microdnf|yum|zypper|apk)$/.test(first)) return undefined;
  const names: string[] = [];
  let verb: string | undefined;
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] ?? "";
    if (["-t", "-o", "-c", "--target-release", "--repository", "-X"].includes(word)) at++;
    else if (word.startsWith("-")) continue;
    else if (verb === undefined) verb = word;
    else names.push(word);
  }
  return verb === "install" || verb === "add" || verb === "in" ? names : [];
}

/** Those that an image may need, and those that only building does. */
export function sortPackages(names: readonly string[]): {
  readonly run: readonly string[];
  readonly build: readonly string[];
} {
  const isBuild = (name: string): boolean => buildTools.test(name.replace(/=.*$/, ""));
  return { run: names.filter((name) => !isBuild(name)), build: names.filter(isBuild) };
}
