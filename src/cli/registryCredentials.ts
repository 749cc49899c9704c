import type { FindCredentials } from "../pipeline/pullContainer.ts";

/**
 * Finds the name and password for a registry. Undefined: none but those that the configuration names; runtimes then use what they
 * themselves are logged in with.
 */
export const registryCredentials: FindCredentials | undefined = undefined;
