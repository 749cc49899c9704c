import { setTimeout as wait } from "node:timers/promises";
import { expect, it } from "vitest";
import { cacheHome } from "../../src/util/cacheHome.ts";
import { hostPath } from "../../src/util/hostPath.ts";
import { hostEnvironment, withSurroundings } from "../../src/util/surroundings.ts";
import { runTool } from "../../src/util/tool.ts";

it("is the process where nothing else was given", () => {
  expect(hostEnvironment()).toBe(process.env);
  expect(withSurroundings({ env: undefined, cacheDirectory: "/c" }, hostEnvironment)).toBe(process.env);
});

it("keeps surroundings of work at the same time apart, across what is waited for", async () => {
  const seen = async (name: string) =>
    withSurroundings(
      { env: { NAME: name, PATH: `/${name}` }, cacheDirectory: `/cache/${name}` },
      async () => {
        await wait(1);
        return [hostEnvironment().NAME, hostPath().split(":")[0], cacheHome()];
      },
    );
  expect(await Promise.all([seen("a"), seen("b")])).toEqual([
    ["a", "/a", "/cache/a"],
    ["b", "/b", "/cache/b"],
  ]);
});

it("finds the cache folder by the variables given, and by those asked about before all", () => {
  const env = { XDG_CACHE_HOME: "/x" };
  expect(withSurroundings({ env, cacheDirectory: undefined }, cacheHome)).toBe("/x/spacktainers");
  expect(withSurroundings({ env, cacheDirectory: "/c" }, () => cacheHome({ XDG_CACHE_HOME: "/y" }))).toBe(
    "/y/spacktainers",
  );
});

it("is what programs that are started see", async () => {
  const told = await withSurroundings({ env: { GREETING: "hello" }, cacheDirectory: undefined }, () =>
    runTool([process.execPath, "-p", "process.env.GREETING"], { timeout: 30_000 }),
  );
  expect(told.stdout).toBe("hello\n");
});
