/**
 * Python's compiled files, `__pycache__/x.cpython-311.pyc`, are used only while the time and size of their source, `x.py`,
 * are those written in them (PEP 3147, PEP 552). Spack's archives keep no times, so that after an ordinary installation
 * Python compiles everything again at every start. We give sources the time back that their compiled files tell.
 */

/** What a compiled file says of its source. */
export interface BytecodeSource {
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Bytes. A source that relocation changed in size is compiled again, whatever its time. */
  readonly size: number;
}

/** Size in bytes of the header of a compiled file. */
export const bytecodeHeaderSize = 16;

const bytecodeName = /^((?:.*\/)?)__pycache__\/([^/]+?)\.[a-z]+-\d+(?:\.opt-[0-9a-z]+)?\.pyc$/;

/** Path of the source of a compiled file; undefined for other files. */
export function sourceOfBytecode(path: string): string | undefined {
  if (!path.endsWith(".pyc")) return undefined;
  const match = bytecodeName.exec(path);
  return match === null ? undefined : `${match[1]}${match[2]}.py`;
}

/** Reads the header of a compiled file; undefined when it does not go by time and size. */
export function readBytecodeHeader(head: Buffer): BytecodeSource | undefined {
  // Magic number with a line end in it, flags (0: by time and size), time, size.
  if (head.length < bytecodeHeaderSize || head[2] !== 0x0d || head[3] !== 0x0a) return undefined;
  if (head.readUInt32LE(4) !== 0) return undefined;
  return { mtime: head.readUInt32LE(8), size: head.readUInt32LE(12) };
}
