import { runnerTrouble } from "../support/runner.ts";

export const trouble = runnerTrouble();

/** How long to wait for what happens by itself, on however busy a machine; in milliseconds. */
export const patience = { timeout: 60_000, interval: 50 };

export const programs = [
  ...["bash", "sh", "cat", "ls", "env", "id", "sleep", "stat", "touch", "rm", "mv", "mkdir", "head", "wc"],
  ...["readlink", "ps", "tr", "tty"],
];

export const users =
  process.getuid?.() === 0
    ? [{ who: "root" }, { who: "an ordinary user", uid: 54321 }]
    : [{ who: "this user" }];
