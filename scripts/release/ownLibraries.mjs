// Node's program wants libstdc++ and libgcc_s, which a machine may lack: they lie beside it, and it is changed to look there.

const dynamicTag = { null: 0n, strings: 5n, flags: 30n, runpath: 29n, flags1: 0x6fff_fffbn };
const bindNow = 8n;
const flagNow = 1n;
const segment = { dynamic: 2, note: 4, load: 1 };
const buildIdType = 3;

/**
 * Gives a program a `DT_RUNPATH` of `$ORIGIN`: the folder that it lies in. Nothing moves: the tag takes the place of `DT_FLAGS`,
 * which says what `DT_FLAGS_1` says too (resolve all symbols at the start), and the text that of the build ID, which nothing reads.
 *
 * @param {Buffer} program of 64 bits, little-endian; it is changed
 * @throws {Error} where the program is not made as expected
 */
export function lookBesideItself(program) {
  const u64 = (at) => program.readBigUInt64LE(at);
  if (program.toString("latin1", 0, 6) !== "\x7fELF\x02\x01") throw new Error("not a program of 64 bits");
  const segments = Array.from({ length: program.readUInt16LE(56) }, (_, index) => {
    const at = Number(u64(32)) + 56 * index;
    return {
      type: program.readUInt32LE(at),
      offset: u64(at + 8),
      address: u64(at + 16),
      size: Number(u64(at + 32)),
    };
  });
  const only = (type, what) => {
    const [found, ...others] = segments.filter((each) => each.type === type);
    if (found === undefined || others.length > 0) throw new Error(`the program has not one ${what}`);
    return found;
  };
  const dynamic = only(segment.dynamic, "dynamic section");
  const entries = new Map();
  for (let at = Number(dynamic.offset); at < Number(dynamic.offset) + dynamic.size; at += 16) {
    if (u64(at) === dynamicTag.null) break;
    entries.set(u64(at), { at, value: u64(at + 8) });
  }
  const flags = entries.get(dynamicTag.flags);
  const flags1 = entries.get(dynamicTag.flags1);
  if (entries.has(dynamicTag.runpath)) throw new Error("the program has a DT_RUNPATH already");
  if (flags?.value !== bindNow || ((flags1?.value ?? 0n) & flagNow) === 0n)
    throw new Error("the program has not the flags that were expected");
  const id = buildId(program, only(segment.note, "note segment"));
  id.bytes.fill(0).write("$ORIGIN", "latin1");
  program.writeBigUInt64LE(dynamicTag.runpath, flags.at);
  // From the table of strings; the loader only adds, so that what lies before the table is found by a number that wraps.
  program.writeBigUInt64LE(
    BigInt.asUintN(64, id.address - entries.get(dynamicTag.strings).value),
    flags.at + 8,
  );
}

function buildId(program, { offset, address, size }) {
  for (let at = 0; at + 12 <= size; ) {
    const here = Number(offset) + at;
    const [nameSize, length, type] = [0, 4, 8].map((more) => program.readUInt32LE(here + more));
    const start = 12 + Math.ceil(nameSize / 4) * 4;
    const isGnu = program.toString("latin1", here + 12, here + 16) === "GNU\0";
    if (isGnu && type === buildIdType && length >= 8)
      return {
        bytes: program.subarray(here + start, here + start + length),
        address: address + BigInt(at + start),
      };
    at += start + Math.ceil(length / 4) * 4;
  }
  throw new Error("the program has no build ID");
}
