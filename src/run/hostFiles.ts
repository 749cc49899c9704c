import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";

/** Longest wait for the machine's own name to be resolved, in milliseconds. */
const lookupLimit = 1000;

/**
 * Files by which a container knows the machine it is on: name resolution as outside, and the machine's own name always resolvable
 * (MPI libraries give up without it, and what resolves it on the machine is often a plug-in that the image lacks).
 *
 * @returns content by path in the container
 */
export async function hostFiles(network: "host" | "none"): Promise<ReadonlyMap<string, string>> {
  const name = hostname();
  const files = new Map([["etc/hostname", `${name}\n`]]);
  if (network === "none") {
    files.set("etc/hosts", `127.0.0.1\tlocalhost\n127.0.0.1\t${name}\n`);
    return files;
  }
  const hosts = await readText("/etc/hosts");
  const known = hosts.split("\n").some((line) => (line.split("#", 1)[0] ?? "").split(/\s+/).includes(name));
  files.set(
    "etc/hosts",
    known ? hosts : `${hosts.replace(/\n*$/, "\n")}${await ownAddress(name)}\t${name}\n`,
  );
  const resolv = await readText("/etc/resolv.conf");
  if (resolv !== "") files.set("etc/resolv.conf", resolv);
  return files;
}

async function ownAddress(name: string): Promise<string> {
  const limit = new Promise<undefined>((resolve) => {
    setTimeout(resolve, lookupLimit, undefined).unref();
  });
  const found = await Promise.race([lookup(name).catch(() => undefined), limit]);
  return found?.address ?? "127.0.0.1";
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
