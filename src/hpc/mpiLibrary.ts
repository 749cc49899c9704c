/** What an MPI library is, from its file alone: family, version, the ways in which it can meet the other ranks. */
import { readDynamicSymbols } from "../elf/dynamicSymbols.ts";
import type { ElfInfo } from "../elf/elfInfo.ts";

/** Ways in which the ranks of a program find one another: protocols between them and the launcher. */
export type PmiFlavour = "pmi1" | "pmi2" | "pmix" | "cray";

/** A protocol that a library speaks, and how that was seen. */
export interface PmiSupport {
  readonly flavour: PmiFlavour;
  /** For people: the text or symbol in the file, or the library it needs. */
  readonly evidence: string;
}

export type MpiFamily = "mpich" | "intel" | "mvapich" | "cray" | "openmpi";

/** An MPI library in an image. */
export interface MpiLibrary {
  /** In the image, absolute, without links. */
  readonly path: string;
  readonly soname: string;
  readonly family: MpiFamily;
  /** Undefined where the file does not say. */
  readonly version: string | undefined;
  /** Version of its interface in the file's name: 12.2.2 of `libmpi.so.12.2.2`. */
  readonly abi: string | undefined;
  /** MPICH: how it talks over the network, such as `ch4:ofi`. */
  readonly device: string | undefined;
  readonly pmi: readonly PmiSupport[];
}

/** Files that may be the MPI library of programs in C. */
export const mpiLibraryPattern = /(?:^|\/)libmpi(?:ch|_cray|_gnu_\d+|_intel)?\.so(?:\.[\d.]+)?$/;

/**
 * Describes a file that is called like an MPI library.
 *
 * @param path in the image, absolute
 * @param bytes the whole file
 * @returns undefined if it is not one: a wrapper, or a library of another purpose
 */
export function describeMpiLibrary(path: string, bytes: Buffer, facts: ElfInfo): MpiLibrary | undefined {
  if (facts.type !== "dynamic") return undefined;
  const symbols = readDynamicSymbols(bytes);
  if (symbols.byName.get("MPI_Init")?.defined !== true) return undefined;
  const has = (text: string): boolean => bytes.includes(text, 0, "latin1");
  const mpichVersion = symbols.text("MPII_Version_string") ?? symbols.text("MPIR_Version_string");
  const isOpenMpi = symbols.byName.has("ompi_mpi_comm_world") || has("Open MPI v");
  const family: MpiFamily = isOpenMpi
    ? "openmpi"
    : has("Intel(R) MPI Library")
      ? "intel"
      : has("MVAPICH")
        ? "mvapich"
        : has("CRAY MPICH version") || /libmpi_(?:cray|gnu)/.test(path)
          ? "cray"
          : "mpich";
  const fileName = path.slice(path.lastIndexOf("/") + 1);
  const own = versionText(mpichVersion);
  return {
    path,
    soname: facts.soname ?? fileName,
    family,
    version: own ?? (isOpenMpi ? openMpiVersion(bytes) : undefined),
    abi: /\.so\.(\d+(?:\.\d+)*)$/.exec(fileName)?.[1],
    device: symbols.text("MPII_Version_device")?.slice(0, 200),
    pmi: pmiSupport(has, facts, symbols.byName),
  };
}

function versionText(text: string | undefined): string | undefined {
  return text !== undefined && /^\d+(?:\.\d+)+[\w.]*$/.test(text) ? text : undefined;
}

/** Open MPI keeps the version only in the text by which it names itself, and that not in every build. */
function openMpiVersion(bytes: Buffer): string | undefined {
  const at = bytes.indexOf("Open MPI v", 0, "latin1");
  if (at < 0) return undefined;
  return /^Open MPI v(\d+(?:\.\d+)+)/.exec(bytes.toString("latin1", at, at + 64))?.[1];
}

/**
 * MPICH has clients of PMI-1 and PMI-2 of its own, which write lines of text to the launcher's socket; the beginning of the first line
 * is in the file. Other clients are libraries.
 */
function pmiSupport(
  has: (text: string) => boolean,
  facts: ElfInfo,
  symbols: ReadonlyMap<string, { readonly defined: boolean }>,
): readonly PmiSupport[] {
  const found: PmiSupport[] = [];
  if (has("cmd=init pmi_version"))
    found.push({ flavour: "pmi1", evidence: "the text `cmd=init pmi_version`" });
  if (has("cmd=fullinit")) found.push({ flavour: "pmi2", evidence: "the text `cmd=fullinit`" });
  for (const name of facts.needed) found.push(...pmiOfLibrary(name));
  const wanted = (name: string): boolean => symbols.get(name)?.defined === false;
  if (wanted("PMIx_Init") && !found.some(({ flavour }) => flavour === "pmix"))
    found.push({ flavour: "pmix", evidence: "the symbol `PMIx_Init`" });
  if (wanted("PMI2_Init") && !found.some(({ flavour }) => flavour === "pmi2"))
    found.push({ flavour: "pmi2", evidence: "the symbol `PMI2_Init`" });
  return found;
}

/** The protocol that a client library of this name speaks. */
export function pmiOfLibrary(name: string): readonly PmiSupport[] {
  const evidence = `it needs ${name}`;
  if (/^libpmix\.so/.test(name)) return [{ flavour: "pmix", evidence }];
  if (/^libpmi2\.so/.test(name)) return [{ flavour: "pmi2", evidence }];
  if (/^libpmi\.so/.test(name)) return [{ flavour: "pmi1", evidence }];
  return [];
}

/** The protocols of the components by which Open MPI 4 and older meet a launcher; each is a file of its own. */
export function pmiOfOpenMpiComponent(path: string): PmiSupport | undefined {
  const name = /\/mca_pmix_(\w+)\.so$/.exec(path)?.[1];
  if (name === undefined) return undefined;
  const evidence = `the component mca_pmix_${name}.so`;
  if (name === "s1") return { flavour: "pmi1", evidence };
  if (name === "s2") return { flavour: "pmi2", evidence };
  if (name === "cray") return { flavour: "cray", evidence };
  return /^(?:ext|pmix)/.test(name) ? { flavour: "pmix", evidence } : undefined;
}
