import type { Configuration } from "../../definitions/configuration.ts";

/** The moment that the base's packages are of, where the configuration names one; seconds since 1970. */
export function snapshotTime(base: Configuration["base"]): readonly number[] {
  if (base.kind !== "debian" || base.snapshot === undefined) return [];
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(base.snapshot) ?? [];
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000;
  return Number.isFinite(time) ? [time] : [];
}
