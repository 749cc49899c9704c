/** Builds package archives for tests, hostile ones too: whatever is asked for is written, however wrong. */
import { gzipSync } from "node:zlib";

export interface TarMember {
  readonly name: string;
  /** Type flag: "0" file (default), "1" hard link, "2" symbolic link, "3".."6" devices, directories, FIFOs. */
  readonly type?: string;
  readonly body?: Uint8Array | string;
  readonly link?: string;
  readonly mode?: number;
  /** Records of the extended header. */
  readonly pax?: Readonly<Record<string, string>>;
  /** A size other than the body's. */
  readonly size?: number;
}

/** A tar archive, long names as PAX records. */
export function buildTar(members: readonly TarMember[]): Buffer {
  const blocks: Buffer[] = [];
  for (const member of members) {
    const body = Buffer.from(member.body ?? "");
    const records = [
      ...Object.entries(member.pax ?? {}),
      ...(member.name.length > 100 ? [["path", member.name]] : []),
      ...((member.link?.length ?? 0) > 100 ? [["linkpath", member.link ?? ""]] : []),
    ];
    if (records.length > 0) {
      const text = Buffer.concat(records.map(([key = "", value = ""]) => paxRecord(key, value)));
      blocks.push(header({ name: "pax", type: "x" }, text.length), padded(text));
    }
    blocks.push(header(member, member.size ?? body.length), padded(body));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function paxRecord(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  length += String(length + String(length).length).length;
  return Buffer.from(`${length}${rest}`);
}

function padded(body: Buffer): Buffer {
  return Buffer.concat([body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

function header(member: TarMember, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(member.name.slice(0, 100), 0, "latin1");
  block.write(`${(member.mode ?? 0o644).toString(8).padStart(7, "0")}\0`, 100);
  block.write("0000000\0".repeat(2), 108);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(member.type ?? "0", 156);
  block.write((member.link ?? "").slice(0, 100), 157, "latin1");
  block.write("ustar\x0000", 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A package to be packed as Spack does it. */
export interface PackageRecipe {
  /** Absolute prefix at build time. */
  readonly prefix: string;
  /** Members with names relative to the prefix, in order; directories above them are added. */
  readonly members: readonly TarMember[];
  readonly buildinfo: Readonly<Record<string, unknown>>;
  /** Members with names as they are, added before the last one. */
  readonly raw?: readonly TarMember[];
}

/** The bytes of a `.spack` archive (before compression). */
export function buildPackageTar(recipe: PackageRecipe): Buffer {
  const prefix = recipe.prefix.slice(1);
  const seen = new Set<string>();
  const members: TarMember[] = [];
  const directory = (path: string): void => {
    if (path === "" || seen.has(path)) return;
    directory(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
    seen.add(path);
    members.push({ name: path, type: "5", mode: 0o755 });
  };
  const add = (member: TarMember): void => {
    const name = `${prefix}/${member.name}`;
    if (member.type === "5") directory(name);
    else {
      directory(name.slice(0, name.lastIndexOf("/")));
      members.push({ ...member, name, ...(member.type === "1" && { link: `${prefix}/${member.link}` }) });
    }
  };
  directory(prefix);
  for (const member of recipe.members) add(member);
  directory(`${prefix}/.spack`);
  members.push(...(recipe.raw ?? []));
  add({ name: ".spack/binary_distribution", body: JSON.stringify(recipe.buildinfo) });
  return buildTar(members);
}

/** The bytes of a `.spack` archive. */
export function buildPackage(recipe: PackageRecipe): Buffer {
  return gzipSync(buildPackageTar(recipe));
}
