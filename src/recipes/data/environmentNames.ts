/**
 * Names of the recipes of Spack's builtin repository that change the environment of those who run their packages. Where an
 * archive holds no recipe, it can be said for these that something is missing.
 */
export const environmentNames: ReadonlySet<string> = new Set(
  `
acct acfl additivefoam adf adios2 adwaita-icon-theme alpscore amber ambertools amdlibflame amdscalapack ampl
ampliconnoise anaconda3 angsd antlr4-complete ants aocl-da aqlprofile arm-forge armpl-gcc aspect aspell
aspera-cli astral at-spi2-core atk augustus authd autofact avizo aws-ofi-nccl aws-ofi-rccl babeltrace2 babl
backupninja bart bbmap bcftools beast1 beast2 biopieces bohrium bonniepp boost braker breakdancer bufr
cachefilesd caliper casper cbtf-argonavis cbtf-argonavis-gui cbtf-krell chapel chlorop chrony cmdstan
conda4aarch64 conserver converge corenlp cplex cracklib cray-mpich cray-mvapich2 cronie crtm-fix cryptsetup
cuda cudnn cupla dalton darshan-runtime dd4hep ddt dealii dealii-parameter-gui deconseq-standalone delphes
dialign dislin distcc dmd docbook-xml docbook-xsl dosfstools dotnet-core-sdk e2fsprogs easi edm4hep eigen
elmerfem epics-base epics-ca-gateway epics-pcas epics-snmp esmf esys-particle evtgen exciting exodusii extrae
fairroot faiss fenics ferret ffb fftx flecsph flux-core flux-pmix flux-sched foam-extend freesurfer fsl
fujitsu-mpi g2 g2c g4abla g4channeling g4emlow g4ensdfstate g4incl g4ndl g4neutronxs g4nudexlib g4particlexs
g4photonevaporation g4pii g4radioactivedecay g4realsurface g4saiddata g4tendl g4urrpt gams garfieldpp gate
gatk gaudi gaussian gaussian-src gaussian-view gcc gdal gdk-pixbuf gegl genemark-et genie geopm-runtime
geopm-service getorganelle gfsio git glib gluegen gmsh gnuradio go gobject-introspection google-cloud-cli
gptune grace grads green-mbpt green-seet gridlab-d grnboost groff gromacs gsettings-desktop-schemas gsl
gtkplus gtksourceview guidance gurobi hal harfbuzz hdf5 hdf5-blosc hdf5-vfd-gds hdf5-vol-async hdf5-vol-cache
hdf5-vol-daos hdf5-vol-log heasoft heimdall helics hermes hicolor-icon-theme hicops hip hipify-clang
hpc-beeflow hpctoolkit hpcx-mpi hping hybpiper ibm-java icedtea idl imod improved-rdock influxdb intel-llvm
intel-mpi intel-oneapi-compilers intel-oneapi-compilers-classic intel-parallel-studio ip ip2 iproute2 isescan
javafx jblob jdk jmol jogl jube kicad lammps landsfcutil lcio lhapdfsets libatasmart libcatalyst libfabric
libpressio libproxy libpsm3 librsvg libuser libx11 libxfce4ui libxfce4util ligra likwid linaro-forge llvm
llvm-amdgpu llvm-doe logrotate logstash lshw ltr-retriever lua lua-luajit-openresty m4 macfuse mdsplus mefit
melissa melissa-api meraculous met metall metplus microbiomeutil minc-toolkit miniconda2 miniconda3 miniforge3
mitofates mivisionx mixcr mpibind mpich mpitrampoline mpt mrtrix3 mujoco mutationpp mvapich mvapich-plus
mvapich2 mvapich2-gdr mvapich2x mxnet nag nalu-wind nccl-fastsocket ncio ncl ncvis nekrs nektar nest netcdf-c
netdata neuron nginx ngspice ninja npm nvhpc nwchem occa of-precice oommf open-iscsi opendatadetector openfoam
openfoam-org openfpgaloader openjdk openloops openmm openmolcas openmpi openpmd-api openradioss-engine
openradioss-starter openspeedshop openspeedshop-utils orca orca-faccts orthofinder orthomcl osg-ca-certs
osu-micro-benchmarks pagit pandorapfa pango papyrus parallelio paraview pareval parflow pasta pciutils
pdiplugin-decl-hdf5 pdiplugin-decl-netcdf pdiplugin-mpi pdiplugin-pycall pdiplugin-serialize
pdiplugin-set-value pdiplugin-trace pdiplugin-user-code perl perl-alien-svn perl-fth petsc pgi pgplot picard
pism planck-likelihood plantuml ploticus podio podman postgis postgresql powertop prism procps-ng prodigal
proj pscmc psmc purify pvm py-amici py-anuga py-apebench py-bluepyopt py-cartopy py-cdo py-chainforgecodegen
py-deepsig-biocomp py-devito py-dgl py-eccodes py-gemmforge py-git-review py-gosam py-htgettoken
py-huggingface-hub py-jaxlib py-jupyter-core py-jupyterlab py-keras py-meldmd py-modin py-nbconvert py-nltk
py-onnxruntime py-pipits py-pspamm py-psyclone py-pyfr py-pyopengl py-pyqtgraph py-pyspark py-pythran py-qtpy
py-rtree py-scikits-odes py-shapely py-tfdlpack py-torch py-torch-nvidia-apex py-xdot pythia8 python
python-venv qbank qgis qmcpack qscintilla qt qt-base qtgraph qualimap quota r r-asreml rasdaemon redis-ai
reframe rinetd rnaquast roary rocm-opencl rocm-openmp-extras rocprofiler-sdk root rosco rpp rsyslog ruby
saga-gis salome-medcoupling samurai scons seacas seissol serenity serialbox sfcio shapemapper shared-mime-info
shortbred sigio signalp simmetrix-simmodsuite singularity-eos slepc smartmontools snap-korf snphylo sollve
sopt sosflow sp spack spack-configs-dav-sdk spack-configs-facilities spack-configs-tools-sdk spark
spectrum-mpi spiral-software srilm sspace-standard sst-elements star-ccm-plus stata steps stripack su2 sumo
supernova survey sz sz3 tandem targetp tassel tau tb-lmto tcl tcl-togl tecplot templight tempo tengine
tesseract texlive tfel tix tixi tk totalview transdecoder trilinos trilinos-catalyst-ioss-adapter trinity
turbomole umpire upcxx uqtk varscan vcftools vep vep-cache verilator vesta vmd w3emc wi4mpi wordnet wps wrf
xcdf xfce4-session xfsdump xfsprogs xkeyboard-config zabbix zookeeper
`
    .trim()
    .split(/\s+/),
);
