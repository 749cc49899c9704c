/**
 * The schemes of URLs that name stores, and what can be done there. Each has its line in `openStore.ts`, too, which is loaded only
 * by what opens one.
 */
export const storeSchemes = {
  file: "read-write",
  http: "read-only",
  https: "read-only",
  s3: "read-write",
} as const satisfies Record<string, "read-write" | "read-only">;

export type StoreScheme = keyof typeof storeSchemes;

/** Whether URLs with a scheme, in lower case, name stores. */
export function isStoreScheme(scheme: string): scheme is StoreScheme {
  return Object.hasOwn(storeSchemes, scheme);
}
