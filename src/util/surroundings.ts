import { AsyncLocalStorage } from "node:async_hooks";

/** What work takes from the process around it. */
export interface Surroundings {
  /** Environment variables: proxies, credentials, the search path, what programs that are started inherit. Undefined: the process's. */
  readonly env: NodeJS.ProcessEnv | undefined;
  /** Where what can be made again is kept; undefined: as `cacheHome` finds it by the variables. */
  readonly cacheDirectory: string | undefined;
}

let scopes: AsyncLocalStorage<Surroundings> | undefined;

/**
 * The environment variables that the work which asks goes by: those of the {@link withSurroundings} that it is part of, else
 * those of the process.
 *
 * This is the one place below `cli` that reads `process.env` (`npm run walls` refuses others). The variables are wanted at the
 * leaves: every connection wants the proxies, every program that is started wants all of them. Passed as parameters, they would go
 * through nearly every function between a verb and those, which makes nothing clearer and is forgotten somewhere. Functions whose
 * answer is decided by a variable take `env` as a parameter, and only default to this.
 */
export function hostEnvironment(): NodeJS.ProcessEnv {
  return scopes?.getStore()?.env ?? process.env;
}

/** The variables that were given to {@link withSurroundings}, if any: for packages that would look at the process's. */
export function givenEnvironment(): NodeJS.ProcessEnv | undefined {
  return scopes?.getStore()?.env;
}

/** The cache folder that was given to {@link withSurroundings}, if any. */
export function givenCacheDirectory(): string | undefined {
  return scopes?.getStore()?.cacheDirectory;
}

/**
 * Does work in other surroundings than those of the process: it, and everything that it starts or waits for, sees them. Work that
 * goes on at the same time does not, so that one process can work with several.
 *
 * @param work started at once
 * @returns what `work` returns
 */
export function withSurroundings<T>(surroundings: Surroundings, work: () => T): T {
  // Made when first needed: while there is one, Node keeps account of every promise.
  scopes ??= new AsyncLocalStorage();
  return scopes.run(surroundings, work);
}

/**
 * Sets a variable of the process itself, where it is not set: for packages that look nowhere else. It must be one that nothing but
 * that package goes by.
 */
export function setProcessVariable(name: string, value: string): void {
  process.env[name] ??= value;
}
