import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { nodeTrouble } from "../../src/util/nodeTrouble.ts";

const trouble = (version: string) => nodeTrouble(version, "/usr/bin/node");

describe("which Node.js will do", () => {
  it.each(["v20.19.0", "v20.20.2", "v22.12.0", "v22.23.5", "v23.0.0", "v24.0.0-nightly2024", "v26.12.1"])(
    "%s",
    (version) => expect(trouble(version)).toBeUndefined(),
  );

  // What 21 and the first of 22 lack is newer than what the last of 20 have.
  it.each(["v0.12.18", "v10.19.0", "v18.20.8", "v20.18.3", "v21.7.3", "v22.0.0", "v22.11.0"])(
    "not %s, and it is said what is needed, what is here, and where to get one",
    (version) => {
      expect(trouble(version)).toEqual({
        code: "NODE_TOO_OLD",
        message: `spacktainers needs Node.js 22.12 or newer, or 20.19 or a later 20; this is ${version} (/usr/bin/node)`,
        hint: expect.stringContaining("https://nodejs.org/en/download"),
      });
    },
  );

  it("is what the package says to npm", () => {
    const { engines } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      readonly engines: { readonly node: string };
    };
    expect(engines.node).toBe("^20.19.0 || >=22.12.0");
  });

  it("this one", () => expect(trouble(process.version)).toBeUndefined());
});
