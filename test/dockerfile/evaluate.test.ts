import { describe, expect, it } from "vitest";
import { evaluate } from "../../src/dockerfile/evaluate.ts";
import { parseDockerfile } from "../../src/dockerfile/parseDockerfile.ts";
import { baseSettings } from "../support/epilogueBase.ts";

function steps(text: string, given: Readonly<Record<string, string>> = {}, isTrial = false) {
  return evaluate(parseDockerfile(text, "f"), {
    settings: baseSettings,
    arguments: new Map(Object.entries(given)),
    architecture: "arm64",
    isTrial,
  });
}

describe("evaluate", () => {
  it("takes values given for ARG over defaults, and tells which are asked for by nobody", () => {
    const { settings, unusedArguments } = steps("ARG A=1 B=$A\nARG TARGETARCH\nENV X=$A-$B-$TARGETARCH\n", {
      A: "2",
      C: "3",
      http_proxy: "p",
    });
    expect(settings.env.get("X")).toBe("2-2-arm64");
    expect(unusedArguments).toEqual(["C"]);
  });

  it("sees variables of one ENV as they were before it", () => {
    const { settings } = steps("ENV A=1\nENV A=2 B=$A\n");
    expect(settings.env.get("B")).toBe("1");
  });

  it("gives commands ENV and ARG, and proxies though nobody declares them", () => {
    const change = steps("ARG A=1\nENV B=2\nRUN x\n", { HTTP_PROXY: "p" }).steps.at(-1)?.change;
    expect(change).toMatchObject({ kind: "run", argv: ["/bin/sh", "-c", "x"] });
    const env = change?.kind === "run" ? change.env : new Map();
    expect([env.get("A"), env.get("B"), env.get("HTTP_PROXY")]).toEqual(["1", "2", "p"]);
  });

  it("makes files of here-documents, and scripts of those that name their program", () => {
    const { steps: all } = steps(
      "RUN <<EOF\necho $A\nEOF\nRUN <<S\n#!/bin/x\nhi\nS\nRUN cat <<A <<-B\n1\nA\n\t2\nB\n",
    );
    expect(all.map(({ change }) => (change?.kind === "run" ? [change.argv, change.script] : []))).toEqual([
      [["/bin/sh", "-c", "echo $A\n"], undefined],
      [["/run/.pipes/S"], { name: "S", content: "#!/bin/x\nhi\n" }],
      [["/bin/sh", "-c", "cat <<A <<-B\n1\nA\n\t2\nB"], undefined],
    ]);
  });

  it("names variables that nobody sets", () => {
    expect(steps("ENV A=$X${Y:-1}\nCOPY a /$A\n").steps.map(({ unset }) => unset)).toEqual([["X", "Y"], []]);
  });

  it("knows in a trial what depends on the image", () => {
    const { steps: all } = steps(
      "ENV P=$UNKNOWN:x Q=1\nCOPY $Q /a\nCOPY $P /b\nENV P=1\nCOPY $P /c\nUSER $UNKNOWN\n",
      {},
      true,
    );
    expect(all.map(({ isUncertain }) => isUncertain)).toEqual([true, true, true, false, false, true]);
  });

  it.each([
    ["STOPSIGNAL SIGNOTHING", /not a signal/],
    ["EXPOSE 70000", /not a port/],
    ["COPY --chmod=8 a /b", /not a mode/],
    ["ENV A=${", /A|\}|name/],
    ["ENV A=${X:?given}", /X: given/],
    ["USER $NOBODY", /USER needs/],
    ["RUN --mount=type=cache x", /needs a target/],
    ["RUN --mount=type=bind,source=a,target=/b,rw x", /cannot be written/],
    ["RUN --mount=type=tmpfs,target=/ x", /nothing can be mounted on/],
    ["RUN --mount=type=secret,id=a x", /no secret/],
    ["RUN --mount=type=tmpfs,target=/a,id=b x", /has no id/],
  ])("refuses %s at its line", (line, message) => {
    expect(() => steps(`ENV a=b\n${line}\n`)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(message),
        place: expect.objectContaining({ file: "f", line: 2 }),
      }),
    );
  });
});
