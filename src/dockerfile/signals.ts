import { constants } from "node:os";

/** Whether STOPSIGNAL can have it: `SIGTERM`, `term`, `15`, `RTMIN+3`. */
export function isSignal(text: string): boolean {
  if (/^\d{1,3}$/.test(text)) return Number(text) >= 1 && Number(text) <= 64;
  const name = text.toUpperCase().replace(/^SIG/, "");
  if (/^RTM(?:IN(?:\+(?:[0-9]|1[0-5]))?|AX(?:-(?:[0-9]|1[0-4]))?)$/.test(name)) return true;
  return `SIG${name}` in constants.signals;
}
