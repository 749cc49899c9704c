import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { madeOnce } from "../../src/run/madeOnce.ts";

describe("what several processes need", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "made-once-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });
  const context = { emit: () => {} };
  const shared = (isThere: () => Promise<boolean>, make: () => Promise<void>) => ({
    lock: join(directory, ".lock"),
    what: "making it",
    isThere,
    make,
  });

  it("is made by one of many that start together", async () => {
    let made = 0;
    const one = shared(
      async () => made > 0,
      async () => {
        made++;
      },
    );
    await Promise.all(Array.from({ length: 20 }, () => madeOnce(one, context)));
    expect(made).toBe(1);
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is not made again when another finished between the question and the lock", async () => {
    let asked = 0;
    let made = 0;
    await madeOnce(
      shared(
        async () => ++asked > 1,
        async () => {
          made++;
        },
      ),
      context,
    );
    expect(made).toBe(0);
  });

  it("is there after an error that says that another was faster", async () => {
    let there = false;
    await madeOnce(
      shared(
        async () => there,
        async () => {
          there = true;
          throw Object.assign(new Error("not empty"), { code: "ENOTEMPTY" });
        },
      ),
      context,
    );
    await expect(
      madeOnce(
        shared(
          async () => false,
          async () => {
            throw Object.assign(new Error("exists"), { code: "EEXIST" });
          },
        ),
        context,
      ),
    ).rejects.toThrow("exists");
    expect(readdirSync(directory)).toEqual([]);
  });

  it("is tried by the next one when the first fails", async () => {
    let tries = 0;
    let there = false;
    const one = shared(
      async () => there,
      async () => {
        if (++tries === 1) throw new Error("the first fails");
        there = true;
      },
    );
    const ends = await Promise.allSettled([madeOnce(one, context), madeOnce(one, context)]);
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(tries).toBe(2);
  });
});
