import { expect, it } from "vitest";
import { redactUrl } from "../../src/util/redact.ts";

it.each([
  ["https://host/a/b", "https://host/a/b"],
  ["https://user:secret@host:8443/a@1.0/b", "https://host:8443/a@1.0/b"],
  ["https://host/a?X-Amz-Signature=secret", "https://host/a"],
  ["https://host/a#secret", "https://host/a"],
  ["https://us@er:secret@host/a", "https://host/a"],
  ["s3://bucket/a", "s3://bucket/a"],
  ["s3://key:secret@bucket/a", "s3://bucket/a"],
  // Not URLs: what may be part of a password goes.
  ["https://user:sec/ret@host/a", "https://host/a"],
  ["https://user:sec?ret@host/a?token=secret", "https://host/a"],
  ["https://user:sec#ret@host/a", "https://host/a"],
  ["/some/path?x", "/some/path"],
  ["", ""],
])("%s becomes %s", (url, shown) => expect(redactUrl(url)).toBe(shown));
