/** What tests of `rebase` start from: a repository whose images stand on a small base, and machines that know nothing. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CommandResult, makeWorkplace, type Workplace } from "./cli.ts";
import { jsonLines } from "./cliChecks.ts";
import { makeDemoRepository } from "./demoCache.ts";
import { demoLibraries, smallBase, smallBaseAllows } from "./smallBase.ts";

/** A row of `rebase --json`. */
export interface RebaseRow {
  readonly arch: string;
  readonly upToDate: boolean;
  readonly digest?: string;
  readonly base: { readonly before: string; readonly after: string };
  readonly changes?: readonly { readonly name: string; readonly before?: string; readonly after?: string }[];
  readonly layers: number;
  readonly pushed: readonly {
    readonly digest: string;
    readonly tags: readonly string[];
    readonly upToDate: boolean;
    readonly failed: boolean;
    readonly layers: Readonly<Record<string, number>>;
  }[];
}

export function rebaseRows(result: CommandResult): readonly RebaseRow[] {
  return jsonLines(result).filter(({ type }) => type === "result") as unknown as readonly RebaseRow[];
}

export const oldBase = smallBase({ packages: { libc6: "2.36-9+deb12u8", "libgcc-s1": "12.2.0-14" } });
export const patchedBase = smallBase({
  packages: { libc6: "2.36-9+deb12u9", tzdata: "2025a" },
  // The loader's cache is another one with it.
  libraries: [...demoLibraries, "libextra.so.1"],
});

/** A repository whose images stand on `base.tar`. */
export function rebasingPlace(
  host: string | undefined,
  { allow = smallBaseAllows, more = "" }: { readonly allow?: readonly string[]; readonly more?: string } = {},
): Workplace {
  const work = makeWorkplace();
  makeDemoRepository(work);
  const registries =
    host === undefined ? "" : `registries: [{url: "${host}/org", repository: "spack-{name}"}]\n`;
  writeFileSync(
    work.path("spacktainers.yaml"),
    `caches:\n- {url: cache, trust: [cache.pub]}\nbase: {rootfs: base.tar}\nlinkage: {allow-unresolved: ${JSON.stringify(allow)}}\n${registries}${more}`,
  );
  writeFileSync(work.path("base.tar"), oldBase);
  return work;
}

/** A machine with nothing but the registry and the base: no definition, no caches, nothing kept. */
export function bareMachine(work: Workplace): { readonly env: NodeJS.ProcessEnv; readonly cwd: string } {
  const directory = work.path(`bare-${Math.random().toString(36).slice(2)}`);
  mkdirSync(directory);
  return { env: { XDG_CACHE_HOME: join(directory, "home") }, cwd: directory };
}
