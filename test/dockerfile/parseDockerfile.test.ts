import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDockerfile } from "../../src/dockerfile/parseDockerfile.ts";
import { SpacktainersError, SpacktainersErrors } from "../../src/util/errors.ts";

function errorsOf(text: string): readonly SpacktainersError[] {
  try {
    parseDockerfile(text, "Dockerfile.epilogue");
  } catch (error) {
    if (error instanceof SpacktainersErrors) return error.errors;
    if (error instanceof SpacktainersError) return [error];
    throw error;
  }
  return [];
}

function placed(text: string): readonly string[] {
  return errorsOf(text).map(({ code, place }) => `${code} ${place.file}:${place.line}:${place.column}`);
}

describe("parseDockerfile", () => {
  it("names every problem with its line and column", () => {
    expect(placed("ENV a=1\n  FROM x\nRUNN a\nCOPY --nope \\\n  --chmd=1 a b\nLABEL x=1 y\n")).toEqual([
      "NOT_SUPPORTED Dockerfile.epilogue:2:3",
      "DEFINITION_INVALID Dockerfile.epilogue:3:1",
      "DEFINITION_INVALID Dockerfile.epilogue:4:6",
      "DEFINITION_INVALID Dockerfile.epilogue:6:11",
    ]);
  });

  it("finds the column on a continued line", () => {
    expect(placed("RUN --network=none \\\n  --mount \\\n # c\n  x\n")).toEqual([
      "DEFINITION_INVALID Dockerfile.epilogue:2:3",
    ]);
    expect(parseDockerfile("COPY a \\\n  b \\\n# c\n\n   /d/\n", "f").instructions[0]).toMatchObject({
      line: 1,
      endLine: 5,
      sources: [
        { text: "a", line: 1, column: 6 },
        { text: "b", line: 2, column: 3 },
      ],
      destination: { text: "/d/", line: 5, column: 4 },
    });
  });

  it.each([
    ["ONBUILD RUN x", /no ONBUILD/],
    ["HEALTHCHECK CMD x", /no HEALTHCHECK/],
    ["COPY --from=builder /a /b", /copy from builder/],
    ["COPY --parents a /b", /--parents/],
    ["ADD --keep-git-dir=true a /b", /git/],
    ["RUN --security=insecure x", /insecure/],
    ["RUN --device=x x", /devices/],
  ])("refuses %s with a hint", (text, message) => {
    const [error, ...more] = errorsOf(`RUN a\n${text}\n`);
    expect(more).toEqual([]);
    expect(error?.code).toBe("NOT_SUPPORTED");
    expect(error?.message).toMatch(message);
    expect(error?.hint).toBeTruthy();
    expect(error?.place.line).toBe(2);
  });

  it("suggests what was meant", () => {
    expect(errorsOf("RUNN a\n")[0]?.hint).toMatch(/RUN/);
    expect(errorsOf("COPY --chowm=1 a b\n")[0]?.hint).toMatch(/chown/);
  });

  it("tells where a here-document without end begins", () => {
    expect(placed("RUN a\nRUN x && \\\n cat <<EOF\nb\n")).toEqual([
      "DEFINITION_INVALID Dockerfile.epilogue:3:6",
    ]);
  });

  it("never fails in another way", () => {
    const piece = fc.oneof(
      fc.constantFrom(
        "RUN ",
        "COPY ",
        "ENV ",
        "<<E",
        "\n",
        "\\\n",
        "E\n",
        '"',
        "'",
        "--x=",
        "[",
        "]",
        "$",
        " ",
      ),
      fc.string({ maxLength: 5, unit: "grapheme" }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        for (const { place } of errorsOf(pieces.join(""))) expect(place.line).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });
});
