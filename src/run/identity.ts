import { userInfo } from "node:os";
import { hostEnvironment } from "../util/surroundings.ts";

/** Who the program is in the container: the numbers it sees, and what its tables of users say of them. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Name of the user and of the group. */
  readonly name: string;
  /** Absolute. */
  readonly home: string;
}

/** Root of the container. */
export const fakeRoot: Identity = { uid: 0, gid: 0, name: "root", home: "/root" };

/** The user who runs this process, as far as this machine knows; numbers without a name are one's name themselves. */
export function ownIdentity(env: NodeJS.ProcessEnv = hostEnvironment()): Identity {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const known = knownUser();
  const home = [known?.homedir, env.HOME].find((path) => path?.startsWith("/") === true);
  return { uid, gid, name: known?.username ?? `user${uid}`, home: home ?? "/" };
}

/** Undefined when no table of the machine has this user, as in many containers and on some nodes of clusters. */
function knownUser(): { readonly username: string; readonly homedir: string } | undefined {
  try {
    return userInfo();
  } catch {
    return undefined;
  }
}
