import { gzipSync } from "node:zlib";
import { buildTar } from "./tarBuilder.ts";
import { type TestPackage, testPackage } from "./testCache.ts";

/**
 * A package whose archive says where it was built, as Spack's do, followed by much that nobody needs to see for that.
 *
 * @param root install tree of the machine that built it, absolute
 */
export function builtPackage(root: string, name: string, number: number): TestPackage {
  const { hash, version } = testPackage(name, number);
  const prefix = `${root}/${name}-${version}-${hash}`.slice(1);
  const parts = prefix.split("/");
  const folders = parts.map((_, at) => ({ name: parts.slice(0, at + 1).join("/"), type: "5", mode: 0o755 }));
  const noise = Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * 7919 * (at >> 7)) & 255));
  const tar = buildTar([...folders, { name: `${prefix}/bin/${name}`, body: noise }]);
  return { name, version, hash, archive: gzipSync(tar) };
}
