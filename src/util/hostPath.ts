import { hostEnvironment } from "./surroundings.ts";

/** The search path for the machine's programs: system tools are often in folders that are not on an ordinary user's. */
export function hostPath(): string {
  return [hostEnvironment().PATH, "/usr/sbin:/usr/bin:/sbin:/bin"].filter(Boolean).join(":");
}
