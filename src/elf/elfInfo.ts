/** What the dynamic loader needs to know of an ELF file, and nothing more. Plain JSON data: it is stored in inventories. */
export interface ElfInfo {
  /** 32 or 64 bit. */
  readonly bits: 32 | 64;
  readonly endian: "little" | "big";
  /** `e_machine` (62 = x86-64, 183 = AArch64). */
  readonly machine: number;
  /** Executables and position-independent executables are both possible for `dynamic`. */
  readonly type: "executable" | "dynamic" | "relocatable" | "core" | "other";
  /** PT_INTERP. */
  readonly interpreter?: string;
  readonly soname?: string;
  /** DT_NEEDED in order. */
  readonly needed: readonly string[];
  /** DT_RPATH split on `:`; empty items dropped. */
  readonly rpath: readonly string[];
  /** DT_RUNPATH split on `:`; empty items dropped. */
  readonly runpath: readonly string[];
  /** DT_FLAGS_1 has DF_1_NODEFLIB. */
  readonly noDefaultLibraries?: boolean;
  /** Symbol versions required, by library (`.gnu.version_r`), weak ones left out: `{"libc.so.6": ["GLIBC_2.34"]}`. */
  readonly versionsNeeded: Readonly<Record<string, readonly string[]>>;
  /** Symbol versions defined (`.gnu.version_d`), without the base version. */
  readonly versionsDefined: readonly string[];
}
