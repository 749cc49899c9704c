import { expect, it } from "vitest";
import { sifPath } from "../../../src/commands/sif/sifPath.ts";

it("is a path, relative to the folder", () => {
  expect(sifPath("image.sif", "/work")).toBe("/work/image.sif");
  expect(sifPath("/a:b.sif", "/work")).toBe("/a:b.sif");
});

it.each(["oci:image", "oci-archive:a.tar", "docker-archive:a.tar", "docker://host/a", "oras://host/a"])(
  "is not %s, which `sif` converts",
  (text) => {
    expect(() => sifPath(text, "/work")).toThrow(
      expect.objectContaining({ code: "NOT_SUPPORTED", hint: `to make one: \`spacktainers sif ${text}\`` }),
    );
  },
);
