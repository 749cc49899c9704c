import { readFileSync } from "node:fs";
import { packageFile } from "./packageFile.ts";

/** The version of this program. */
export function toolVersion(): string {
  const text = readFileSync(packageFile("package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
