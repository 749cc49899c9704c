/** What lies underneath the Spack packages, and how it is asked for. */
import type { Inventory } from "../archive/inventory.ts";
import type { Image } from "../image/image.ts";
import type { OciLayer } from "../image/layer.ts";
import type { HttpClient } from "../net/http.ts";
import type { RepositoryName } from "../registry/reference.ts";
import type { ImageRepository } from "../registry/registry.ts";
import type { Clock } from "../util/clock.ts";
import type { Digest } from "../util/digest.ts";
import type { EmitEvent } from "../util/events.ts";

/** A processor architecture, by its OCI and Debian name. */
export type BaseArchitecture = "amd64" | "arm64";

export type Distribution = "debian" | "ubuntu";

/** Packages of a Debian or Ubuntu archive, resolved and unpacked by us. */
export interface DebianBaseSpec {
  readonly kind: "debian";
  readonly distribution: Distribution;
  /** A suite or code name (`bookworm`, `stable`, `noble`) or an Ubuntu version (`24.04`). */
  readonly suite: string;
  /** Names to install, with their dependencies; `defaultBasePackages` is a useful choice. */
  readonly packages: readonly string[];
  /** Shared libraries (`libssl.so.3`) whose packages are added where the archive has them. */
  readonly libraries?: readonly string[];
  /** Archive roots (they hold `dists/` and `pool/`), tried in order; default: the machine's apt sources, then the distribution's own. */
  readonly mirrors?: readonly string[] | undefined;
  /** Roots for `<suite>-security`; default: derived from `mirrors`, else as for `mirrors`. */
  readonly securityMirrors?: readonly string[] | undefined;
  /** Archive components; default `main`. */
  readonly components?: readonly string[] | undefined;
  /** Files with the OpenPGP keys to trust, instead of the distribution's own keys. */
  readonly keyring?: readonly string[] | undefined;
  /** A moment such as `20250520T000000Z`: packages are taken from the distribution's snapshot service. */
  readonly snapshot?: string | undefined;
  /**
   * Which files stay out, as globs over paths relative to the root (`*` matches `/` too); a leading `!` takes back in;
   * the last match decides. Default `defaultExcludes`.
   */
  readonly excludes?: readonly string[];
}

/** A root file system in a tar file (plain, gzip, xz or zstd), or in an Apptainer image (SIF, squashfs). */
export interface RootfsBaseSpec {
  readonly kind: "rootfs";
  readonly path: string;
}

/** An OCI image layout, as a directory or an archive; its layers are reused as they are. */
export interface OciBaseSpec {
  readonly kind: "oci";
  readonly path: string;
  /** The image in the layout, by `org.opencontainers.image.ref.name`; needed when there are several. */
  readonly reference?: string | undefined;
}

/** An image in a registry; its layers are reused as they are. */
export interface ImageBaseSpec {
  readonly kind: "image";
  /** Such as `docker.io/library/debian:12`. */
  readonly reference: string;
}

/** Nothing underneath. */
export interface ScratchBaseSpec {
  readonly kind: "scratch";
}

export type BaseSpec = DebianBaseSpec | RootfsBaseSpec | OciBaseSpec | ImageBaseSpec | ScratchBaseSpec;

/** A layer of a base: on this machine, or in the registry that has the base. */
export interface BaseLayer extends OciLayer {
  /** What this layer adds, whiteouts left out. */
  readonly inventory: Inventory;
}

/** One OS package of a base; also what a lock file keeps. */
export interface BasePackage {
  readonly name: string;
  readonly version: string;
  /** Of the package: `amd64`, `arm64` or `all`. */
  readonly architecture: string;
  /** SHA-256 of the `.deb`; absent when the package was found in a finished root file system. */
  readonly digest?: Digest;
  /** Bytes of the `.deb`. */
  readonly size?: number;
  /** Path below the archive's root, such as `pool/main/b/bash/bash_5.2.15-2_amd64.deb`. */
  readonly filename?: string;
  /** Which archive it lies in. */
  readonly archive?: "main" | "security";
  /** Public address in the distribution's own archive (never the mirror that was used). */
  readonly url?: string;
  /** Source package, where it differs in name or version. */
  readonly source?: { readonly name: string; readonly version: string };
}

/** What was decided earlier: nothing is asked whether there is something newer. */
export interface BaseLock {
  /** Packages with versions and digests: no index is read. */
  readonly packages: readonly BasePackage[];
  /** Of an image in a registry: digest of its manifest. */
  readonly digest?: Digest;
}

/** The parts of a base image's own configuration that a container made from it inherits. */
export interface BaseImageConfig {
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly workingDir?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Base {
  /** From bottom to top. */
  readonly layers: readonly BaseLayer[];
  /** What the layers together show, whiteouts applied. */
  readonly inventory: Inventory;
  /** The OS packages, sorted by name; of a root file system or image, those its dpkg status names. */
  readonly packages: readonly BasePackage[];
  /** Version of the GNU C library, such as `2.36`; absent when there is none. */
  readonly libcVersion?: string | undefined;
  readonly config?: BaseImageConfig;
  /**
   * What maintainer scripts would have done to it, in a sentence. Undefined when that is nothing, and where it is not known:
   * records of bases in registries do not have it.
   */
  readonly undone?: string | undefined;
  /** Decides the layers' bytes: same key, same layers. */
  readonly key: Digest;
}

export interface BuildBaseOptions {
  readonly architecture: BaseArchitecture;
  /** Where finished bases and downloads are kept; `baseCacheDirectory()` is the usual place. */
  readonly cacheDir: string;
  readonly emit: EmitEvent;
  readonly signal?: AbortSignal | undefined;
  /** For requests to package archives; default: one of its own, closed at the end. */
  readonly http?: HttpClient;
  /** Ask the archive whether its index changed, however recently that was done. */
  readonly refresh?: boolean;
  /** How long an archive's index is taken as current without asking, in hours; default 24. */
  readonly maxAgeHours?: number;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Exactly these packages, or this image, instead of the newest ones. */
  readonly lock?: BaseLock | undefined;
  /** Opens the repository of a base that is an image in a registry; without, such a base is refused. */
  readonly repository?: (name: RepositoryName) => ImageRepository;
  /** Opens a file that is an Apptainer image; undefined for other files. Without, such a root file system is refused. */
  readonly apptainerImage?: (path: string) => Promise<Image | undefined>;
}

/** A base that is decided but perhaps not built yet. */
export interface PlannedBase {
  /** Of the finished base: see {@link Base.key}. */
  readonly key: Digest;
  readonly layerCount: number;
  /** The image it is, when it is one of a registry. */
  readonly image?: { readonly name: string; readonly digest: Digest };
  /** The OS packages, where they are known before the base is built. */
  readonly packages?: readonly BasePackage[] | undefined;
  /** The finished base on this machine, when it was built before. */
  find(): Promise<Base | undefined>;
  /** Finds or builds it. `elsewhere` is asked before it is built; what it has stays where it is. */
  build(elsewhere?: BasesElsewhere): Promise<Base>;
}

/** How one kind of base is found and made. */
export interface BasePlan extends Omit<PlannedBase, "build"> {
  /** Makes it, whatever is there already. */
  make(): Promise<Base>;
  /** Makes it without the bytes of layers that can stay where they are. */
  refer?(): Promise<Base>;
}

/** Where else than on this machine finished bases are: in the registry that an image goes to. */
export interface BasesElsewhere {
  /** The base a key stands for, its layers where they are; undefined when it is not known there either. */
  find(key: Digest): Promise<Base | undefined>;
}
