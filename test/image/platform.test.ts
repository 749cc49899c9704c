import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Platform } from "../../src/archive/oci/types.ts";
import { normalizePlatform, platformRank } from "../../src/image/platform.ts";

function parsePlatform(text: string): Platform {
  const [os = "", architecture = "", variant] = text.split("/");
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** The best of several, of equals the first. */
function best(offered: readonly string[], wanted: readonly string[]): string | undefined {
  const rankOf = platformRank(wanted.map(parsePlatform));
  const ranked = offered.flatMap((text) => {
    const rank = rankOf(parsePlatform(text));
    return rank === undefined ? [] : [{ text, rank }];
  });
  return ranked.sort((a, b) => a.rank - b.rank)[0]?.text;
}

describe("platformRank", () => {
  it.each([
    ["linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"],
    ["linux/amd64", ["linux/amd64/v3", "linux/amd64/v1"], "linux/amd64/v1"],
    ["linux/amd64", ["linux/amd64/v3"], undefined],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"],
    ["linux/amd64/v3", ["linux/amd64"], "linux/amd64"],
    ["linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], "linux/arm64/v8"],
    ["linux/arm64/v8", ["linux/arm64"], "linux/arm64"],
    ["linux/arm64/v9", ["linux/arm64/v8", "linux/arm64"], "linux/arm64/v8"],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"],
    ["linux/arm", ["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7"],
    ["linux/x86_64", ["linux/amd64"], "linux/amd64"],
    ["linux/aarch64", ["linux/arm64/8"], "linux/arm64/8"],
    ["linux/ppc64le", ["linux/ppc64le"], "linux/ppc64le"],
    ["linux/riscv64/x", ["linux/riscv64"], undefined],
    ["linux/amd64", ["windows/amd64", "unknown/unknown"], undefined],
    ["linux/amd64", [], undefined],
  ])("for %s of %j: %s", (wanted, offered, chosen) => {
    expect(best(offered, [wanted])).toBe(chosen);
  });

  it("prefers all that does for what was named first", () => {
    expect(best(["linux/arm64", "linux/amd64"], ["linux/amd64", "linux/arm64"])).toBe("linux/amd64");
    expect(best(["linux/arm64/v8"], ["linux/amd64", "linux/arm64"])).toBe("linux/arm64/v8");
    expect(best(["linux/amd64", "linux/arm64"], ["linux/arm64/v9", "linux/amd64/v3"])).toBe("linux/arm64");
  });

  it("takes what is wanted exactly where it is there, and nothing of another architecture", () => {
    const platforms = fc.constantFrom(
      ...["amd64", "amd64/v2", "amd64/v3", "arm64", "arm64/v9", "arm/v6", "arm/v7", "s390x"].map(
        (text) => `linux/${text}`,
      ),
    );
    fc.assert(
      fc.property(fc.array(platforms), platforms, (offered, wanted) => {
        const chosen = best(offered, [wanted]);
        if (offered.includes(wanted)) expect(chosen).toBe(wanted);
        if (chosen !== undefined) expect(chosen.split("/")[1]).toBe(wanted.split("/")[1]);
        const platform = normalizePlatform(parsePlatform(wanted));
        expect(normalizePlatform(platform)).toEqual(platform);
      }),
    );
  });
});
