/** Podman and Docker: options by which the program is the user who runs us, in the container too. */
import { readFile } from "node:fs/promises";
import { SpacktainersError } from "../util/errors.ts";
import { findProgram, runTool } from "../util/tool.ts";
import type { ContainerProcess } from "./types.ts";

/** What the options depend on, beside the container. */
export interface UserLookup {
  readonly own: () => number;
  readonly hasSubordinates: (name: string, uid: number) => Promise<boolean>;
}

const machineFacts: UserLookup = { own: () => process.getuid?.() ?? 0, hasSubordinates };

/**
 * The options. Engines make everybody root of the container by themselves, which for Podman and for Docker without root means the user,
 * but not by number: programs that ask who they are, and launchers that ask who their ranks are (PMIx), get the wrong answer.
 *
 * @param engine Podman when Docker's name stands for it
 * @param facts who runs us, and whether this machine gives that user subordinate numbers; for tests
 * @throws SpacktainersError NOT_SUPPORTED: ranks of a PMIx launcher must keep their number, and this Docker cannot
 */
export async function engineUserOptions(
  engine: "podman" | "docker",
  program: string,
  container: Pick<ContainerProcess, "user" | "fakeroot" | "env" | "extraEnv" | "binds">,
  facts: UserLookup = machineFacts,
): Promise<readonly string[]> {
  const { uid, gid } = container.user;
  if (container.fakeroot || facts.own() === 0) return [];
  if (engine === "podman") {
    // Without subordinate numbers there is no other user, and Podman's own option for it does not work.
    const single = [
      `--uidmap=${uid}:0:1`,
      `--gidmap=${gid}:0:1`,
      `--user=${uid}:${gid}`,
      ...homeVariable(container),
    ];
    return [
      ...((await facts.hasSubordinates(container.user.name, uid)) ? ["--userns=keep-id"] : single),
      ...homePlace(container),
    ];
  }
  if (await isRootless(program)) {
    if (container.extraEnv.has("PMIX_RANK"))
      throw new SpacktainersError(
        "NOT_SUPPORTED",
        "Docker without root makes every program root, and PMIx takes no rank that is not its user",
        { hint: "use Podman, Apptainer or spacktainers' own runner (--with)" },
      );
    return [];
  }
  return [`--user=${uid}:${gid}`, ...homePlace(container), ...homeVariable(container)];
}

/** A home directory to write to, at the path of the user's own, unless that is shown. */
function homePlace({ user, binds }: Pick<ContainerProcess, "user" | "binds">): readonly string[] {
  const { home } = user;
  const isShown = binds.some(({ target }) => home === target || home.startsWith(`${target}/`));
  return home === "/" || home.includes(":") || isShown ? [] : [`--tmpfs=${home}`];
}

/** For engines that do not find it by themselves. */
function homeVariable({ user, env }: Pick<ContainerProcess, "user" | "env">): readonly string[] {
  return env.has("HOME") ? [] : [`--env=HOME=${user.home}`];
}

/** Whether the user has subordinate numbers, of users and groups (subuid(5), subgid(5)). */
async function hasSubordinates(name: string, uid: number): Promise<boolean> {
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    const text = await readFile(file, "utf8").catch(() => "");
    const isListed = text.split("\n").some((line) => [name, String(uid)].includes(line.split(":")[0] ?? ""));
    if (!isListed && !(await isElsewhere(name, file === "/etc/subgid"))) return false;
  }
  return true;
}

/** The tables may be a directory service's (nsswitch.conf(5)). */
async function isElsewhere(name: string, groups: boolean): Promise<boolean> {
  const program = await findProgram("getsubids");
  if (program === undefined) return false;
  const asked = await runTool([program, ...(groups ? ["-g"] : []), name], { timeout: 30_000 });
  return asked.status === 0 && asked.stdout.trim() !== "";
}

async function isRootless(docker: string): Promise<boolean> {
  const asked = await runTool([docker, "info", "--format", "{{json .SecurityOptions}}"], { timeout: 30_000 });
  return asked.stdout.includes("name=rootless");
}

/** What really answers to an engine's name: Podman is often installed under Docker's. */
export async function engineBehind(
  engine: "podman" | "docker",
  program: string,
): Promise<"podman" | "docker"> {
  if (engine === "podman") return engine;
  const said = await runTool([program, "--version"], { timeout: 30_000 });
  return /\bpodman\b/i.test(said.stdout) ? "podman" : "docker";
}
