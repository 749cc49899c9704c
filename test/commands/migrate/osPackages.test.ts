import { expect, it } from "vitest";
import { installedPackages, sortPackages } from "../../../src/commands/migrate/osPackages.ts";

function installs(line: string) {
  const words = line.split(" ").map((text) => ({ text }));
  return installedPackages({ words } as unknown as Parameters<typeof installedPackages>[0]);
}

it.each([
  ["apt-get install --yes libgomp1 curl", ["libgomp1", "curl"]],
  ["sudo apt install -t bookworm-backports git", ["git"]],
  ["DEBIAN_FRONTEND=noninteractive apt-get -qq install less", ["less"]],
  ["apk add --no-cache bash", ["bash"]],
  ["zypper in -y tcl", ["tcl"]],
  ["apt-get update", []],
  ["/usr/bin/dnf install gcc", ["gcc"]],
  ["echo install", undefined],
])("%s", (line, expected) => expect(installs(line)).toEqual(expected));

it("tells what runs from what only builds", () => {
  expect(sortPackages(["libgomp1", "gcc", "g++-12", "less=590-2", "make", "libssl-dev"])).toEqual({
    run: ["libgomp1", "less=590-2"],
    build: ["gcc", "g++-12", "make", "libssl-dev"],
  });
});
