/** Where a distribution's archive is: configuration, else the machine's apt sources, else the distribution's own servers. */
import { SpacktainersError } from "../../util/errors.ts";
import type { BaseArchitecture, DebianBaseSpec, Distribution } from "../types.ts";
import { type AptSource, readAptSources } from "./aptSources.ts";
import { distributionOfSuite } from "./suites.ts";

/** A root of an archive (`dists/` and `pool/` are below it). */
export interface Mirror {
  /** Without trailing slash. */
  readonly url: string;
  /** Who named it. A configured one is never skipped silently. */
  readonly origin: "configuration" | "apt" | "default";
  readonly checkValidUntil: boolean;
}

/** Candidates for each archive, in order. */
export interface Mirrors {
  readonly main: readonly Mirror[];
  readonly security: readonly Mirror[];
}

/**
 * The public servers of the distributions. This is the one place where they are named.
 * `snapshot` has the archive as it was at a moment, put in place of `{moment}`.
 */
const publicArchives = {
  debian: {
    main: "http://deb.debian.org/debian",
    security: "http://deb.debian.org/debian-security",
    snapshotMain: "http://snapshot.debian.org/archive/debian/{moment}",
    snapshotSecurity: "http://snapshot.debian.org/archive/debian-security/{moment}",
  },
  ubuntu: {
    main: "http://archive.ubuntu.com/ubuntu",
    security: "http://security.ubuntu.com/ubuntu",
    snapshotMain: "http://snapshot.ubuntu.com/ubuntu/{moment}",
    snapshotSecurity: "http://snapshot.ubuntu.com/ubuntu/{moment}",
  },
  /** Ubuntu for all but amd64 and i386. */
  ubuntuPorts: {
    main: "http://ports.ubuntu.com/ubuntu-ports",
    security: "http://ports.ubuntu.com/ubuntu-ports",
    snapshotMain: "http://snapshot.ubuntu.com/ubuntu/{moment}",
    snapshotSecurity: "http://snapshot.ubuntu.com/ubuntu/{moment}",
  },
} as const;

function publicArchive(distribution: Distribution, architecture: BaseArchitecture) {
  if (distribution === "debian") return publicArchives.debian;
  return architecture === "amd64" ? publicArchives.ubuntu : publicArchives.ubuntuPorts;
}

/** The public address of a file of an archive: the same whatever mirror it was had from. */
export function publicFileUrl(
  distribution: Distribution,
  architecture: BaseArchitecture,
  archive: "main" | "security",
  filename: string,
): string {
  return `${publicArchive(distribution, architecture)[archive]}/${filename}`;
}

/**
 * The mirrors to try.
 * @param aptSources the machine's sources; default: read from `/etc/apt`
 * @throws SpacktainersError BASE_INVALID for a mirror that is no http(s) URL or a snapshot that is no moment
 */
export async function chooseMirrors(
  spec: DebianBaseSpec,
  architecture: BaseArchitecture,
  aptSources: () => Promise<readonly AptSource[]> = readAptSources,
): Promise<Mirrors> {
  const own = publicArchive(spec.distribution, architecture);
  if (spec.snapshot !== undefined) {
    const moment = spec.snapshot;
    if (!/^\d{8}T\d{6}Z$/.test(moment)) {
      throw new SpacktainersError("BASE_INVALID", `${JSON.stringify(moment)} is not a moment`, {
        hint: "write it as 20250520T000000Z",
      });
    }
    const mirror = (template: string): Mirror => ({
      url: template.replace("{moment}", moment),
      origin: "configuration",
      // It was current then.
      checkValidUntil: false,
    });
    return { main: [mirror(own.snapshotMain)], security: [mirror(own.snapshotSecurity)] };
  }
  if (spec.mirrors !== undefined && spec.mirrors.length > 0) {
    const security =
      spec.securityMirrors ?? spec.mirrors.map((url) => securitySibling(spec.distribution, url));
    return { main: spec.mirrors.map(configured), security: security.map(configured) };
  }
  const fallback = (url: string): Mirror => ({ url, origin: "default", checkValidUntil: true });
  // The archive's other architectures are elsewhere; a machine's mirror rarely has them.
  const ports = spec.distribution === "ubuntu" && architecture !== "amd64" && process.arch !== "arm64";
  const machine = machineMirrors(await aptSources(), spec.distribution);
  const join = (found: readonly Mirror[], url: string): Mirror[] =>
    unique(ports ? [fallback(url), ...found] : [...found, fallback(url)]);
  const security =
    machine.security.length > 0
      ? machine.security
      : machine.main.map((mirror) => ({ ...mirror, url: securitySibling(spec.distribution, mirror.url) }));
  return {
    main: join(machine.main, own.main),
    security:
      spec.securityMirrors === undefined
        ? join(security, own.security)
        : spec.securityMirrors.map(configured),
  };
}

/** The mirrors of a distribution among apt's sources: those that name one of its suites and the component `main`. */
function machineMirrors(sources: readonly AptSource[], distribution: Distribution): Mirrors {
  const main: Mirror[] = [];
  const security: Mirror[] = [];
  for (const source of sources) {
    if (!source.components.includes("main")) continue;
    const mirrors = source.uris
      .filter((uri) => /^https?:\/\//.test(uri) && URL.canParse(uri))
      .map(
        (uri): Mirror => ({
          url: withoutSlash(uri),
          origin: "apt",
          checkValidUntil: source.checkValidUntil !== false,
        }),
      );
    for (const suite of source.suites) {
      const name = suite.replace(/\/$/, "");
      const release = name.replace(/(?:-security|\/updates|-updates)$/, "");
      if (distributionOfSuite(release) !== distribution) continue;
      const secure = name.endsWith("-security") || name.endsWith("/updates");
      (secure ? security : main).push(...mirrors);
    }
  }
  return { main, security };
}

function unique(mirrors: readonly Mirror[]): Mirror[] {
  return mirrors.filter((mirror, at) => mirrors.findIndex((other) => other.url === mirror.url) === at);
}

function configured(url: string): Mirror {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new SpacktainersError("BASE_INVALID", "a mirror of the base is not an http(s) URL", {
      hint: "write it as http://mirror.example.org/debian",
    });
  }
  return { url: withoutSlash(url), origin: "configuration", checkValidUntil: true };
}

/** Debian's security archive usually lies beside the main one. */
function securitySibling(distribution: Distribution, url: string): string {
  const clean = withoutSlash(url);
  return distribution === "debian" && clean.endsWith("/debian") ? `${clean}-security` : clean;
}

function withoutSlash(url: string): string {
  return url.endsWith("/") ? withoutSlash(url.slice(0, -1)) : url;
}
