/** A large build cache index, made up but shaped like those of public caches. Same count, same bytes. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";

export interface SyntheticIndex {
  /** All hashes, in the order of the file. */
  readonly hashes: readonly string[];
  readonly bytes: number;
}

const base32 = "abcdefghijklmnopqrstuvwxyz234567";

/** A made-up DAG hash. */
export function syntheticHash(number: number): string {
  const digest = createHash("sha1").update(`spec ${number}`).digest();
  let text = "";
  for (let bit = 0; bit < 160; bit += 5) {
    const byte = bit >> 3;
    const pair = ((digest[byte] ?? 0) << 8) | (digest[byte + 1] ?? 0);
    text += base32[(pair >> (11 - (bit & 7))) & 31];
  }
  return text;
}

const virtuals = [["c"], ["cxx"], ["fortran"], ["mpi"], ["zlib-api"], ["blas", "lapack"], [], [], [], []];

/** Name of the package of the spec with this number: some hundred packages, of very different frequency. */
export function syntheticName(number: number): string {
  return `pkg-${Math.floor(Math.sqrt((number * 7919) % 1_000_003))}`;
}

/** Specs before those of the one package, which were built with them. */
const beforeOnePackage = 1000;

/**
 * Writes an index of `count` specs (database version 8) to a file, about 1.4 kB a spec.
 * Every tenth is known but not downloadable.
 *
 * @param packages `one`: all specs but the first thousand are builds of one package, `pkg-one`
 */
export async function writeSyntheticIndex(
  path: string,
  count: number,
  packages: "many" | "one" = "many",
): Promise<SyntheticIndex> {
  const isOne = (number: number): boolean => packages === "one" && number >= beforeOnePackage;
  const nameOf = (number: number): string => (isOne(number) ? "pkg-one" : syntheticName(number));
  const out = createWriteStream(path);
  const hashes: string[] = [];
  let bytes = 0;
  let pending = '{"database":{"version":"8","installs":{';
  for (let number = 0; number < count; number++) {
    const hash = syntheticHash(number);
    hashes.push(hash);
    const edges = Math.min(number, 3 + (number % 9));
    const dependencies = Array.from({ length: edges }, (_, edge) => {
      const other = (number * 31 + edge * 977) % (isOne(number) ? beforeOnePackage : number);
      return {
        name: nameOf(other),
        hash: hashes[other],
        parameters: {
          deptypes: edge % 2 && !isOne(number) ? ["build", "link"] : ["build"],
          virtuals: virtuals[(number + edge) % 10],
        },
      };
    });
    const record = {
      spec: {
        name: nameOf(number),
        version: `${number % 12}.${number % 7}.${number % 5}`,
        arch: { platform: "linux", platform_os: "ubuntu22.04", target: number % 3 ? "x86_64_v3" : "aarch64" },
        namespace: "builtin",
        parameters: {
          build_system: "cmake",
          build_type: "Release",
          shared: number % 2 === 0,
          languages: ["c", "c++", "fortran"],
          cflags: [],
          cppflags: [],
          cxxflags: [],
          fflags: [],
          ldflags: [],
          ldlibs: [],
        },
        package_hash: `${syntheticHash(number % 4000)}${syntheticHash(number % 3000).slice(0, 20)}====`,
        dependencies,
        annotations: { original_specfile_version: 5 },
        hash,
      },
      ref_count: number % 30,
      in_buildcache: number % 10 !== 9,
    };
    pending += `${number === 0 ? "" : ","}${JSON.stringify(hash)}:${JSON.stringify(record)}`;
    if (pending.length > 1 << 20) {
      bytes += Buffer.byteLength(pending);
      if (!out.write(pending)) await once(out, "drain");
      pending = "";
    }
  }
  pending += "}}}";
  bytes += Buffer.byteLength(pending);
  out.end(pending);
  await once(out, "close");
  return { hashes, bytes };
}
