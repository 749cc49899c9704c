/** Names of unfinished files: `.tmp-<host>-<process>-<random>`; `temporaryOwner` reads them. */
import { randomBytes } from "node:crypto";
import { hostTag } from "./processes.ts";

/** A new name. */
export function temporaryName(): string {
  return `.tmp-${hostTag}-${process.pid}-${randomBytes(6).toString("hex")}`;
}
