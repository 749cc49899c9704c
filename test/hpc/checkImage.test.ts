import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { SiteConfiguration } from "../../src/definitions/siteConfiguration.ts";
import { readSite } from "../../src/definitions/sites.ts";
import { type CheckImageOptions, checkImage } from "../../src/hpc/checkImage.ts";
import type { ImageProfile } from "../../src/hpc/imageProfile.ts";
import { completeSite } from "../../src/hpc/site.ts";
import { mpich, openMpi, soundFacts } from "./imageProfileOf.ts";

const apptainer: SiteConfiguration = {
  runtime: "apptainer",
  mpi: ["pmi2"],
  target: "icelake",
  glibc: "2.34",
};
const sarus: SiteConfiguration = {
  runtime: "sarus",
  mpi: ["pmi2", "cray_shasta"],
  targets: [
    { target: "zen2", constraint: "mc" },
    { target: "haswell", partition: "old" },
  ],
  constraint: "mc",
  partition: "normal",
  glibc: "2.31",
  "replace-mpi": { abi: "12.2.0", versions: ":4.1", libfabric: ":1.19", "not-bundled": ["libcxi"] },
};

function check(
  facts: Partial<ImageProfile>,
  site: SiteConfiguration,
  options: CheckImageOptions = {},
): readonly string[] {
  return checkImage({ ...soundFacts, ...facts }, completeSite("here", site), options)
    .filter(({ severity }) => severity !== "ok")
    .map(({ severity, check: name, message }) => `${severity} ${name}: ${message}`);
}

describe("checkImage", () => {
  it("finds nothing wrong with what is right, and says what it looked at", () => {
    expect(check({}, apptainer)).toEqual([]);
    expect(check({}, sarus)).toEqual([]);
    const looked = checkImage(soundFacts, completeSite("here", sarus)).map((one) => one.check);
    expect(looked).toEqual([
      "processor",
      "libc",
      "injected-libc",
      "pmi",
      "mpi-abi",
      "mpi-version",
      "loader-cache",
    ]);
    expect(checkImage(soundFacts, completeSite("here", apptainer)).map((one) => one.check)).toEqual([
      ...["processor", "libc", "pmi", "host-libraries"],
    ]);
  });

  it("holds every package's processor against all that the job may get", () => {
    const packages = [
      ...(soundFacts.packages ?? []),
      { name: "x", version: "1", hash: "", target: "x86_64_v4", root: true },
    ];
    expect(check({ packages }, apptainer)).toEqual([]);
    expect(check({ packages }, sarus)).toEqual([
      "error processor: 1 of 3 packages is for x86_64_v4, which zen2 cannot run: programs end with an illegal instruction",
    ]);
    expect(check({ packages }, sarus, { resources: { partition: "old", constraint: "any" } })[0]).toContain(
      "haswell",
    );
    const [finding] = checkImage({ ...soundFacts, packages }, completeSite("here", sarus));
    expect(finding).toMatchObject({
      evidence: ["x@1 target=x86_64_v4"],
      remedy: expect.stringContaining("target=x86_64_v3"),
    });
    expect(check({ architecture: "arm64" }, apptainer)).toEqual([
      "error processor: the image is for arm64, here has amd64",
    ]);
    expect(check({ packages: undefined }, apptainer)[0]).toContain("nothing in the image says");
  });

  it("holds the C library against the files' and the host's needs", () => {
    expect(check({ libc: "2.31" }, apptainer)).toEqual([
      "error libc: files of the image need glibc 2.34, it has 2.31",
    ]);
    expect(check({ libc: "2.28", libcNeeded: { version: "2.27", path: "/x" } }, sarus)).toEqual([
      "warning injected-libc: libraries of here that are put into the container may need glibc 2.31, the image has 2.28",
    ]);
    const certain = { ...sarus, "replace-mpi": { ...sarus["replace-mpi"], glibc: "2.35" } };
    expect(check({ libc: "2.34" }, certain)).toEqual([
      "error injected-libc: libraries of here that are put into the container need glibc 2.35, the image has 2.34",
    ]);
    // Nothing is put into the container without the host's MPI.
    expect(check({ libc: "2.34" }, certain, { hostMpi: false })).toEqual([]);
    expect(check({ libc: undefined }, apptainer)).toEqual([
      "warning libc: there is no GNU C library in the image",
    ]);
  });

  it("holds the ways to meet a launcher against srun's", () => {
    expect(check({ mpi: [openMpi] }, apptainer)).toEqual([
      "error pmi: none of here's `srun --mpi` (pmi2) fits: the container's Open MPI 4.1.6 speaks PMIx; every rank would be alone, in a world of one",
    ]);
    expect(check({ mpi: [openMpi] }, { ...apptainer, mpi: ["pmi2", "pmix_v4"] })).toEqual([]);
    expect(check({}, apptainer, { mpi: "none" })).toEqual([
      "error pmi: `srun --mpi=none` does not serve MPICH 4.0.2: every rank would be alone, in a world of one",
    ]);
    expect(check({}, apptainer, { mpi: "pmix" })[0]).toContain("does not serve");
    expect(check({}, apptainer, { plugins: ["none", "pmix"] })).toEqual([
      "error pmi-here: Slurm here has no `--mpi=pmi2`",
    ]);
    expect(check({}, apptainer, { plugins: ["none", "pmix"], isHere: false })).toEqual([
      "warning pmi-here: Slurm here has no `--mpi=pmi2`; if here is here, ranks will not start",
    ]);
    expect(check({ mpi: [] }, apptainer)).toEqual([]);
  });

  it("lets only what has the same interface be replaced by the host's", () => {
    expect(check({ mpi: [openMpi] }, sarus)[0]).toBe(
      "error mpi-abi: the host's MPI (libmpi.so.12) cannot take the place of Open MPI 4.1.6: another interface",
    );
    expect(check({ mpi: [{ ...mpich, soname: "libmpich.so.10" }] }, sarus)).toContain(
      "error mpi-abi: the host's MPI replaces libmpi.so.12, the container's is libmpich.so.10",
    );
    expect(check({ mpi: [{ ...mpich, abi: "13.1.0" }] }, sarus)[0]).toContain(
      "the first number must be the same",
    );
    expect(check({ mpi: [{ ...mpich, abi: "12.3.0" }] }, sarus)[0]).toMatch(
      /^warning mpi-abi: .*newer interface/,
    );
    expect(check({ mpi: [{ ...mpich, version: "4.2.3" }] }, sarus)).toEqual([
      "error mpi-version: MPICH 4.2.3 is known not to work with the host's MPI in its place; here takes :4.1",
    ]);
    expect(check({ mpi: [{ ...mpich, version: undefined }] }, sarus)[0]).toContain("is unknown");
    // The container's own is used: no rule.
    expect(check({ mpi: [{ ...mpich, version: "4.2.3" }] }, sarus, { hostMpi: false })).toEqual([]);
    expect(check({}, apptainer, { hostMpi: true })[0]).toContain("no rule");
  });

  it("tells what is known of a version from what is not", () => {
    const rule = (versions: object) => ({ ...sarus, "replace-mpi": { abi: "12.2.0", ...versions } });
    const both = rule({ versions: "3.1:3.4", "not-versions": "4.2:" });
    const of = (version: string, site: SiteConfiguration) => check({ mpi: [{ ...mpich, version }] }, site);
    expect(of("3.4.3", both)).toEqual([]);
    expect(of("4.0.2", both)).toEqual([
      "warning mpi-version: whether MPICH 4.0.2 works with the host's MPI in its place is not known; here takes 3.1:3.4, and not 4.2:",
    ]);
    expect(of("4.2.3", both)[0]).toMatch(/^error mpi-version: MPICH 4.2.3 is known not to work/);
    const only = rule({ "not-versions": "4.2:" });
    expect(of("4.1", only)).toEqual([]);
    expect(of("5.0", only)[0]).toMatch(/^error mpi-version: .* here takes all but 4.2:$/);
    expect(of("5.0", rule({}))).toEqual([]);
  });

  it("has for Eiger what is established there", () => {
    const path = resolve(import.meta.dirname, "../../sites/eiger.yaml");
    const { site } = readSite(readFileSync(path, "utf8"), path);
    if (site === undefined) throw new Error("the example cannot be read");
    const severity = (version: string, abi: string) =>
      checkImage({ ...soundFacts, mpi: [{ ...mpich, version, abi }] }, completeSite("eiger", site))
        .filter(({ check }) => check.startsWith("mpi-"))
        .map((finding) => `${finding.check} ${finding.severity}`);
    expect(severity("3.1.4", "12.0.5")).toEqual(["mpi-abi ok", "mpi-version ok"]);
    // Newer than the host's interface.
    expect(severity("3.4.3", "12.1.12")).toEqual(["mpi-abi warning", "mpi-version ok"]);
    expect(severity("4.0.2", "12.2.2")).toEqual(["mpi-abi warning", "mpi-version warning"]);
    for (const version of ["4.2.3", "4.3.0"])
      expect(severity(version, "12.3.1")).toEqual(["mpi-abi warning", "mpi-version error"]);
  });

  it("warns where the host's MPI comes by a path that RPATH hides, without Sarus' hook", () => {
    for (const runtime of ["podman-hpc", "shifter"] as const) {
      const found = check({ cachedMpi: [] }, { ...sarus, runtime });
      expect(found).toEqual([expect.stringMatching(/^warning mpi-search: .*LD_LIBRARY_PATH.*RPATH/)]);
    }
  });

  it("finds libraries that must not be there, and versions that do not work", () => {
    const bundled = [
      { name: "libcxi", path: "/opt/x/lib/libcxi.so.1", soname: "libcxi.so.1", version: undefined },
      { name: "libfabric", path: "/opt/x/lib/libfabric.so.1", soname: "libfabric.so.1", version: "1.20.1" },
    ];
    expect(check({ bundled }, sarus)).toEqual([
      "error bundled: libcxi must not be in the image: programs would load it beside or instead of the host's",
      "error libfabric: libfabric 1.20.1 in the image does not work with the host's; here takes :1.19",
    ]);
    expect(check({ bundled }, apptainer)).toEqual([]);
  });

  it("looks for MPI in the loader's cache as Sarus' hook does", () => {
    expect(check({ cachedMpi: [] }, sarus)).toEqual([
      "error loader-cache: libmpi.so.12 is not in the loader's cache, through which Sarus' hook finds the container's MPI",
    ]);
    expect(check({ cachedMpi: undefined }, sarus)).toHaveLength(1);
    expect(check({ cachedMpi: [{ name: "libmpi.so.12", path: "/x", file: undefined }] }, sarus)).toHaveLength(
      1,
    );
    expect(check({ cacheTrouble: "it is cut off" }, sarus)).toEqual(["error loader-cache: it is cut off"]);
    expect(check({ cachedMpi: undefined }, apptainer)).toEqual([]);
  });

  it("sees whether Apptainer's libraries are kept", () => {
    const environmentScript = { path: "/etc/profile.d/z.sh", keepsHostLibraries: false };
    expect(check({ environmentScript }, apptainer)[0]).toContain("without /.singularity.d/libs");
    // To the configuration's value Apptainer adds them by itself.
    expect(check({ environmentScript: undefined, libraryPath: "/opt/lib" }, apptainer)).toEqual([]);
    expect(check({ libraryPath: "/opt/view/lib" }, apptainer)).toEqual([]);
    expect(check({ environmentScript }, sarus)).toEqual([]);
  });

  it("says where ranks of a node cannot read one another's memory", () => {
    const podman: SiteConfiguration = { ...apptainer, runtime: "podman" };
    expect(check({}, podman)[0]).toMatch(/^warning rank-memory: .*CMA/);
    expect(check({ mpi: [], cachedMpi: [] }, podman)).toEqual([]);
    expect(check({}, { ...apptainer, runtime: "native" }, { separatesRanks: true })).toEqual([]);
    expect(check({}, apptainer, { separatesRanks: true })[0]).toMatch(/^warning rank-memory/);
    const shared: SiteConfiguration = { ...apptainer, "share-namespaces": true };
    expect(check({}, shared, { separatesRanks: true })).toEqual([]);
    for (const runtime of ["podman-hpc", "charliecloud"] as const)
      expect(check({}, { ...apptainer, runtime })[0]).toMatch(/^warning rank-memory: .*CMA/);
    for (const runtime of ["pyxis", "container-engine", "shifter"] as const)
      expect(check({}, { ...apptainer, runtime })).toEqual([]);
    expect(check({}, { ...shared, runtime: "charliecloud" })).toEqual([]);
  });

  it("knows of emulators", () => {
    const foreign = { architecture: "arm64" };
    expect(check(foreign, apptainer)).toContainEqual(
      expect.stringMatching(/^error processor: .* has amd64$/),
    );
    const emulated = check(foreign, apptainer, { emulated: ["arm64"] });
    expect(emulated).toContainEqual(expect.stringMatching(/^warning processor: .*emulator/));
  });

  it("knows that PMIx wants its own user", () => {
    const facts = { mpi: [openMpi], cachedMpi: [] };
    const docker: SiteConfiguration = { ...apptainer, runtime: "docker", mpi: ["pmix"] };
    expect(check(facts, docker)).toContainEqual(expect.stringMatching(/^error rank-user: PMIx/));
    expect(check(facts, { ...docker, runtime: "native" })).toEqual([]);
  });

  it("says that MPI is missing rather than that there is none", () => {
    const unresolved = [
      {
        severity: "error" as const,
        owner: "ring@1",
        text: "/opt/ring needs libmpi.so.12, which is not in the image",
        names: ["libmpi.so.12", "ring@1", "ring"],
        files: ["/opt/ring"],
        remedy: "the Spack package mpich has it",
      },
    ];
    const facts = { ...soundFacts, mpi: [], cachedMpi: undefined, unresolved };
    const findings = checkImage(facts, completeSite("here", apptainer));
    expect(findings.map(({ check: name }) => name)).not.toContain("pmi");
    expect(findings.at(-1)).toMatchObject({
      severity: "error",
      check: "linkage",
      evidence: ["/opt/ring", "of ring@1"],
      remedy: "the Spack package mpich has it",
    });
  });
});
