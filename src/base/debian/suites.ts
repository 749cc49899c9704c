/** Names of Debian's and Ubuntu's suites. */
import { SpacktainersError } from "../../util/errors.ts";
import type { Distribution } from "../types.ts";

/** Code names by version number (release notes of the distributions). */
const versions: Readonly<Record<Distribution, Readonly<Record<string, string>>>> = {
  debian: { "10": "buster", "11": "bullseye", "12": "bookworm", "13": "trixie", "14": "forky", "15": "duke" },
  ubuntu: {
    "18.04": "bionic",
    "20.04": "focal",
    "22.04": "jammy",
    "24.04": "noble",
    "24.10": "oracular",
    "25.04": "plucky",
    "25.10": "questing",
    "26.04": "resolute",
  },
};

/** Names that move from release to release, and Debian's unstable one. */
const moving: Readonly<Record<Distribution, readonly string[]>> = {
  debian: ["oldoldstable", "oldstable", "stable", "testing", "unstable", "sid", "experimental"],
  ubuntu: ["devel"],
};

/** The distribution that has a suite or version of this name, if it is one known here. */
export function distributionOfSuite(suite: string): Distribution | undefined {
  return (["debian", "ubuntu"] as const).find(
    (distribution) =>
      Object.hasOwn(versions[distribution], suite) ||
      Object.values(versions[distribution]).includes(suite) ||
      moving[distribution].includes(suite),
  );
}

/** The version number of a suite (`12` of bookworm); undefined for those that have none, or are not known here. */
export function suiteVersion(distribution: Distribution, suite: string): string | undefined {
  const entry = Object.entries(versions[distribution]).find((names) => names.includes(suite));
  return entry?.[0];
}

/** The suite's name in the archive: a version number becomes the code name; other names are kept, known or not. */
export function suiteName(distribution: Distribution, suite: string): string {
  const names = versions[distribution];
  const name = Object.hasOwn(names, suite) ? (names[suite] ?? suite) : suite;
  if (!/^[a-z][a-z0-9.-]{0,60}$/.test(name)) {
    throw new SpacktainersError("BASE_INVALID", `${JSON.stringify(suite)} is not the name of a suite`, {
      hint:
        distribution === "debian"
          ? "a Debian suite is called bookworm, trixie, stable, …"
          : "an Ubuntu suite is called jammy, noble, 24.04, …",
    });
  }
  return name;
}

/** One `dists/` folder to take packages from. */
export interface SuiteFolder {
  readonly name: string;
  readonly archive: "main" | "security";
  /** Whether the base cannot be made without it. */
  readonly required: boolean;
}

/** The suite itself, then its updates and its security updates (Debian's unstable and experimental have none). */
export function suiteFolders(suite: string): readonly SuiteFolder[] {
  const itself: SuiteFolder = { name: suite, archive: "main", required: true };
  if (["sid", "unstable", "experimental"].includes(suite) || suite.includes("-")) return [itself];
  return [
    itself,
    { name: `${suite}-updates`, archive: "main", required: false },
    { name: `${suite}-security`, archive: "security", required: false },
  ];
}
