/** What the parts of this module tell one another about who asks. */
/** Kinds of registries that need something of their own. */
export type RegistryType = "oci" | "ecr" | "ghcr";

/** A user's name and password. */
export interface UserCredentials {
  readonly username: string;
  readonly password: string;
}

/** Credentials, and what is to be known about them. Never in a log or an error. */
export type Credentials = (
  | ({ readonly kind: "user" } & UserCredentials)
  /** An OAuth 2.0 refresh token, for which a token server gives access tokens. */
  | { readonly kind: "identity"; readonly token: string }
  /** An access token for the registry itself. */
  | { readonly kind: "bearer"; readonly token: string }
) & {
  /** Where they are from, for hints: `the configuration`, a file, a variable. */
  readonly origin: string;
  /** They were not meant for this registry in particular: where they are refused, one may ask without. */
  readonly ambient?: boolean;
  /** Milliseconds since 1970; undefined: not known to end. */
  readonly expiresAt?: number | undefined;
};
