/**
 * What recipes have from the classes of Spack's own build systems: the one part of the run environment that is not read
 * from a recipe, since archives do not hold these classes.
 */

import type { Value } from "./values.ts";

/** A class of a build system. */
export interface BuildSystemClass {
  readonly bases: readonly string[];
  /** `extends(SPEC)`, or `extends(SPEC, when=CONDITION)`. */
  readonly extends?: readonly (readonly [spec: string, when?: string])[];
  /** Attributes that are known, for a package at this prefix. */
  readonly members?: Readonly<Record<string, (prefix: string) => Value>>;
  /** What it does to the run environment is not known, where this condition holds. */
  readonly environmentWhen?: string;
}

const base = ["PackageBase"] as const;

export const buildSystemClasses: Readonly<Record<string, BuildSystemClass>> = {
  PackageBase: { bases: [] },
  Package: { bases: base },
  AspellDictPackage: { bases: ["AutotoolsPackage"], extends: [["aspell", "build_system=autotools"]] },
  AutotoolsPackage: { bases: base },
  BundlePackage: { bases: base, members: { has_code: () => false } },
  CMakePackage: { bases: base },
  CachedCMakePackage: { bases: ["CMakePackage"] },
  CargoPackage: { bases: base },
  CompilerPackage: { bases: base },
  CudaPackage: { bases: base },
  GNUMirrorPackage: { bases: base },
  GoPackage: { bases: base },
  IntelOneApiPackage: { bases: ["Package"], environmentWhen: "+envmods" },
  IntelOneApiLibraryPackage: { bases: ["IntelOneApiPackage"] },
  IntelOneApiLibraryPackageWithSdk: { bases: ["IntelOneApiLibraryPackage"] },
  IntelPackage: { bases: ["Package"] },
  LuaPackage: {
    bases: base,
    extends: [
      ["lua", "build_system=lua"],
      ["lua-luajit+lualinks", "build_system=lua"],
      ["lua-luajit-openresty+lualinks", "build_system=lua"],
    ],
  },
  MSBuildPackage: { bases: base },
  MakefilePackage: { bases: base },
  MavenPackage: { bases: base },
  MesonPackage: { bases: base },
  NMakePackage: { bases: base },
  OctavePackage: { bases: base, extends: [["octave", "build_system=octave"]] },
  PerlPackage: { bases: base, extends: [["perl", "build_system=perl"]] },
  PythonExtension: { bases: base, members: { bindir: (path) => `${path}/bin` } },
  PythonPackage: { bases: ["PythonExtension"], extends: [["python", "build_system=python_pip"]] },
  QMakePackage: { bases: base },
  RPackage: { bases: ["Package"], extends: [["r"]] },
  ROCmPackage: { bases: base },
  RacketPackage: { bases: base, extends: [["racket", "build_system=racket"]] },
  RubyPackage: { bases: base, extends: [["ruby", "build_system=ruby"]] },
  SConsPackage: { bases: base },
  SIPPackage: { bases: base, extends: [["python", "build_system=sip"]] },
  SourceforgePackage: { bases: base },
  SourcewarePackage: { bases: base },
  WafPackage: { bases: base },
  XorgPackage: { bases: base },
};

/** Attributes that Spack's classes give to packages and that have no value here. */
export const unknownAttributes: ReadonlySet<string> = new Set(
  `stage fetcher tester compiler flag_handler url_for_version all_urls rpath rpath_args module package_dir metadata_dir
  install_log_path log_path env_path env_mods_path test_suite global_license_dir global_license_file
  cmake_prefix_paths view installer builder build_directory content_hash all_patches variants versions conflicts
  dependencies resources provided provides virtuals_provided intersects extendees splice_specs requirements licenses
  get_variant has_variant dependencies_of_type nearest_url redistribute_source keep_werror inject_flags
  component_prefix component_dir v2_layout env_script_args openmp_libs python_spec headers libs cc cxx fortran
  _cc_path _cxx_path _fortran_path cuda_flags hip_flags amdgpu_targets cuda_arch_values compiler_names
  supported_languages executables determine_version lua luarocks racket_name use_modules import_modules skip_modules
  setup_build_environment setup_dependent_build_environment with_or_without enable_or_disable define
  define_from_variant standard_flag openmp_flag pic_flag implicit_rpath_libs python`.split(/\s+/),
);
