import type { ImageProfile } from "../../src/hpc/imageProfile.ts";
import type { MpiLibrary } from "../../src/hpc/mpiLibrary.ts";

/** An MPICH as Spack builds it. */
export const mpich: MpiLibrary = {
  path: "/opt/software/mpich-4.0.2/lib/libmpi.so.12.2.2",
  soname: "libmpi.so.12",
  family: "mpich",
  version: "4.0.2",
  abi: "12.2.2",
  device: "ch3:nemesis",
  pmi: [{ flavour: "pmi1", evidence: "the text `cmd=init pmi_version`" }],
};

/** An Open MPI with PMIx. */
export const openMpi: MpiLibrary = {
  path: "/opt/software/openmpi-4.1.6/lib/libmpi.so.40.30.6",
  soname: "libmpi.so.40",
  family: "openmpi",
  version: "4.1.6",
  abi: "40.30.6",
  device: undefined,
  pmi: [{ flavour: "pmix", evidence: "the component mca_pmix_ext3x.so" }],
};

/** Facts of an image with nothing wrong. */
export const soundFacts: ImageProfile = {
  architecture: "amd64",
  packages: [
    { name: "mpich", version: "4.0.2", hash: "a".repeat(32), target: "x86_64_v3", root: true },
    { name: "zlib", version: "1.3", hash: "b".repeat(32), target: "x86_64", root: false },
  ],
  libc: "2.36",
  libcNeeded: { version: "2.34", path: "/opt/view/bin/x" },
  mpi: [mpich],
  bundled: [],
  cachedMpi: [{ name: "libmpi.so.12", path: "/opt/view/lib/libmpi.so.12", file: mpich.path }],
  cacheTrouble: undefined,
  environmentScript: { path: "/etc/profile.d/z10_spack_environment.sh", keepsHostLibraries: true },
  libraryPath: undefined,
  mpiexec: "/opt/view/bin/mpiexec",
  commands: ["ring"],
  programs: [],
  test: undefined,
  unresolved: [],
  closed: [],
  missingStart: undefined,
  hasShell: true,
  missingPreload: [],
  drivers: [],
};
