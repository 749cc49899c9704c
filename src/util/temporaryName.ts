/** Names of unfinished files: `.tmp-<host>-<process>-<random>`. */
import { randomBytes } from "node:crypto";
import { hostTag } from "./processes.ts";

const pattern = /^\.tmp-([A-Za-z0-9_-]{0,64})-(\d{1,10})-[0-9a-f]{12}$/;

/** A new name. */
export function temporaryName(): string {
  return `.tmp-${hostTag}-${process.pid}-${randomBytes(6).toString("hex")}`;
}

/** Whose a temporary is; undefined for other names. */
export function temporaryOwner(name: string): { readonly host: string; readonly pid: number } | undefined {
  const [, host, pid] = pattern.exec(name) ?? [];
  return host === undefined || pid === undefined ? undefined : { host, pid: Number(pid) };
}
