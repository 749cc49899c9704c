/** Who would provide what is missing: hints for people, by names that are the same everywhere. */
import { newerLibcHint } from "../base/libc.ts";

/** Packages of Debian 12 by the libraries they have. Later releases add `t64` to some names. */
const debianLibraries: readonly (readonly [library: string, debian: string])[] = [
  ["libasound.so.2", "libasound2"],
  ["libatomic.so.1", "libatomic1"],
  ["libaudit.so.1", "libaudit1"],
  ["libblas.so.3", "libblas3"],
  ["libbz2.so.1.0", "libbz2-1.0"],
  ["libcap.so.2", "libcap2"],
  ["libcom_err.so.2", "libcom-err2"],
  ["libcrypt.so.1", "libcrypt1"],
  ["libcrypto.so.3", "libssl3"],
  ["libcurl.so.4", "libcurl4"],
  ["libdbus-1.so.3", "libdbus-1-3"],
  ["libdrm.so.2", "libdrm2"],
  ["libEGL.so.1", "libegl1"],
  ["libelf.so.1", "libelf1"],
  ["libexpat.so.1", "libexpat1"],
  ["libffi.so.8", "libffi8"],
  ["libfontconfig.so.1", "libfontconfig1"],
  ["libfreetype.so.6", "libfreetype6"],
  ["libgcc_s.so.1", "libgcc-s1"],
  ["libgfortran.so.5", "libgfortran5"],
  ["libGL.so.1", "libgl1"],
  ["libGLU.so.1", "libglu1-mesa"],
  ["libGLX.so.0", "libglx0"],
  ["libGLdispatch.so.0", "libglvnd0"],
  ["libOpenGL.so.0", "libopengl0"],
  ["libglib-2.0.so.0", "libglib2.0-0"],
  ["libgmp.so.10", "libgmp10"],
  ["libgomp.so.1", "libgomp1"],
  ["libgssapi_krb5.so.2", "libgssapi-krb5-2"],
  ["libibverbs.so.1", "libibverbs1"],
  ["libICE.so.6", "libice6"],
  ["libkrb5.so.3", "libkrb5-3"],
  ["liblapack.so.3", "liblapack3"],
  ["liblzma.so.5", "liblzma5"],
  ["libmpi.so.40", "libopenmpi3"],
  ["libmpi_cxx.so.40", "libopenmpi3"],
  ["libmpi_mpifh.so.40", "libopenmpi3"],
  ["libmpi_usempi_ignore_tkr.so.40", "libopenmpi3"],
  ["libmpi_usempif08.so.40", "libopenmpi3"],
  ["libopen-pal.so.40", "libopenmpi3"],
  ["libopen-rte.so.40", "libopenmpi3"],
  ["libmpich.so.12", "libmpich12"],
  ["libmpichcxx.so.12", "libmpich12"],
  ["libmpichfort.so.12", "libmpich12"],
  ["libmunge.so.2", "libmunge2"],
  ["libncursesw.so.6", "libncursesw6"],
  ["libnsl.so.2", "libnsl2"],
  ["libnuma.so.1", "libnuma1"],
  ["libpam.so.0", "libpam0g"],
  ["libpci.so.3", "libpci3"],
  ["libpciaccess.so.0", "libpciaccess0"],
  ["libperl.so.5.36", "libperl5.36"],
  ["libpmi.so.0", "libpmi0"],
  ["libpmi2.so.0", "libpmi2-0"],
  ["libpmix.so.2", "libpmix2"],
  ["libpython3.11.so.1.0", "libpython3.11"],
  ["libpython3.12.so.1.0", "libpython3.12"],
  ["libpython3.13.so.1.0", "libpython3.13"],
  ["libquadmath.so.0", "libquadmath0"],
  ["librdmacm.so.1", "librdmacm1"],
  ["libreadline.so.8", "libreadline8"],
  ["libselinux.so.1", "libselinux1"],
  ["libSM.so.6", "libsm6"],
  ["libsqlite3.so.0", "libsqlite3-0"],
  ["libssl.so.3", "libssl3"],
  ["libstdc++.so.6", "libstdc++6"],
  ["libsystemd.so.0", "libsystemd0"],
  ["libtinfo.so.6", "libtinfo6"],
  ["libtirpc.so.3", "libtirpc3"],
  ["libudev.so.1", "libudev1"],
  ["libuuid.so.1", "libuuid1"],
  ["libwayland-client.so.0", "libwayland-client0"],
  ["libX11.so.6", "libx11-6"],
  ["libX11-xcb.so.1", "libx11-xcb1"],
  ["libXau.so.6", "libxau6"],
  ["libxcb.so.1", "libxcb1"],
  ["libXcursor.so.1", "libxcursor1"],
  ["libXext.so.6", "libxext6"],
  ["libXfixes.so.3", "libxfixes3"],
  ["libXft.so.2", "libxft2"],
  ["libXi.so.6", "libxi6"],
  ["libxkbcommon.so.0", "libxkbcommon0"],
  ["libxml2.so.2", "libxml2"],
  ["libXmu.so.6", "libxmu6"],
  ["libXrandr.so.2", "libxrandr2"],
  ["libXrender.so.1", "libxrender1"],
  ["libXt.so.6", "libxt6"],
  ["libXxf86vm.so.1", "libxxf86vm1"],
  ["libz.so.1", "zlib1g"],
  ["libzstd.so.1", "libzstd1"],
  ["libc.so.6", "libc6"],
  ["libm.so.6", "libc6"],
  ["ld-linux-x86-64.so.2", "libc6"],
  ["ld-linux-aarch64.so.1", "libc6"],
  ["ld-musl-x86_64.so.1", "musl"],
  ["ld-musl-aarch64.so.1", "musl"],
];

/** Debian packages and Spack packages by the programs that scripts start with. */
const programs: readonly (readonly [
  program: string,
  debian: string | undefined,
  spack: string | undefined,
])[] = [
  ["awk", "gawk", "gawk"],
  ["bash", "bash", "bash"],
  ["csh", "tcsh", "tcsh"],
  ["dash", "dash", undefined],
  ["env", "coreutils", "coreutils"],
  ["expect", "expect", "expect"],
  ["gawk", "gawk", "gawk"],
  ["gnuplot", "gnuplot-nox", "gnuplot"],
  ["guile", "guile-3.0", "guile"],
  ["julia", undefined, "julia"],
  ["ksh", "ksh", undefined],
  ["lua", "lua5.4", "lua"],
  ["make", "make", "gmake"],
  ["node", "nodejs", "node-js"],
  ["octave", "octave", "octave"],
  ["perl", "perl", "perl"],
  ["php", "php-cli", "php"],
  ["pwsh", undefined, undefined],
  ["python", "python-is-python3", "python"],
  ["python3", "python3", "python"],
  ["Rscript", "r-base-core", "r"],
  ["ruby", "ruby", "ruby"],
  ["sed", "sed", "sed"],
  ["sh", "dash", "bash"],
  ["tclsh", "tcl", "tcl"],
  ["tcsh", "tcsh", "tcsh"],
  ["wish", "tk", "tk"],
  ["zsh", "zsh", "zsh"],
];

/** Spack packages whose libraries are not named after them. */
const spackLibraries: readonly (readonly [stem: string, spack: string])[] = [
  ["libatomic", "gcc-runtime"],
  ["libgcc_s", "gcc-runtime"],
  ["libgfortran", "gcc-runtime"],
  ["libgomp", "gcc-runtime"],
  ["libquadmath", "gcc-runtime"],
  ["libstdc++", "gcc-runtime"],
  ["libcrypto", "openssl"],
  ["libssl", "openssl"],
  ["libcudart", "cuda"],
  ["libcublas", "cuda"],
  ["libcufft", "cuda"],
  ["libfabric", "libfabric"],
  ["libgl", "mesa"],
  ["libhdf5", "hdf5"],
  ["libibverbs", "rdma-core"],
  ["librdmacm", "rdma-core"],
  ["libiomp5", "intel-oneapi-runtime"],
  ["libimf", "intel-oneapi-runtime"],
  ["libsvml", "intel-oneapi-runtime"],
  ["liblzma", "xz"],
  ["libmpi", "mpich"],
  // Of libraries whose version tells who has them, by the whole name.
  ["libmpi.so.20", "openmpi"],
  ["libmpi.so.40", "openmpi"],
  ["libmpi_mpifh", "openmpi"],
  ["libmpi_usempi_ignore_tkr", "openmpi"],
  ["libmpi_usempif08", "openmpi"],
  ["libopen-pal", "openmpi"],
  ["libopen-rte", "openmpi"],
  ["libmpifort", "mpich"],
  ["libmpi_cxx", "openmpi"],
  ["libmkl_core", "intel-oneapi-mkl"],
  ["libnetcdf", "netcdf-c"],
  ["libnetcdff", "netcdf-fortran"],
  ["libpython3", "python"],
  ["libtbb", "intel-tbb"],
  ["libucp", "ucx"],
  ["libucs", "ucx"],
  ["libuct", "ucx"],
  ["libuuid", "util-linux-uuid"],
  ["libz", "zlib"],
];

const debianByLibrary = new Map(debianLibraries);
const spackByLibrary = new Map(spackLibraries);
const byProgram = new Map(programs.map(([program, debian, spack]) => [program, { debian, spack }]));

/** GCC whose libstdc++ is the first to define `GLIBCXX_3.4.<n>`. */
const gccByGlibcxx: readonly (readonly [patch: number, gcc: string])[] = [
  [28, "9"],
  [29, "11"],
  [30, "12"],
  [32, "13"],
  [33, "14"],
  [34, "15"],
];

/** Longer names are nobody's; those that patterns below look at come from strangers. */
const longestName = 255;

/** Libraries that a container gets from the machine it runs on: they must not be in an image. */
export function isHostLibrary(name: string): boolean {
  if (name.length > longestName) return false;
  return /^(libcuda|libnvidia-[a-z0-9-]+|libnvcuvid|libcudadebugger|libnvoptix)\.so(\.\d+)*$/.test(name);
}

/**
 * Who has a library.
 * @param name as in DT_NEEDED
 * @param hasSpackPackage whether Spack has a package of a name
 * @returns one sentence, or undefined when nothing is known
 */
export function libraryProvider(
  name: string,
  hasSpackPackage: (name: string) => boolean,
): string | undefined {
  if (name.length > longestName) return undefined;
  if (isHostLibrary(name)) return "it comes from the driver of the machine the container runs on";
  const debian = debianByLibrary.get(name);
  const stem = name.replace(/\.so(\.[0-9.]*)?$/, "");
  const plain = stem.replace(/^lib/, "").replace(/[-_.]?\d+(\.\d+)*$/, "");
  const named =
    spackByLibrary.get(name) ??
    spackByLibrary.get(stem.toLowerCase()) ??
    spackByLibrary.get(`lib${plain}`.toLowerCase());
  const candidates = [plain, stem, `lib${plain}`].map((one) => one.toLowerCase().replaceAll("_", "-"));
  const spack = named ?? candidates.find((one) => hasSpackPackage(one));
  return provided(debian, spack);
}

/** Who has a program that scripts start with, by its file name. */
export function programProvider(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name.length > longestName) return undefined;
  // python3.12 → python3 → python
  const known = [name, name.replace(/(\.\d+)+$/, ""), name.replace(/[0-9.]+$/, "")]
    .map((one) => byProgram.get(one))
    .find((one) => one !== undefined);
  return known === undefined ? undefined : provided(known.debian, known.spack);
}

/** Who has a newer library with a symbol version. */
export function versionProvider(version: string): string | undefined {
  const glibc = /^GLIBC_(\d+\.\d+)/.exec(version)?.[1];
  if (glibc !== undefined) return newerLibcHint(glibc);
  const patch = /^GLIBCXX_3\.4\.(\d+)$/.exec(version)?.[1];
  if (patch === undefined) return undefined;
  const gcc = gccByGlibcxx.find(([first]) => first >= Number(patch))?.[1];
  const which = gcc === undefined ? "a newer GCC" : `GCC ${gcc} or newer`;
  return `the libstdc++ of ${which} is needed: a newer base, or the gcc-runtime of that compiler`;
}

function provided(debian: string | undefined, spack: string | undefined): string | undefined {
  const parts = [
    ...(debian === undefined ? [] : [`the Debian package ${debian}`]),
    ...(spack === undefined ? [] : [`the Spack package ${spack}`]),
  ];
  return parts.length === 0 ? undefined : `${parts.join(" or ")} has it`;
}
