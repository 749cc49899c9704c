import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { osReleaseOf, parseOsRelease } from "../../src/base/osRelease.ts";

describe("os-release", () => {
  it("is read with and without quotes", () => {
    const text = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME='bookworm'\n# ID=other\n`;
    expect(parseOsRelease(text)).toEqual({ id: "debian", versionId: "12", codename: "bookworm" });
    expect(parseOsRelease("ID=arch\n")).toEqual({ id: "arch", versionId: undefined, codename: undefined });
  });

  it("without a name is none, whatever else is in it", () => {
    expect(parseOsRelease('ID=""\n')).toBeUndefined();
    expect(parseOsRelease('ID="a b$(c)"\n')).toBeUndefined();
    fc.assert(
      fc.property(
        fc.string(),
        (text) => void expect(parseOsRelease(`X=${text}`)?.id ?? "").toMatch(/^[\w.-]*$/),
      ),
    );
  });

  it("is taken from /etc first", () => {
    const entry = (path: string, text?: string) =>
      ({ path, type: "file", mode: 0o644, size: 1, ...(text === undefined ? {} : { text }) }) as const;
    expect(osReleaseOf({ entries: [entry("usr/lib/os-release", "ID=b")] })?.id).toBe("b");
    expect(
      osReleaseOf({ entries: [entry("etc/os-release", "ID=a"), entry("usr/lib/os-release", "ID=b")] })?.id,
    ).toBe("a");
    expect(osReleaseOf({ entries: [entry("etc/os-release")] })).toBeUndefined();
  });
});
