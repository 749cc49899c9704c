# SPDX-License-Identifier: Apache-2.0
import os

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class Mpich(Package):
    """MPICH, small: C only, shared memory and TCP, the Hydra process manager, no external libraries. It speaks PMI, so that
    `srun --mpi=pmi2` can start it too, and has the MPICH ABI (libmpi.so.12), so that a site can put its own MPI in its place."""

    homepage = "https://www.mpich.org"
    license("mpich2")

    # The source as Debian 12 ships it.
    version(
        "4.0.2",
        sha256="b27039f964afeb6b8a3e009c56b441cbe368c26d6d6476ad3bb7190996875860",
        url="http://deb.debian.org/debian/pool/main/m/mpich/mpich_4.0.2.orig.tar.xz",
    )

    variant("romio", default=True, description="MPI-IO")
    # Other recipes ask for it by name; there is none here.
    variant("fortran", default=False, description="Fortran bindings (not built)")
    conflicts("+fortran", msg="the demo's MPICH has no Fortran bindings")

    provides("mpi@:4.0")

    depends_on("c", type="build")
    depends_on("gmake", type="build")

    def install(self, spec, prefix):
        configure = Executable("./configure")
        configure(
            f"--prefix={prefix}",
            "--with-device=ch3:nemesis:tcp",
            "--with-pm=hydra",
            "--with-hwloc=embedded",
            "--with-datatype-engine=dataloop",
            "--enable-fast=O2,ndebug",
            "--enable-shared",
            "--disable-static",
            "--disable-fortran",
            "--disable-cxx",
            "--disable-opencl",
            "--disable-cuda",
            "--disable-nvml",
            "--disable-gl",
            "--disable-libxml2",
            "--disable-pci",
            "--disable-libudev",
            "--without-cuda",
            "--without-hip",
            "--without-ze",
            "--without-slurm",
            "--without-x",
            "--enable-romio" if "+romio" in spec else "--disable-romio",
            "CFLAGS=-g0",
        )
        make()
        make("install-strip")
        # Manuals are of no use in a container; the licence goes with the program.
        remove_directory_contents(prefix.share)
        mkdirp(prefix.share.licenses.mpich)
        install("COPYRIGHT", prefix.share.licenses.mpich)
        for name in os.listdir(prefix.lib):
            if name.endswith((".la", ".a")):
                os.remove(os.path.join(prefix.lib, name))
        # Users' programs are compiled with the compiler itself, not with Spack's wrapper, which is gone by then.
        filter_file(env["CC"], self.compiler_path, prefix.bin.mpicc, string=True)

    @property
    def compiler_path(self):
        return self.spec["c"].package.cc

    def setup_dependent_package(self, module, dependent_spec):
        self.spec.mpicc = join_path(self.prefix.bin, "mpicc")
