# SPDX-License-Identifier: Apache-2.0
import os

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *

# The program lies beside the recipes, in demo/ring/ring.c.
SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 5, "ring", "ring.c"))


class Ring(Package):
    """Passes a token around the ranks of an MPI program and says how long a hop takes."""

    license("Apache-2.0")

    # remake.sh checks this sum and says what it should be: Spack keys the package by it.
    version(
        "1.0.0",
        sha256="6c8b013ebce04066205492fd776f5dfdb5cc697be9489423f26db1bd98f676c1",
        url=f"file://{SOURCE}",
        expand=False,
    )

    depends_on("c", type="build")
    depends_on("mpi")

    def install(self, spec, prefix):
        mkdirp(prefix.bin)
        # Spack's compiler wrapper, which adds the run paths, in place of the compiler that mpicc names.
        Executable(spec["mpi"].mpicc)(
            f"-cc={spack_cc}",
            "-std=c11",
            "-O2",
            "-Wall",
            "-Wextra",
            f'-DRING_VERSION="{spec.version}"',
            "ring.c",
            "-o",
            prefix.bin.ring,
        )
