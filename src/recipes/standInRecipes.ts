/**
 * Recipes for packages of which no archive holds one: those that are external to Spack, which have no archive (Spack keeps no recipe of
 * them with what needs them either: `dump_packages` of its installer), and those of caches from which recipes were taken out.
 * There are recipes of interpreters, which their dependents need, and of what clusters have outside of Spack: compilers, MPI, HDF5. The
 * evaluator reads them like any other recipe.
 */

const mpi = (name: string, fortran: string) => `
class ${name}(Package):
    def setup_run_environment(self, env):
        env.set("MPICC", self.prefix.bin.mpicc)
        env.set("MPICXX", join_path(self.prefix.bin, "mpic++"))
        env.set("MPIF77", self.prefix.bin.mpif77)
        env.set("MPIF90", self.prefix.bin.mpif90)
${fortran}`;

const python = `
import os


class Python(Package):
    def setup_dependent_run_environment(self, env, dependent_spec):
        path = join_path(dependent_spec.prefix, self.purelib)
        if not dependent_spec.dependencies("python-venv") and os.path.isdir(path):
            env.prepend_path("PYTHONPATH", path)
`;

const pythonVenv = `
import os


class PythonVenv(Package):
    def setup_dependent_run_environment(self, env, dependent_spec):
        for lib in ("lib", "lib64"):
            path = join_path(dependent_spec.prefix, lib, *self.purelib.split("/")[1:])
            if os.path.isdir(path):
                env.prepend_path("PYTHONPATH", path)
`;

const perl = `
import os


class Perl(Package):
    def setup_dependent_run_environment(self, env, dependent_spec):
        if os.path.isdir(dependent_spec.prefix.lib.perl5):
            env.prepend_path("PERL5LIB", dependent_spec.prefix.lib.perl5)
`;

const r = `
import os


class R(Package):
    def setup_dependent_run_environment(self, env, dependent_spec):
        library = join_path(dependent_spec.prefix, "rlib", "R", "library")
        if os.path.isdir(library):
            env.prepend_path("R_LIBS", library)

    def setup_run_environment(self, env):
        home = join_path(self.prefix, "rlib", "R")
        env.prepend_path("LD_LIBRARY_PATH", join_path(home, "lib"))
        env.prepend_path("PKG_CONFIG_PATH", join_path(self.prefix, "rlib", "pkgconfig"))
        env.set("R_HOME", home)
        if "+rmath" in self.spec:
            env.prepend_path("LD_LIBRARY_PATH", join_path(self.prefix, "rlib"))
`;

const ruby = `
import os


class Ruby(Package):
    def setup_dependent_run_environment(self, env, dependent_spec):
        if os.path.isdir(dependent_spec.prefix.gems):
            env.prepend_path("GEM_PATH", dependent_spec.prefix)
`;

const gcc = `
import os


class Gcc(Package):
    def setup_run_environment(self, env):
        programs = [("CC", "c", "gcc"), ("CXX", "c++", "g++"), ("FC", "fortran", "gfortran"), ("F77", "fortran", "gfortran")]
        for variable, language, program in programs:
            path = join_path(self.prefix.bin, program)
            if self.spec.satisfies("languages=" + language) and os.path.exists(path):
                env.set(variable, path)
`;

const hdf5 = `
class Hdf5(Package):
    def setup_run_environment(self, env):
        env.append_path("LD_LIBRARY_PATH", self.prefix.lib)
`;

const netcdfC = `
class NetcdfC(Package):
    def setup_run_environment(self, env):
        if self.spec.satisfies("@4.9.0:+shared"):
            env.append_path("HDF5_PLUGIN_PATH", self.prefix.plugins)
`;

/** Texts of recipes by package. */
export const standInRecipes: ReadonlyMap<string, string> = new Map([
  ["gcc", gcc],
  ["hdf5", hdf5],
  ["mpich", mpi("Mpich", "")],
  ["netcdf-c", netcdfC],
  [
    "openmpi",
    mpi(
      "Openmpi",
      `        if self.spec.satisfies("@1.7:"):
            env.set("MPIFC", self.prefix.bin.mpifort)
`,
    ),
  ],
  ["perl", perl],
  ["python", python],
  ["python-venv", pythonVenv],
  ["r", r],
  ["ruby", ruby],
]);
