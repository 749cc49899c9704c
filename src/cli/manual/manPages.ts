import { toolVersion } from "../../util/toolVersion.ts";
import { commandModel } from "../commandModel.ts";
import { makeProgram } from "../program.ts";
import { verbs } from "../verbs.ts";
import { manPage, pageName } from "./manPage.ts";

/**
 * The manual: a page for the program and one for each verb, by the names of their files. `scripts/build.mjs` writes it.
 *
 * @param date day of the sources, `2026-01-31`; empty when it is not known
 */
export function manPages(date: string): ReadonlyMap<string, string> {
  const { program } = makeProgram(Object.values(verbs), { status: 0 });
  const whole = commandModel(program);
  const facts = { version: toolVersion(), date };
  const pages = [whole, ...whole.commands.filter(({ path }) => path[0] !== "help")];
  return new Map(
    pages.map((page) => {
      const others = page === whole ? pages.slice(1) : [whole];
      return [`${pageName(page)}.1`, manPage(page, others, facts)];
    }),
  );
}
