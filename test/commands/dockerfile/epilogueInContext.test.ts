import { expect, it } from "vitest";
import { epilogueInContext } from "../../../src/commands/dockerfile/epilogueInContext.ts";

it("names what an epilogue copies from the folder of the whole Dockerfile", () => {
  const text = `ENV a=b
COPY --chmod=755 a b/*.txt \\
  /c \\
  /d/
ADD ["x y", "z", "/w/"]
ADD --checksum=sha256:${"0".repeat(64)} https://example.invalid/a /e
COPY <<EOF f /g/
a
EOF
RUN a
`;
  expect(epilogueInContext(text, "Dockerfile.epilogue", "defs/one")).toBe(`ENV a=b
COPY --chmod=755 defs/one/a defs/one/b/*.txt \\
  defs/one/c \\
  /d/
ADD ["defs/one/x y", "defs/one/z", "/w/"]
ADD --checksum=sha256:${"0".repeat(64)} https://example.invalid/a /e
COPY <<EOF defs/one/f /g/
a
EOF
RUN a
`);
});
