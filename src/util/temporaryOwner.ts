const pattern = /^\.tmp-([A-Za-z0-9_-]{0,64})-(\d{1,10})-[0-9a-f]{12}$/;

/** Whose a temporary is, by its name `.tmp-<host>-<process>-<random>`; undefined for other names. */
export function temporaryOwner(name: string): { readonly host: string; readonly pid: number } | undefined {
  const [, host, pid] = pattern.exec(name) ?? [];
  return host === undefined || pid === undefined ? undefined : { host, pid: Number(pid) };
}
