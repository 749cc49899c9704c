/** What an epilogue needs of the image below it. */
import { defaultBasePackages } from "../../base/debian/defaultPackages.ts";
import type { Configuration } from "../../definitions/configuration.ts";
import type { Container } from "../../definitions/repository.ts";
import type { Dockerfile } from "../../dockerfile/parseDockerfile.ts";

/**
 * apt; what packages depend on and bases are made without (adduser, debconf); and of the packages that none names, because every system
 * has them, those that maintainer scripts call. The rest comes with what is installed.
 */
const packageManager = [
  "adduser",
  "apt",
  "base-passwd",
  "dash",
  "debconf",
  "debianutils",
  "diffutils",
  "dpkg",
  "gzip",
  "init-system-helpers",
  "tar",
];

/**
 * The configuration with what the commands of an epilogue need of the base: one that calls apt gets it, where the base is one of
 * packages that may grow by what is needed.
 *
 * @throws SpacktainersError, SpacktainersErrors of reading the epilogue
 */
export async function withEpilogueNeeds(
  configuration: Configuration,
  { epilogue }: Pick<Container, "epilogue">,
): Promise<Configuration> {
  const { base } = configuration;
  if (epilogue === undefined) return configuration;
  const { parseDockerfile } = await import("../../dockerfile/parseDockerfile.ts");
  const { readEpilogue } = await import("./planEpilogue.ts");
  // What is wrong with it is said first, whatever the base.
  const dockerfile = parseDockerfile(await readEpilogue(epilogue), epilogue);
  if (base.kind !== "debian" || !base.complete || !callsApt(dockerfile)) return configuration;
  const packages = base.packages ?? defaultBasePackages;
  const wanted = packageManager.filter((name) => !packages.some((one) => one.split("=")[0] === name));
  return wanted.length === 0
    ? configuration
    : { ...configuration, base: { ...base, packages: [...packages, ...wanted] } };
}

function callsApt({ instructions }: Dockerfile): boolean {
  return instructions.some(
    (one) =>
      one.kind === "run" &&
      /(?:^|[\s;&|("'/])(?:apt-get|apt)(?=\s|["']|$)/.test(
        one.command.form === "exec"
          ? one.command.arguments.join(" ")
          : [one.command.line, ...one.command.heredocs.map(({ content }) => content)].join("\n"),
      ),
  );
}
