import { distributionOfSuite, suiteName, suiteVersion } from "../../base/debian/suites.ts";

/** A suite of Debian or Ubuntu with its usual packages, or an image. */
export interface StartingBase {
  readonly kind: "debian" | "ubuntu" | "image";
  /** A suite, or an image's name. */
  readonly value: string;
  readonly packages: undefined;
}

/** What an image that others start from is here. */
export interface ImageBase {
  readonly base: StartingBase;
  /** Tag of one of Spack's own images, which have Spack inside. */
  readonly spackTag: string | undefined;
}

/**
 * The base that stands for an image: a suite where the image is one of Debian's or Ubuntu's own, or one of Spack's made from
 * these; else the image.
 *
 * @param name as `FROM` has it
 */
export function baseOfImage(name: string): ImageBase {
  const short = name.replace(/^docker\.io\//, "").replace(/^library\//, "");
  const [, repository = short, tag = "latest"] = /^([^:@]+)(?::([^@]+))?(?:@.*)?$/.exec(short) ?? [];
  const isPinned = name.includes("@");
  if ((repository === "debian" || repository === "ubuntu") && !isPinned) {
    const suite = tag.replace(/-(?:slim|backports)$/, "").replace(/-\d{8}.*$/, "");
    const known =
      suite === "latest" ? (repository === "debian" ? "stable" : "noble") : majorOf(repository, suite);
    if (distributionOfSuite(known) === repository)
      return { base: suiteBase(repository, known), spackTag: undefined };
  }
  const [, system] = /^(?:ghcr\.io\/)?spack\/([\w.-]+)$/.exec(repository) ?? [];
  if (system !== undefined) {
    const [, distribution, suite] = /^(ubuntu|debian)-?([\w.]+)$/.exec(system) ?? [];
    if (
      (distribution === "ubuntu" || distribution === "debian") &&
      suite !== undefined &&
      distributionOfSuite(suite) === distribution
    )
      return { base: suiteBase(distribution, suite), spackTag: tag };
    return {
      base: { kind: "image", value: systemImage(system) ?? name, packages: undefined },
      spackTag: tag,
    };
  }
  return {
    base: { kind: "image", value: qualified(name), packages: undefined },
    spackTag: undefined,
  };
}

/** `12.5` is Debian 12. */
function majorOf(distribution: "debian" | "ubuntu", suite: string): string {
  return distribution === "debian" && /^\d+\.\d+$/.test(suite) ? suite.replace(/\..*/, "") : suite;
}

function suiteBase(distribution: "debian" | "ubuntu", suite: string): StartingBase {
  return { kind: distribution, value: suiteName(distribution, suite), packages: undefined };
}

/** What Spack's other images were made from. */
function systemImage(system: string): string | undefined {
  const [, name = "", version = ""] = /^([a-z-]+?)-?(\d+|stream\d*)$/.exec(system) ?? [];
  const images: Readonly<Record<string, string>> = {
    almalinux: "docker.io/library/almalinux",
    rockylinux: "docker.io/library/rockylinux",
    fedora: "docker.io/library/fedora",
    leap: "docker.io/opensuse/leap",
    centos: "docker.io/library/centos",
  };
  const image = images[name];
  return image === undefined ? undefined : `${image}:${version}`;
}

/** With the registry that Docker adds by itself. */
function qualified(name: string): string {
  const [first = "", ...rest] = name.split("/");
  if (rest.length > 0 && (/[.:]/.test(first) || first === "localhost")) return name;
  return rest.length > 0 ? `docker.io/${name}` : `docker.io/library/${name}`;
}

/** The suite as Spack and Docker name it, for messages. */
export function baseText(base: Pick<StartingBase, "kind" | "value">): string {
  if (base.kind === "image") return base.value;
  const version = suiteVersion(base.kind, base.value);
  return `${base.kind} ${base.value}${version === undefined ? "" : ` (${version})`}`;
}

/** The line of a Dockerfile that installs OS packages in an image that has a package manager. */
export function installLine(
  image: string,
  packages: readonly string[],
  command?: string,
): string | undefined {
  const names = packages.join(" ");
  const manager =
    command ??
    (/(?:ubuntu|debian|cuda.*ubuntu)/.test(image)
      ? "apt"
      : /alpine/.test(image)
        ? "apk"
        : /(?:suse|leap)/.test(image)
          ? "zypper"
          : /(?:rocky|alma|fedora|centos|ubi|amazon|rhel)/.test(image)
            ? "dnf"
            : undefined);
  switch (manager?.replace(/_amazon$|_centos.*$/, "")) {
    case "apt":
      return `RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ${names} && rm -rf /var/lib/apt/lists/*`;
    case "apk":
      return `RUN apk add --no-cache ${names}`;
    case "zypper":
      return `RUN zypper --non-interactive install ${names} && zypper clean --all`;
    case "dnf":
    case "dnf_epel":
      return `RUN dnf install --assumeyes ${names} && dnf clean all`;
    case "yum":
      return `RUN yum install --assumeyes ${names} && yum clean all`;
  }
  return undefined;
}
