import { expect, test } from "vitest";
import { isLicenseExpression } from "../../../src/pipeline/assemble/licenseLookup.ts";

test.each(["MIT", "Apache-2.0 OR MIT", "GPL-2.0-only WITH Classpath-exception-2.0"])("%s is one", (text) => {
  expect(isLicenseExpression(text)).toBe(true);
});

test.each(["", "as you like", "MIT OR"])("%j is none", (text) => {
  expect(isLicenseExpression(text)).toBe(false);
});
