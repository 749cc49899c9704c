/**
 * A Dockerfile that makes about the same image with Docker or Buildah and a real Spack, for those who stay with these.
 *
 * Two stages of the same distribution: a builder that has Spack install the environment, and the image itself, which gets
 * the packages, the view and the script. What the Dockerfile cannot give is what this program is for: same bytes, layers
 * that stay, the check of what can run.
 */
import type {
  BaseConfiguration,
  CacheConfiguration,
  Configuration,
} from "../../definitions/configuration.ts";
import { defaultSpack, isRemoteAddress } from "../../definitions/spackConfiguration.ts";
import { contractCommand, contractEntrypoint } from "../../image/assembleImage.ts";
import { SpacktainersError } from "../../util/errors.ts";
import { standardPath } from "../../view/environmentModification.ts";
import { environmentScriptPath, hostLibraries } from "../../view/environmentScript.ts";
import { viewLdSoConf, viewLdSoConfPath } from "../../view/ldSoConf.ts";
import { add, aptInstall, copy, quotedWord, run } from "./dockerfileInstructions.ts";

/** What a Dockerfile is written from. */
export interface DockerfileRequest {
  readonly name: string;
  readonly arch: "amd64" | "arm64";
  readonly configuration: Pick<
    Configuration,
    "base" | "caches" | "install" | "view" | "strip" | "spack" | "platforms"
  >;
  /** Paths relative to the build context, with slashes. */
  readonly manifest: string;
  readonly lock: string | undefined;
  /** The text of a `Dockerfile.epilogue`. */
  readonly epilogue: string | undefined;
  /** OS packages of the base, with what was added for the Spack packages where a lock tells. */
  readonly basePackages: readonly string[];
  /** Makes a path of the configuration relative to the build context; undefined when it is outside. */
  relative(path: string): string | undefined;
}

/** First line of every Dockerfile that we write. */
export const dockerfileSyntax = "# syntax=docker/dockerfile:1";

const spackFolder = "/opt/spack";
const environmentFolder = "/opt/spack-environment";
/** Where the builder puts together what the image gets. */
const resultFolder = "/opt/image";

/** What Spack needs to run and to compile with on Debian and Ubuntu. */
const builderPackages: readonly string[] = [
  "bzip2",
  "ca-certificates",
  "file",
  "g++",
  "gcc",
  "gfortran",
  "git",
  "gnupg",
  "make",
  "patch",
  "python3",
  "unzip",
  "xz-utils",
  "zstd",
];

/**
 * The text of the Dockerfile. Pure.
 *
 * @throws {SpacktainersError} `NOT_SUPPORTED` for a base that no Dockerfile can start from; `CONFIG_INVALID` for a file
 *   outside of the build context
 */
export function dockerfileText(request: DockerfileRequest): string {
  const { configuration, name, arch } = request;
  const { image, prelude } = startingImage(configuration.base, request);
  const blocks = [
    [
      dockerfileSyntax,
      `# ${name} for ${arch}, from ${request.manifest}. Written by \`spacktainers dockerfile\`.`,
      "# Build it from the root of the repository:",
      `#   docker build --platform linux/${arch} --file Dockerfile --tag ${name} .`,
      ...(usesSecrets(configuration.caches)
        ? ["# with the credentials of the caches: --secret id=aws,src=$HOME/.aws/credentials"]
        : []),
    ],
    ["# The builder: Spack installs the environment.", `FROM ${image} AS builder`, ...prelude],
    [
      aptInstall([
        ...builderPackages,
        // Spack's client of S3.
        ...(configuration.caches.some(({ url }) => url.startsWith("s3:")) ? ["python3-boto3"] : []),
      ]),
    ],
    spackLines(configuration.spack, request),
    ...configuration.caches.map((cache, index) => cacheLines(cache, index, request)),
    environmentLines(request),
    [
      run(
        [
          `spack -e ${environmentFolder} install --fail-fast`,
          `spack -e ${environmentFolder} gc --yes-to-all`,
        ],
        usesSecrets(configuration.caches) ? "--mount=type=secret,id=aws,target=/root/.aws/credentials " : "",
      ),
    ],
    ...(configuration.strip ? [stripLines(configuration.install.root)] : []),
    resultLines(configuration),
    [
      "# The image: what runs, and nothing of what built it.",
      `FROM ${image}`,
      ...prelude,
      ...(request.basePackages.length === 0 ? [] : [aptInstall(request.basePackages)]),
      copy("--from=builder", `${resultFolder}/`, "/"),
      run([`printf '%s\\n' ${loaderFolders(configuration.view.root)} > ${viewLdSoConfPath}`, "ldconfig"]),
      `ENV PATH=${configuration.view.root}/bin:${standardPath}`,
      `LABEL org.opencontainers.image.title=${JSON.stringify(name)}`,
      `ENTRYPOINT ${JSON.stringify(contractEntrypoint)}`,
      `CMD ${JSON.stringify(contractCommand)}`,
    ],
    ...(request.epilogue === undefined ? [] : [["# Dockerfile.epilogue", request.epilogue.trimEnd()]]),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** What both stages start from, and what comes first in them. */
function startingImage(
  base: BaseConfiguration,
  { relative }: DockerfileRequest,
): { readonly image: string; readonly prelude: readonly string[] } {
  switch (base.kind) {
    case "debian": {
      const image = `docker.io/library/${base.distribution}:${base.suite}`;
      if (base.snapshot === undefined) return { image, prelude: [] };
      const site =
        base.distribution === "debian"
          ? "http://snapshot.debian.org/archive/debian"
          : "http://snapshot.ubuntu.com/ubuntu";
      const line = `deb [check-valid-until=no] ${site}/${base.snapshot} ${base.suite} ${(base.components ?? ["main"]).join(" ")}`;
      return {
        image,
        prelude: [
          run([
            "rm -f /etc/apt/sources.list.d/*",
            `printf '%s\\n' ${quotedWord(line)} > /etc/apt/sources.list`,
          ]),
        ],
      };
    }
    case "image":
      return { image: base.reference, prelude: [] };
    case "rootfs":
      return { image: "scratch", prelude: [add(inContext(base.path, relative), "/")] };
    case "oci":
    case "scratch":
      throw new SpacktainersError("NOT_SUPPORTED", `a Dockerfile cannot start from \`base: ${base.kind}\``, {
        hint: "use debian, ubuntu, image or rootfs",
      });
  }
}

function spackLines(spack: Configuration["spack"], { relative }: DockerfileRequest): readonly string[] {
  const clone = (url: string, ref: string | undefined, to: string): string[] => [
    `git clone --quiet --no-checkout --filter=blob:none ${quotedWord(url)} ${to}`,
    `git -C ${to} checkout --quiet ${ref === undefined ? "HEAD" : quotedWord(ref)}`,
  ];
  const folder = (url: string, ref: string | undefined, to: string): string => {
    if (ref !== undefined)
      throw new SpacktainersError("CONFIG_INVALID", `${url} is a folder, which has no \`ref\``, {
        hint: "folders are copied as they are; leave `ref` out, or name the address of a git repository",
      });
    return copy(undefined, inContext(url, relative), to);
  };
  const repos = spack.repos.map(({ url, ref: name, commit, paths }, index) => {
    const to = `/opt/repos/${index}`;
    const ref = commit ?? name;
    const adds = paths.map(
      (folder) => `spack repo add --scope site ${quotedWord(folder === "" ? to : `${to}/${folder}`)}`,
    );
    return isRemoteAddress(url)
      ? run([...clone(url, ref, to), ...adds])
      : [folder(url, ref, to), run(adds)].join("\n");
  });
  const { url, ref: name, commit } = spack.source ?? { ...defaultSpack, commit: undefined };
  const ref = commit ?? name;
  return [
    isRemoteAddress(url)
      ? run(clone(url, ref ?? defaultSpack.ref, spackFolder))
      : folder(url, ref, spackFolder),
    `ENV PATH=${spackFolder}/bin:${standardPath}`,
    ...repos,
    // Recipes say how compilers are found: after them.
    run(["spack compiler find --scope site"]),
  ];
}

function cacheLines(
  cache: CacheConfiguration,
  index: number,
  { relative }: DockerfileRequest,
): readonly string[] {
  const lines: string[] = [];
  const commands: string[] = [];
  for (const [at, key] of cache.trust.entries()) {
    const to = `/opt/keys/${index}-${at}.pub`;
    lines.push(copy(undefined, inContext(key.path, relative), to));
    commands.push(`spack gpg trust ${to}`);
  }
  const local = cache.url.startsWith("file:") ? new URL(cache.url).pathname : cache.url;
  const isLocal = !isRemoteAddress(cache.url);
  const place = `/opt/caches/${index}`;
  if (isLocal) lines.push(copy(undefined, inContext(local, relative), place));
  const { endpoint, profile } = cache.s3;
  const options = [
    cache.unsigned ? "--unsigned" : "--signed",
    ...(endpoint === undefined ? [] : [`--s3-endpoint-url ${quotedWord(endpoint)}`]),
    ...(profile === undefined ? [] : [`--s3-profile ${quotedWord(profile)}`]),
  ];
  commands.push(
    `spack mirror add --scope site ${options.join(" ")} cache${index} ${quotedWord(isLocal ? `file://${place}` : cache.url)}`,
  );
  return [...lines, run(commands)];
}

function environmentLines(request: DockerfileRequest): readonly string[] {
  const { configuration, manifest, lock, arch } = request;
  const settings = [
    `config:install_tree:root:${configuration.install.root}`,
    `packages:all:target:[${configuration.platforms[arch].target}]`,
  ];
  return [
    copy(undefined, manifest, `${environmentFolder}/spack.yaml`),
    ...(lock === undefined ? [] : [copy(undefined, lock, `${environmentFolder}/spack.lock`)]),
    run([
      ...settings.map((setting) => `spack config --scope site add ${quotedWord(setting)}`),
      `spack -e ${environmentFolder} env view enable ${configuration.view.root}`,
    ]),
  ];
}

/** As in the script that this program writes: where the variable is in use, the container runtime's libraries stay on it. */
const scriptEnding: readonly string[] = [
  `if [ -n "\${LD_LIBRARY_PATH:-}" ]; then`,
  `  export LD_LIBRARY_PATH="$LD_LIBRARY_PATH:${hostLibraries}"`,
  "fi",
];

/**
 * What the image gets, in one folder: a view is a link, which `COPY` would follow when it is copied by itself; what is below
 * a folder stays as it is.
 */
function resultLines({ install, view }: DockerfileRequest["configuration"]): readonly string[] {
  const paths = [
    install.root,
    hiddenViewFolder(view.root),
    view.root,
    `${environmentFolder}/spack.yaml`,
    `${environmentFolder}/spack.lock`,
  ];
  const script = `${resultFolder}${environmentScriptPath}`;
  return [
    run([
      `mkdir -p ${script.slice(0, script.lastIndexOf("/"))}`,
      `cp -a --parents ${paths.join(" ")} ${resultFolder}`,
      `PATH=${standardPath} ${spackFolder}/bin/spack env activate --sh -d ${environmentFolder} | sed -n '/^export SPACK_/d; s/^\\(export .*[^;]\\);*$/\\1/p' > ${script}`,
      `printf '%s\\n' ${scriptEnding.map(quotedWord).join(" ")} >> ${script}`,
    ]),
  ];
}

/** Executables and shared libraries only: static archives and objects are of no use without their symbols. */
function stripLines(root: string): readonly string[] {
  return [
    [
      `RUN find ${root} -type f -exec sh -c ' \\`,
      '      for file; do case $(file --brief --mime-type "$file") in \\',
      "        application/x-executable|application/x-pie-executable|application/x-sharedlib) \\",
      '          chmod u+w "$file" && strip --strip-unneeded "$file" ;; \\',
      "      esac; done' sh {} +",
    ].join("\n"),
  ];
}

/** The folders that the loader's configuration of a view names, as words for a shell. */
function loaderFolders(view: string): string {
  const lines = viewLdSoConf(view).split("\n");
  return lines
    .filter((line) => line.startsWith("/"))
    .map(quotedWord)
    .join(" ");
}

/** Where Spack keeps the views that `/opt/view` links to. */
function hiddenViewFolder(view: string): string {
  const slash = view.lastIndexOf("/");
  return `${view.slice(0, slash)}/._${view.slice(slash + 1)}`;
}

function inContext(path: string, relative: DockerfileRequest["relative"]): string {
  const found = relative(path);
  if (found !== undefined) return found;
  throw new SpacktainersError("CONFIG_INVALID", "a Dockerfile can only use files of the repository", {
    place: { file: path },
    hint: "put the file below the folder of spacktainers.yaml",
  });
}

function usesSecrets(caches: readonly CacheConfiguration[]): boolean {
  return caches.some(({ url, s3 }) => url.startsWith("s3:") && s3.anonymous !== true);
}
