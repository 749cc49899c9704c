/** Chromium for tests, where it is installed (Debian's package `chromium`): nothing is downloaded. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { commandExists } from "./commandExists.ts";

const program = ["chromium", "chromium-browser", "google-chrome"].find(commandExists);

/** Why no browser can be used here, or undefined. */
export const browserTrouble = program === undefined ? "chromium is not installed" : undefined;

/** Starts a browser without a window. */
export async function startBrowser(): Promise<Browser> {
  const { execFileSync } = await import("node:child_process");
  const path = execFileSync("sh", ["-c", 'command -v "$1"', "sh", program ?? ""], {
    encoding: "utf8",
  }).trim();
  return chromium.launch({
    executablePath: path,
    headless: true,
    // A machine that does other work as well.
    timeout: 120_000,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A page, and what went wrong on it. */
export interface WatchedPage {
  readonly page: Page;
  /** Messages of the console that are no information, errors that nothing caught, requests that failed. */
  readonly troubles: readonly string[];
  /** Addresses that were asked for. */
  readonly requests: readonly string[];
}

/** Opens an address in a context of its own, with nothing remembered. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  const troubles: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) troubles.push(message.text());
  });
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("requestfailed", (request) => troubles.push(`failed: ${request.url()}`));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(url);
  return { page, troubles, requests };
}

const axe = resolve(import.meta.dirname, "../../node_modules/axe-core/axe.min.js");

/** What axe finds that keeps people from using the page; empty when it is as it should be. */
export async function axeViolations(page: Page): Promise<readonly string[]> {
  // By the debugger: the page itself allows no scripts but its own.
  await page.evaluate(readFileSync(axe, "utf8"));
  const found: unknown = await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'], preload: false })",
  );
  const { violations } = found as {
    readonly violations: readonly {
      readonly id: string;
      readonly help: string;
      readonly nodes: readonly { readonly html: string }[];
    }[];
  };
  return violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes
        .map(({ html }) => html)
        .join(" | ")
        .slice(0, 400)}`,
  );
}
