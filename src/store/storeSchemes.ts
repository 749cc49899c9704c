import { openFileStore } from "./fileStore.ts";
import { openHttpStore } from "./httpStore.ts";
import { openS3Store } from "./s3Store.ts";
import type { Store, StoreOptions, StoreSource } from "./store.ts";

type OpenStore = (source: StoreSource, options: StoreOptions) => Store;

const openHttp: OpenStore = ({ url }, options) => openHttpStore(url, options);

/** What can be done in stores of a scheme, and how one is opened. */
interface StoreKind {
  readonly access: "read-write" | "read-only";
  readonly open: OpenStore;
}

/** The schemes of URLs that name stores. Opening a store reads nothing. */
export const storeSchemes = {
  file: { access: "read-write", open: ({ url }, options) => openFileStore(url, options) },
  http: { access: "read-only", open: openHttp },
  https: { access: "read-only", open: openHttp },
  s3: { access: "read-write", open: openS3Store },
} as const satisfies Record<string, StoreKind>;

export type StoreScheme = keyof typeof storeSchemes;

/** Whether URLs with a scheme, in lower case, name stores. */
export function isStoreScheme(scheme: string): scheme is StoreScheme {
  return Object.hasOwn(storeSchemes, scheme);
}
