/**
 * For users who can be nobody but themselves: a program that starts another one for which giving files away, and becoming another
 * user, is answered as done by the kernel and not done. Package managers insist on both. A filter of system calls (seccomp(2)) does it,
 * which holds for all that the program starts; as Charliecloud has shown, no more is needed to install packages.
 *
 * In Perl, which every Debian has: the filter has to be set in the process that becomes the program.
 */
import { endianness } from "node:os";

/** System calls by architecture of the machine: its audit number, that of `prctl`, and those to be answered with success. */
const architectures = {
  x64: {
    audit: 0xc000003e,
    prctl: 157,
    /** chown, fchown, lchown, fchownat; setuid, setgid, setreuid, setregid, setgroups, setresuid, setresgid, setfsuid, setfsgid; capset. */
    calls: [92, 93, 94, 260, 105, 106, 113, 114, 116, 117, 119, 122, 123, 126],
  },
  arm64: {
    audit: 0xc00000b7,
    prctl: 167,
    calls: [54, 55, 143, 144, 145, 146, 147, 149, 151, 152, 159, 91],
  },
} as const;

/** The script for this machine; undefined where we do not know its system calls. */
export function pretendScript(architecture: string = process.arch): string | undefined {
  if (endianness() !== "LE" || (architecture !== "x64" && architecture !== "arm64")) return undefined;
  const { audit, prctl, calls } = architectures[architecture];
  // BPF: load the architecture; another one is left alone. Load the number; compare; answer.
  const load = 0x20;
  const jumpIfEqual = 0x15;
  const answer = 0x06;
  const filter: [code: number, yes: number, no: number, value: number][] = [
    [load, 0, 0, 4],
    [jumpIfEqual, 0, calls.length + 1, audit],
    [load, 0, 0, 0],
    ...calls.map((call, index): [number, number, number, number] => [
      jumpIfEqual,
      calls.length - index,
      0,
      call,
    ]),
    [answer, 0, 0, 0x7fff0000],
    // SECCOMP_RET_ERRNO with 0: success.
    [answer, 0, 0, 0x00050000],
  ];
  const program = filter
    .map(([code, yes, no, value]) => `pack("SCCL", ${code}, ${yes}, ${no}, ${value})`)
    .join(", ");
  return `my $filter = join("", ${program});
my $program = pack("S x![P] P", ${filter.length}, $filter);
syscall(${prctl}, 38, 1, 0, 0, 0) == 0 or die "cannot give up rights: $!";
syscall(${prctl}, 22, 2, $program) == 0 or die "cannot filter system calls: $!";
exec { $ARGV[0] } @ARGV or die "$ARGV[0]: $!";
`;
}
