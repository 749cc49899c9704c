/**
 * What recipes of Spack's builtin repository do to the environment of people who run their packages.
 *
 * Recipes are not available when an image is assembled, so the facts are kept here: one line a recipe, written down from the
 * recipes of 2024 (Spack 0.23) and 2025 (packages 2025.11). Language of a line: rules separated by ` ; `, each
 * `[*] NAME op VALUE [exists PATH] [when SPEC & …]` or `[*] unset NAME`, where
 *
 * - `*`: once for each package that depends on this one at run time or by linking; else once;
 * - op: `=` sets, `<` prepends, `>` appends to a list separated by `:`; a character after `<` or `>` is the separator
 *   instead (`_` for a space);
 * - VALUE and PATH: a path below the prefix (`.` is the prefix); below the dependent's with `dependent:`, below that of a
 *   dependency with its name and `:`; in double quotes a text. `{version}` and `{version:2}` are the version and its first
 *   two parts, `{python:2}` those of the `python` the package depends on;
 * - `exists`: only where the image has this path (without PATH: the value);
 * - `when`: only for specs that satisfy all these constraints (`!`: do not satisfy); `dependent:^NAME`: only where the
 *   dependent depends on NAME.
 */

/** One line of rules a recipe. */
const lines = `
acct: PATH < sbin
additivefoam: PATH < bin ; LD_LIBRARY_PATH < lib
adf: ADFHOME = . ; ADFBIN = bin ; ADFRESOURCES = atomicdata ; SCMLICENSE = license.txt ; SCM_TMPDIR = "/tmp"
adios2: HDF5_PLUGIN_PATH < lib exists lib/libadios2_h5vol.so ; HDF5_PLUGIN_PATH < lib64 exists lib64/libadios2_h5vol.so ; PYTHONPATH < lib/python{python:2}/site-packages when +python
adwaita-icon-theme: XDG_DATA_DIRS < share
alpscore: ALPSCore_DIR = .
amber: AMBER_PREFIX = . ; AMBERHOME = . ; LD_LIBRARY_PATH < cuda:lib when +cuda
ambertools: AMBER_PREFIX = . ; AMBERHOME = .
ampl: PATH < . ; PATH < amplide when +ide
ampliconnoise: PATH < Scripts ; PYRO_LOOKUP_FILE = Data/LookUp_E123.dat ; SEQ_LOOKUP_FILE = Data/Tran.dat
angsd: R_LIBS = R
antlr4-complete: ANTLR4_JAR_LOCATION = bin/antlr-complete.jar ; ANTLR_JAR_LOCATION = bin/antlr-complete.jar ; ANTLR_EXECUTABLE = bin/antlr-complete.jar
ants: ANTSPATH = bin
aocl-da: PYTHONPATH < python_package
aspect: Aspect_DIR = .
aspera-cli: PATH < cli/bin
astral: ASTRAL_HOME = tools
at-spi2-core: GI_TYPELIB_PATH < lib/girepository-1.0
atk: XDG_DATA_DIRS < share ; GI_TYPELIB_PATH < lib/girepository-1.0
augustus: AUGUSTUS_CONFIG_PATH = config ; PATH < scripts
authd: PATH < sbin
autofact: PATH < scripts ; PATH2AUTOFACT = .
avizo: MCSLMD_LICENSE_FILE = share/license/password.dat
aws-ofi-nccl: LD_LIBRARY_PATH > lib
aws-ofi-rccl: LD_LIBRARY_PATH < lib
babeltrace2: PYTHONPATH < lib/python{python:2}/site-packages when +python
babl: * XDG_DATA_DIRS < share
backupninja: PATH < sbin
bart: TOOLBOX_PATH = .
bbmap: BBMAP_CONFIG = bin/config ; BBMAP_RESOURCES = bin/resources
bcftools: BCFTOOLS_PLUGINS = libexec/bcftools
beast1: BEAST1 = . ; BEAST_LIB = lib
beast2: BEAST = .
biopieces: BP_DIR < .
bonniepp: PATH < sbin
boost: BOOST_ROOT = .
braker: PERL5LIB < lib
breakdancer: PATH < lib
cachefilesd: PATH < sbin
caliper: PYTHONPATH < lib/python{python:2}/site-packages when +python
casper: PATH < .
chlorop: CHLOROP = .
chrony: PATH < sbin
cmdstan: CMDSTAN = .
conserver: PATH < sbin
converge: CONVERGE_ROOT = .
cplex: PATH < cplex/bin/x86-64_linux ; LD_LIBRARY_PATH < cplex/bin/x86-64_linux ; MATLABPATH < cplex/matlab/x86-64_linux ; MATLABPATH < cplex/examples/src/matlab ; PATH < cpoptimizer/bin/x86-64_linux ; PATH < opl/oplide ; PATH < opl/bin/x86-64_linux ; LD_LIBRARY_PATH < opl/bin/x86-64_linux ; CPLEX_PATH = .
cracklib: PATH < sbin
cronie: PATH < sbin
crtm-fix: CRTM_FIX = fix
cryptsetup: * PATH < sbin
cuda: CUDA_HOME = . ; NVHPC_CUDA_HOME = .
cudnn: LD_LIBRARY_PATH < lib ; cuDNN_ROOT = targets/ppc64le-linux when target=ppc64le: platform=linux
cupla: CUPLA_ROOT = . ; CMAKE_PREFIX_PATH < . ; CUPLA = share/cupla
dalton: PATH < dalton
ddt: PATH < bin
dealii: DEAL_II_DIR = .
dealii-parameter-gui: PARAMETER_GUI_DIR = .
deconseq-standalone: PERL5LIB < .
delphes: DELPHES_DIR = . ; DELPHES = .
dialign: DIALIGN2_DIR = share
distcc: PATH < sbin
dmd: PATH < linux/bin64 ; LIBRARY_PATH < linux/lib64 ; LD_LIBRARY_PATH < linux/lib64
dosfstools: PATH < sbin
dotnet-core-sdk: DOTNET_CLI_TELEMETRY_OPTOUT = "1" when ~telemetry
e2fsprogs: PATH < sbin
eigen: CPATH < include/eigen3
esmf: ESMFMKFILE = lib/esmf.mk
evtgen: EVTGEN = share
exciting: WNHOME = . ; EXCITINGROOT = . ; EXCITINGBIN = bin ; EXCITINGTOOLS = tools ; EXCITINGSTM = tools/stm ; EXCITINGVISUAL = xml/visualizationtemplates ; EXCITINGCONVERT = xml/inputfileconverter ; WRITEMINMAX = "1" ; USE_SYS_LAPACK = "true" ; PYTHONPATH > tools/stm ; PATH > tools ; PATH > . ; PATH > tools/stm
exodusii: PYTHONPATH < lib
extrae: EXTRAE_HOME = .
fenics: DOLFIN_DIR = .
ffb: PATH < macro
fftx: FFTX_HOME = .
flux-core: FLUX_MODULE_PATH < lib/flux/modules ; FLUX_EXEC_PATH < libexec/flux/cmd ; FLUX_CONNECTOR_PATH < lib/flux/connectors ; PYTHONPATH < lib/python{python:2}/site-packages ; LUA_PATH <; share/lua/{lua:2}/?.lua ; LUA_CPATH <; lib/lua/{lua:2}/?.so
flux-pmix: FLUX_SHELL_RC_PATH < etc/flux/shell/lua.d ; FLUX_PMI_CLIENT_SEARCHPATH < lib/flux/upmi/plugins when @0.3.0:
fujitsu-mpi: MPICC = bin/mpicc when %gcc ; MPICXX = bin/mpicxx when %gcc ; MPIF77 = bin/mpif77 when %gcc ; MPIF90 = bin/mpifort when %gcc ; MPICC = bin/mpifcc when !%gcc ; MPICXX = bin/mpiFCC when !%gcc ; MPIF77 = bin/mpifrt when !%gcc ; MPIF90 = bin/mpifrt when !%gcc
g4abla: * G4ABLADATA = share/data/G4ABLA{version}
g4channeling: * G4CHANNELINGDATA = share/data/G4CHANNELING{version}
g4emlow: * G4LEDATA = share/data/G4EMLOW{version}
g4ensdfstate: * G4ENSDFSTATEDATA = share/data/G4ENSDFSTATE{version}
g4incl: * G4INCLDATA = share/data/G4INCL{version}
g4ndl: * G4NEUTRONHPDATA = share/data/G4NDL{version}
g4neutronxs: * G4NEUTRONXSDATA = share/data/G4NEUTRONXS{version}
g4nudexlib: * G4NUDEXLIBDATA = share/data/G4NUDEXLIB{version}
g4particlexs: * G4PARTICLEXSDATA = share/data/G4PARTICLEXS{version}
g4photonevaporation: * G4LEVELGAMMADATA = share/data/PhotonEvaporation{version}
g4pii: * G4PIIDATA = share/data/G4PII{version}
g4radioactivedecay: * G4RADIOACTIVEDATA = share/data/RadioactiveDecay{version}
g4realsurface: * G4REALSURFACEDATA = share/data/RealSurface{version}
g4saiddata: * G4SAIDXSDATA = share/data/G4SAIDDATA{version}
g4tendl: * G4PARTICLEHPDATA = share/data/G4TENDL{version}
g4urrpt: * G4URRPTDATA = share/data/G4URRPT{version}
gate: GC_GATE_EXE_DIR = bin ; GC_CONDOR_SCRIPT = share/jobsplitter/condor.script ; GC_PBS_SCRIPT = share/jobsplitter/openPBS.script ; GC_SGE_SCRIPT = share/jobsplitter/SGE.script ; GC_SLURM_SCRIPT = share/jobsplitter/slurm.script
gatk: GATK < bin/GenomeAnalysisTK.jar
gaudi: PATH < scripts ; PYTHONPATH < python ; LD_LIBRARY_PATH < lib ; LD_LIBRARY_PATH < lib64
gaussian-view: GV_DIR = . ; GV_LIB_PATH = lib ; ALLOWINDIRECT = "1" ; PATH < . ; GV_LIB_PATH < lib/MesaGL ; LD_LIBRARY_PATH < lib/MesaGL ; QT_PLUGIN_PATH < plugins ; PATH < exec
gcc: CC = bin/gcc exists when languages=c ; CXX = bin/g++ exists when languages=c++ ; FC = bin/gfortran exists when languages=fortran ; F77 = bin/gfortran exists when languages=fortran
gdk-pixbuf: XDG_DATA_DIRS < share ; GI_TYPELIB_PATH < lib/girepository-1.0
gegl: * XDG_DATA_DIRS < share ; * GI_TYPELIB_PATH < lib/girepository-1.0
genemark-et: PERL5LIB < lib
genie: GENIE = .
geopm-runtime: LD_LIBRARY_PATH < lib64 exists ; LD_LIBRARY_PATH < lib exists
geopm-service: LD_LIBRARY_PATH < lib64 exists ; LD_LIBRARY_PATH < lib exists
getorganelle: PATH < . ; PATH < Utilities
glib: GI_TYPELIB_PATH < lib/girepository-1.0 ; * XDG_DATA_DIRS < share
gmsh: PYTHONPATH < lib
gnuradio: XDG_DATA_DIRS < share
gobject-introspection: GI_TYPELIB_PATH < lib/girepository-1.0 ; * XDG_DATA_DIRS < share
grace: PATH < grace/bin
grads: GADDIR = data
green-mbpt: GREENMBPT_ROOT = .
green-seet: GREENSEET_ROOT = .
gridlab-d: GLPATH = lib/gridlabd ; GLPATH < share/gridlabd
groff: XFILESEARCHPATH < lib/X11/app-defaults when +x
gsettings-desktop-schemas: XDG_DATA_DIRS < share
gsl: GSL_ROOT_DIR = .
gtkplus: GI_TYPELIB_PATH < lib/girepository-1.0 ; * XDG_DATA_DIRS < share
gtksourceview: XDG_DATA_DIRS < share
guidance: PATH < bin/www/Guidance
gurobi: GUROBI_HOME = . ; GRB_LICENSE_FILE = gurobi.lic ; LD_LIBRARY_PATH < lib
hal: PYTHONPATH < .
harfbuzz: GI_TYPELIB_PATH < lib/girepository-1.0 ; * XDG_DATA_DIRS < share
hdf5: LD_LIBRARY_PATH > lib
hdf5-blosc: HDF5_PLUGIN_PATH > lib
hdf5-vfd-gds: HDF5_PLUGIN_PATH < lib
hdf5-vol-async: HDF5_PLUGIN_PATH < lib ; MPICH_MAX_THREAD_SAFETY = "multiple"
hdf5-vol-cache: HDF5_PLUGIN_PATH < lib
hdf5-vol-daos: HDF5_PLUGIN_PATH < lib
hdf5-vol-log: HDF5_PLUGIN_PATH < lib
helics: PYTHONPATH < python when +python
hicolor-icon-theme: XDG_DATA_DIRS < share
hicops: PATH < tools ; PATH < bin/tools ; HICOPS_INSTALL = . ; INCLUDE < include
hipify-clang: PATH < .
hpctoolkit: PATH < bin ; MANPATH < share/man ; CPATH < include ; LD_LIBRARY_PATH < lib/hpctoolkit ; PATH < hpcviewer:bin when +viewer ; MANPATH < hpcviewer:share/man when +viewer
hping: PATH < sbin
hybpiper: HYBPIPER_HOME = .
icedtea: JAVA_HOME = .
idl: EXELIS_DIR < . ; IDL_DIR < idl ; PATH < idl/bin
imod: IMOD_DIR = .
improved-rdock: RBT_ROOT = .
influxdb: PATH < usr/bin
intel-llvm: CC = bin/clang when +clang ; CXX = bin/clang++ when +clang
intel-oneapi-compilers-classic: CC = bin/icc ; CXX = bin/icpc ; F77 = bin/ifort ; FC = bin/ifort
iproute2: PATH < sbin
isescan: PATH < . ; LD_LIBRARY_PATH < ssw201507
javafx: JAVAFX_HOME = lib
jdk: JAVA_HOME = .
kicad: XDG_DATA_DIRS < share
lammps: LAMMPS_POTENTIALS = share/lammps/potentials ; LD_LIBRARY_PATH < lib when +python ; LD_LIBRARY_PATH < lib64 when +python ; LAMMPS_PLUGIN_PATH < lib/lammps/plugins when +plugin ; LAMMPS_PLUGIN_PATH < lib64/lammps/plugins when +plugin
lhapdfsets: LHAPDF_DATA_PATH = share/lhapdfsets
libatasmart: PATH < sbin
libcatalyst: CMAKE_PREFIX_PATH < conduit:. when +conduit
libfabric: LD_LIBRARY_PATH < lib ; LD_LIBRARY_PATH < lib64
libproxy: LD_LIBRARY_PATH < lib exists when +python ; LD_LIBRARY_PATH < lib64 exists when +python
libpsm3: FI_PROVIDER_PATH < lib ; FI_PROVIDER = "psm3" ; PSM3_ALLOW_ROUTERS = "1" ; PSM3_HAL = "sockets" when +sockets ~verbs ; FI_PSM3_NAME_SERVER = "1" ; PSM3_IDENTIFY = "1" when +debug
librsvg: XDG_DATA_DIRS < share
libuser: PATH < sbin
libx11: * XLOCALEDIR < share/X11/locale
libxfce4ui: * XDG_DATA_DIRS < share
libxfce4util: * XDG_DATA_DIRS < share
ligra: PATH < apps ; PATH < utils
llvm: CC = bin/clang when +clang ; CXX = bin/clang++ when +clang ; FC = bin/flang when +flang ; F77 = bin/flang when +flang
llvm-doe: CC = bin/clang when +clang ; CXX = bin/clang++ when +clang ; FC = bin/flang when +flang ; F77 = bin/flang when +flang
logrotate: PATH < sbin
lshw: PATH < sbin
ltr-retriever: PATH < .
lua: LUA_PATH <; share/lua/{version:2}/?.lua ; LUA_PATH <; share/lua/{version:2}/?/init.lua ; LUA_PATH <; lib/lua/{version:2}/?.lua ; LUA_PATH <; lib/lua/{version:2}/?/init.lua ; LUA_CPATH <; lib/lua/{version:2}/?.so ; * LUA_PATH <; dependent:share/lua/{version:2}/?/init.lua exists dependent:share/lua/{version:2} ; * LUA_PATH <; dependent:share/lua/{version:2}/?.lua exists dependent:share/lua/{version:2} ; * LUA_CPATH <; dependent:lib/lua/{version:2}/?.so exists dependent:lib/lua/{version:2}
m4: M4 = bin/m4
macfuse: * FUSE_LIBRARY_PATH = macFUSE
mefit: PATH < .
melissa-api: PYTHONPATH < lib
meraculous: MERACULOUS_ROOT = . ; PERL5LIB < lib
metall: METALL_ROOT = .
metplus: PATH < ush
microbiomeutil: PATH < ChimeraSlayer ; PATH < NAST-iEr ; PATH < TreeChopper ; PATH < WigeoN
minc-toolkit: MINC_TOOLKIT = .
mitofates: PATH < .
mixcr: PATH < .
mpibind: FLUX_SHELL_RC_PATH < share/mpibind
mpich: MPICC = bin/mpicc ; MPICXX = bin/mpic++ ; MPIF77 = bin/mpif77 ; MPIF90 = bin/mpif90
mpt: MPICC = bin/mpicc ; MPICXX = bin/mpicxx ; MPIF77 = bin/mpif77 ; MPIF90 = bin/mpif90
mrtrix3: PATH < .
mutationpp: MPP_DIRECTORY = . ; MPP_DATA_DIRECTORY = data exists data
mvapich: MPI_ROOT = . ; MPICC = bin/mpicc ; MPICXX = bin/mpic++ ; MPIF77 = bin/mpif77 ; MPIF90 = bin/mpif90
mvapich2: SLURM_MPI_TYPE = "pmi1" when process_managers=slurm & pmi_version=pmi1 ; SLURM_MPI_TYPE = "pmi2" when process_managers=slurm & !pmi_version=pmi1 & pmi_version=pmi2 ; SLURM_MPI_TYPE = "pmix" when process_managers=slurm & !pmi_version=pmi1 & !pmi_version=pmi2 & pmi_version=pmix ; MPI_ROOT = . ; MPICC = bin/mpicc ; MPICXX = bin/mpic++ ; MPIF77 = bin/mpif77 ; MPIF90 = bin/mpif90
mxnet: MXNET_LIBRARY_PATH = lib/libmxnet.so exists ; MXNET_LIBRARY_PATH = lib64/libmxnet.so exists
nag: F77 = bin/nagfor ; FC = bin/nagfor
nccl-fastsocket: LD_LIBRARY_PATH < lib ; NCCL_NET_PLUGIN = ""
ncvis: NCVIS_RESOURCE_DIR = resources
nest: NEST_INSTALL_DIR = .
netcdf-c: HDF5_PLUGIN_PATH > plugins when @4.9.0:+shared
netdata: PATH < sbin
neuron: PATH < bin ; LD_LIBRARY_PATH < lib ; PYTHONPATH < lib/python when +python
nginx: PATH < sbin
ngspice: LD_LIBRARY_PATH < lib when build=lib
ninja: PYTHONPATH < misc
nwchem: NWCHEM_BASIS_LIBRARY = share/nwchem/libraries/ ; NWCHEM_NWPW_LIBRARY = share/nwchem/libraryps/
of-precice: LD_LIBRARY_PATH < lib
open-iscsi: PATH < sbin
opendatadetector: OPENDATADETECTOR_DATA = share/OpenDataDetector ; LD_LIBRARY_PATH < lib ; LD_LIBRARY_PATH < lib64
openfpgaloader: OPENFPGALOADER_SOJ_DIR < share/openFPGALoader
openjdk: JAVA_HOME = .
openmpi: MPICC = bin/mpicc ; MPICXX = bin/mpic++ ; MPIF77 = bin/mpif77 ; MPIF90 = bin/mpif90 ; MPIFC = bin/mpifort when @1.7:
openradioss-starter: OPENRADIOSS_PATH = . ; RAD_CFG_PATH = hm_cfg_files ; RAD_H3D_PATH = extlib/h3d/lib/linux64 ; OMP_STACKSIZE = "400m" ; LD_LIBRARY_PATH < extlib/h3d/linux64 ; LD_LIBRARY_PATH < extlib/hm_reader/linux64 ; PATH < exec
orthofinder: PATH < bin ; PATH < bin/tools
orthomcl: PERL5LIB < lib
osg-ca-certs: X509_CERT_DIR = certificates
osu-micro-benchmarks: PATH < libexec/osu-micro-benchmarks/mpi/startup ; PATH < libexec/osu-micro-benchmarks/mpi/pt2pt ; PATH < libexec/osu-micro-benchmarks/mpi/one-sided ; PATH < libexec/osu-micro-benchmarks/mpi/collective
pagit: PAGIT_HOME = . ; PILEUP_HOME = bin/pileup_v0.5 ; ICORN_HOME = icorn ; SNPOMATIC_HOME = bin ; RATT_HOME = RATT ; RATT_CONFIG = RATT/RATT_config ; PATH < bin/pileup_v0.5/ssaha2 ; PATH < bin/pileup_v0.5 ; PATH < IMAGE ; PATH < ABACAS ; PATH < ICORN ; PATH < RATT ; PERL5LIB < lib
pandorapfa: PANDORAPFA = .
pango: GI_TYPELIB_PATH < lib/girepository-1.0 ; * XDG_DATA_DIRS < share
paraview: ParaView_DIR = . ; PARAVIEW_VTK_DIR = lib/cmake/paraview-{version:2}/vtk exists ; PARAVIEW_VTK_DIR = lib64/cmake/paraview-{version:2}/vtk exists ; LIBRARY_PATH < lib exists ; LIBRARY_PATH < lib64 exists ; LD_LIBRARY_PATH < lib exists ; LD_LIBRARY_PATH < lib64 exists ; PYTHONPATH < lib/python{python:2}/site-packages exists when +python ; PYTHONPATH < lib/python{python:2}/site-packages/vtkmodules exists when +python ; PYTHONPATH < lib64/python{python:2}/site-packages exists when +python ; PYTHONPATH < lib64/python{python:2}/site-packages/vtkmodules exists when +python
pareval: PAREVAL_ROOT = pareval
parflow: PARFLOW_DIR = .
pasta: PASTA_TOOLS_RUNDIR = bin
pciutils: PATH < sbin
pdiplugin-decl-hdf5: PDI_PLUGIN_PATH < lib
pdiplugin-decl-netcdf: PDI_PLUGIN_PATH < lib
pdiplugin-mpi: PDI_PLUGIN_PATH < lib
pdiplugin-pycall: PDI_PLUGIN_PATH < lib
pdiplugin-serialize: PDI_PLUGIN_PATH < lib
pdiplugin-set-value: PDI_PLUGIN_PATH < lib
pdiplugin-trace: PDI_PLUGIN_PATH < lib
pdiplugin-user-code: PDI_PLUGIN_PATH < lib
perl: * PERL5LIB < dependent:lib/perl5 exists
perl-fth: JAVATEX_DIR = . ; FTAGSHTML_DIR = . ; FTAGSHTML_DOC = doc
petsc: PETSC_DIR = . ; unset PETSC_ARCH
pgplot: PGPLOT_FONT = include/grfont.dat ; PGPLOT_DIR = lib/pgplot5
picard: PICARD < bin/picard.jar
pism: PISM_PREFIX = . ; PISM_BIN = bin
planck-likelihood: CLIK_PATH = . ; CLIK_DATA = share/clik ; CLIK_PLUGIN = "rel2015"
plantuml: PLANTUML_JAR_LOCATION = bin/plantuml.jar
ploticus: PLOTICUS_PREFABS = prefabs
podman: CONTAINERS_CONF_OVERRIDE = containers.conf
postgis: POSTGIS_GDAL_ENABLED_DRIVERS = "ENABLE_ALL"
postgresql: PERL5LIB < lib when +perl ; TCLLIBPATH < lib when +tcl ; PYTHONPATH < lib when +python
powertop: PATH < sbin
prism: PRISM_DIR = .
procps-ng: PATH < sbin
prodigal: PATH < .
proj: PROJ_LIB = share/proj
pscmc: SCMC_COMPILE_ROOT = source ; SCMC_ROOT = source/runtime_passes ; STDLIB = source/stdlib.scm
psmc: PATH < bin/utils
purify: PATH < tests when +tests ; PATH < benchmarks when +benchmarks
py-bluepyopt: unset PMI_RANK ; NEURON_INIT_MPI = "0"
py-cdo: CDO = cdo:bin/cdo
py-chainforgecodegen: PATH < . ; PYTHONPATH < .
py-deepsig-biocomp: DEEPSIG_ROOT = share/deepsig
py-devito: DEVITO_HOME < .
py-gemmforge: PATH < . ; PYTHONPATH < .
py-huggingface-hub: HF_HUB_ENABLE_HF_TRANSFER = "1" when +hf_transfer
py-jupyter-core: * JUPYTER_CONFIG_PATH < dependent:etc/jupyter exists dependent:etc/jupyter ; * JUPYTER_PATH < dependent:share/jupyter exists dependent:share/jupyter
py-jupyterlab: JUPYTERLAB_DIR = share/jupyter/lab
py-meldmd: OPENMM_PLUGIN_DIR = lib/plugins
py-nbconvert: JUPYTER_PATH < share/jupyter
py-nltk: NLTK_DATA < nltk_data when +data
py-pspamm: PATH < . ; PYTHONPATH < .
py-psyclone: PSYCLONE_CONFIG = share/psyclone/psyclone.cfg
py-pyspark: PYSPARK_PYTHON = python:bin/python3 ; PYSPARK_DRIVER_PYTHON = python:bin/python3
py-tfdlpack: TF_FORCE_GPU_ALLOW_GROWTH = "true"
python: * PYTHONPATH < dependent:lib/python{version:2}/site-packages exists when !dependent:^python-venv
python-venv: * PYTHONPATH < dependent:lib/python{python:2}/site-packages exists ; * PYTHONPATH < dependent:lib64/python{python:2}/site-packages exists
qbank: MANPATH < doc when +doc
qgis: PYTHONPATH < share/qgis/python when +bindings
qmcpack: PATH < nexus/bin ; PYTHONPATH < nexus/lib
qscintilla: QT_PLUGIN_PATH < plugins
qt: QTDIR = . ; QTINC = inc ; QTLIB = lib ; QT_PLUGIN_PATH < plugins
qt-base: QMAKEPATH < . ; QMAKE_MODULE_PATH < mkspecs/modules exists mkspecs/modules ; QT_PLUGIN_PATH < plugins exists plugins
qualimap: PATH < .
quota: PATH < sbin
r: LD_LIBRARY_PATH < rlib/R/lib ; PKG_CONFIG_PATH < rlib/pkgconfig ; R_HOME = rlib/R ; LD_LIBRARY_PATH < rlib when +rmath ; * R_LIBS < dependent:rlib/R/library exists
r-asreml: vsni_LICENSE = vsni.lic
rasdaemon: PATH < sbin
redis-ai: REDIS_AI = redisai.so
reframe: PYTHONPATH < . ; MANPATH < docs/man when @3.0: & +docs
rinetd: PATH < sbin
rnaquast: PATH < bin
roary: PATH < contrib/roary2svg ; PATH < contrib/roary_plots ; PERL5LIB < lib
rocm-opencl: LD_LIBRARY_PATH < lib ; OCL_ICD_VENDORS = vendors/
root: ROOTSYS = . ; PYTHONPATH < lib/root ; CLING_STANDARD_PCH = "none" ; CPPYY_API_PATH = "none" ; CPPYY_BACKEND_LIBRARY = lib/root/libcppyy_backend ; LD_LIBRARY_PATH < lib/root when ~rpath ; * ROOT_INCLUDE_PATH < dependent:include ; * LD_LIBRARY_PATH < dependent:lib exists ; * LD_LIBRARY_PATH < dependent:lib64 exists
rosco: ROSCO_DISCON = lib/libdiscon.so ; ROSCO_DISCON_DIR = lib
rsyslog: PATH < sbin
ruby: * GEM_PATH < dependent:. exists dependent:gems
saga-gis: SAGA_MLB = lib/saga ; SAGA_TLB = lib/saga
salome-medcoupling: PYTHONPATH < lib/python{python:2}/site-packages
samurai: CPATH < include
scons: PYTHONPATH < lib/scons
seacas: PYTHONPATH < lib
seissol: PATH < share
serenity: SERENITY_HOME = . ; SERENITY_BIN = bin ; SERENITY_RESOURCES = share/serenity/data/ ; PYTHONPATH < lib
serialbox: PATH < python/pp_ser ; PYTHONPATH < python/pp_ser
shapemapper: PATH < .
shared-mime-info: * XDG_DATA_DIRS < share
shortbred: PYTHONPATH < .
signalp: PATH < .
slepc: SLEPC_DIR = . ; PETSC_DIR = petsc:.
smartmontools: PATH < sbin ; LD_LIBRARY_PATH < usr/lib
snap-korf: ZOE = . ; PATH < .
snphylo: PATH < .
sollve: CC = bin/clang when +clang ; CXX = bin/clang++ when +clang
sopt: PATH < tests when +tests ; PATH < examples when +examples ; PATH < benchmarks when +benchmarks
spack-configs-dav-sdk: SPACK_CONFIG_DAV_SDK_DIR = spack/configs/davsdk ; SPACK_CONFIG_DAV_SDK_ENVIRONMENTS_DIR = spack/environments/davsdk
spack-configs-facilities: SPACK_CONFIG_FACILITY_DIR = spack/configs/facilities
spack-configs-tools-sdk: SPACK_CONFIG_TOOLS_SDK_DIR = spack/configs/toolssdk ; SPACK_CONFIG_TOOLS_SDK_ENVIRONMENTS_DIR = spack/environments/toolssdk
spiral-software: SPIRAL_HOME = .
sspace-standard: SSPACE_HOME = . ; PATH < .
steps: PYTHONPATH < .
su2: SU2_RUN = bin ; SU2_HOME = . ; PATH < bin ; PYTHONPATH < bin ; MPP_DATA_DIRECTORY = mpp-data when +mpp ; LD_LIBRARY_PATH < lib when +mpp
sumo: SUMO_HOME = .
supernova: PATH < .
sz: HDF5_PLUGIN_PATH < lib64 when +hdf5
sz3: HDF5_PLUGIN_PATH < lib64 when +hdf5
tandem: PATH < app
targetp: TARGETP = . ; PATH < .
tassel: CLASSPATH < bin/lib
tau: DYNINSTAPI_RT_LIB = dyninst:lib/libdyninstAPI_RT.so when +dyninst ; LD_LIBRARY_PATH > dyninst:lib when +dyninst ; LD_LIBRARY_PATH > lib when +dyninst ; PATH > cuda:bin when +cuda
tb-lmto: PATH < .
tcl: TCL_LIBRARY = share/tcl{version:2} exists share/tcl{version:2}/init.tcl ; TCL_LIBRARY = lib/tcl{version:2} exists lib/tcl{version:2}/init.tcl
tcl-togl: * LD_LIBRARY_PATH < lib/Togl{version:2}
templight: CC = bin/templight ; CXX = bin/templight++
tempo: * TEMPO_DIR = . ; TEMPO = .
tengine: PATH < sbin
tesseract: SCROLLVIEW_PATH = share/tessdata
tfel: LD_LIBRARY_PATH > lib
tix: TIX_LIBRARY = lib/Tix{version} exists lib/Tix{version}/Tix.tcl
tixi: PYTHONPATH < share/tixi3/python when @3: & +python ; PYTHONPATH < share/tixi/python when @:2 & +python ; LD_LIBRARY_PATH < lib when +python
tk: TK_LIBRARY = share/tk{version:2} exists share/tk{version:2}/tk.tcl ; TK_LIBRARY = lib/tk{version:2} exists lib/tk{version:2}/tk.tcl
transdecoder: PATH < . ; PATH < util
trilinos: PYTHONPATH < lib when +exodus ; CUDA_LAUNCH_BLOCKING = "1" when @:13.1.0 +cuda
trilinos-catalyst-ioss-adapter: PYTHONPATH < python
trinity: TRINITY_HOME = bin ; PATH < bin/util
umpire: LD_LIBRARY_PATH > lib exists ; LD_LIBRARY_PATH > lib64 exists
varscan: VARSCAN_HOME = jar ; CLASSPATH = jar
vcftools: PERL5LIB < lib
verilator: VERILATOR_ROOT < .
vesta: PATH < . ; LD_LIBRARY_PATH < .
vmd: PLUGINDIR = lib64/plugins
wordnet: WNHOME = . ; WNSEARCHDIR = dict
wps: PATH > . ; PATH > util
wrf: WRF_HOME = . ; PATH > main ; PATH > tools
xcdf: PYTHONPATH < lib
xfsdump: PATH < sbin
xfsprogs: PATH < sbin
xkeyboard-config: * XKB_CONFIG_ROOT < share/X11/xkb
zabbix: PATH < sbin
zookeeper: ZOOBINDIR = bin ; ZOOCFGDIR = "." ; ZOO_LOG_DIR = "."
`;

/** Recipes that change the environment by something that only running them can tell. */
const dynamicNames = `
acfl amdlibflame amdscalapack anaconda3 aqlprofile arm-forge armpl-gcc aspell bohrium bufr cbtf-argonavis
cbtf-argonavis-gui cbtf-krell chapel conda4aarch64 corenlp cray-mpich cray-mvapich2 darshan-runtime dd4hep
dislin docbook-xml docbook-xsl easi edm4hep elmerfem epics-base epics-ca-gateway epics-pcas epics-snmp
esys-particle fairroot faiss ferret flecsph flux-sched foam-extend freesurfer fsl g2 g2c gams garfieldpp
gaussian gaussian-src gdal gfsio git gluegen go google-cloud-cli gptune grnboost gromacs heasoft heimdall
hermes hip hpc-beeflow hpcx-mpi ibm-java intel-mpi intel-oneapi-compilers intel-parallel-studio ip ip2 jblob
jmol jogl jube landsfcutil lcio libpressio likwid linaro-forge llvm-amdgpu logstash lua-luajit-openresty
mdsplus melissa miniconda2 miniconda3 miniforge3 mivisionx mpitrampoline mujoco mvapich-plus mvapich2-gdr
mvapich2x nalu-wind ncio ncl nekrs nektar npm nvhpc occa oommf openfoam openfoam-org openloops openmm
openmolcas openpmd-api openradioss-engine openspeedshop openspeedshop-utils orca orca-faccts papyrus
parallelio perl-alien-svn pgi podio pvm py-amici py-anuga py-apebench py-cartopy py-dgl py-eccodes
py-git-review py-gosam py-htgettoken py-jaxlib py-keras py-modin py-onnxruntime py-pipits py-pyfr
py-pyopengl py-pyqtgraph py-pythran py-qtpy py-rtree py-scikits-odes py-shapely py-torch
py-torch-nvidia-apex py-xdot pythia8 qtgraph rocm-openmp-extras rocprofiler-sdk rpp sfcio sigio
simmetrix-simmodsuite singularity-eos sosflow sp spack spark spectrum-mpi srilm sst-elements star-ccm-plus
stata stripack survey tecplot texlive totalview turbomole upcxx uqtk vep vep-cache w3emc wi4mpi
xfce4-session
`;

/** Rules by recipe name, as text. */
export const recipeRules: ReadonlyMap<string, string> = new Map(
  lines
    .trim()
    .split("\n")
    .map((line) => {
      const colon = line.indexOf(": ");
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
);

/** Names of recipes that are known to change the environment in a way that is not known here. */
export const dynamicRecipes: ReadonlySet<string> = new Set(dynamicNames.trim().split(/\s+/));
