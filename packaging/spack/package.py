# Copyright Spack Project Developers. See COPYRIGHT file for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import os

from spack_repo.builtin.build_systems.generic import Package

from spack.package import *


class Spacktainers(Package):
    """Spacktainers builds container images from signed Spack build caches: it verifies,
    relocates and strips the packages and puts a small base underneath. It needs no Spack,
    no daemon and no root."""

    homepage = "https://www.npmjs.com/package/spacktainers"
    url = "https://registry.npmjs.org/spacktainers/-/spacktainers-{{version}}.tgz"

    license("Apache-2.0", checked_by="spacktainers")

    version("{{version}}", sha256="{{sha256}}")

    depends_on("node-js@20.19:20,22.12:", type=("build", "run"))
    depends_on("npm", type="build")

    def install(self, spec, prefix):
        # Nothing is fetched: the archive has all that it needs. What is optional only matters on
        # clusters.
        npm = which("npm", required=True)
        options = ["--global", "--offline", "--omit=optional", "--ignore-scripts"]
        cache = join_path(self.stage.path, "npm-cache")
        npm("install", *options, f"--prefix={prefix}", f"--cache={cache}", self.stage.archive_file)

    @run_after("install")
    def install_completions(self):
        program = Executable(join_path(self.prefix.bin, "spacktainers"))
        places = {
            "bash": bash_completion_path(self.prefix) / "spacktainers",
            "zsh": zsh_completion_path(self.prefix) / "_spacktainers",
            "fish": fish_completion_path(self.prefix) / "spacktainers.fish",
        }
        for shell, place in places.items():
            mkdirp(os.path.dirname(place))
            with open(place, "w") as script:
                script.write(program("completion", shell, output=str))

    def test_version(self):
        """the program starts, and says which it is"""
        program = which(self.prefix.bin.spacktainers)
        assert str(self.spec.version) in program("--version", output=str.split, error=str.split)
