# SPDX-License-Identifier: Apache-2.0
import os

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class GccRuntime(Package):
    """The compiler's shared library that compiled C code may need, libgcc_s. Spack adds a package of this name to whatever gcc
    compiles; the usual recipe takes all of gcc's libraries, sanitizers included, which would be most of the demo's bytes."""

    homepage = "https://gcc.gnu.org"
    has_code = False
    tags = ["runtime"]
    license("GPL-3.0-or-later WITH GCC-exception-3.1")

    depends_on("libc", type="link", when="platform=linux")
    depends_on("gcc", type="build")

    def install(self, spec, prefix):
        gcc = Executable(self["gcc"].cc)
        library = gcc("-print-file-name=libgcc_s.so.1", output=str).strip()
        mkdirp(prefix.lib)
        install(os.path.realpath(library), prefix.lib.join("libgcc_s.so.1"))
