/** Digests and hashes in documents that are read with zod. */
import * as z from "zod";
import { parseDigest } from "../util/digest.ts";
import { parseDagHash } from "./concrete.ts";

/** A digest as OCI writes it; a `Digest` when read. */
export const digestSchema = z.string().transform((text, context) => {
  const parsed = parseDigest(text);
  if (parsed !== undefined) return parsed;
  context.addIssue("must be `sha256:` and 64 hexadecimal digits");
  return z.NEVER;
});

/** The hash of a concrete spec; a `DagHash` when read. */
export const dagHashSchema = z.string().transform((text, context) => {
  const parsed = parseDagHash(text);
  if (parsed !== undefined) return parsed;
  context.addIssue("must be a hash of 32 characters");
  return z.NEVER;
});
