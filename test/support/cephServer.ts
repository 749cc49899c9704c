/** An S3 server that checks who asks (the gateway of Ceph, on a cluster of one disk in memory), where it is installed. */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type S3Server, s3ServerAt } from "./s3Server.ts";
import { freePort, listening, runs } from "./staticServer.ts";

/** Whether Ceph can be started here. */
export function hasCephServer(): boolean {
  const programs = ["radosgw", "ceph-mon", "ceph-mgr", "ceph-osd", "ceph"];
  return process.getuid?.() === 0 && programs.every((program) => runs(program, ["--version"]));
}

/** Starts a cluster and its gateway with one bucket. Takes some fifteen seconds. */
export async function startCephServer(bucket: string): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), "spacktainers-ceph-"));
  const [monitor, gateway] = [await freePort(), await freePort()];
  const cluster = randomUUID();
  const configuration = join(folder, "ceph.conf");
  const keyring = join(folder, "keyring");
  for (const name of ["mon", "mgr", "osd", "rgw", "run", "log"]) mkdirSync(join(folder, name));
  const address = `[v1:127.0.0.1:${monitor}]`;
  writeFileSync(
    configuration,
    `[global]
fsid = ${cluster}
mon host = ${address}
mon initial members = a
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail crit = 1
run dir = ${folder}/run
log file = ${folder}/log/$name.log
pid file = ${folder}/run/$name.pid
admin socket = ${folder}/run/$name.asok
setuser match path = /nonexistent
keyring = ${keyring}
[mon.a]
mon data = ${folder}/mon
[mgr.x]
mgr data = ${folder}/mgr
[osd.0]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
[client.rgw]
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${gateway}
`,
  );
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const ceph = (program: string, ...args: string[]): string => run(program, "-c", configuration, ...args);
  const user = { accessKeyId: "AKIAREADER", secretAccessKey: "the-secret" };

  const stop = (): void => {
    for (const name of readdirSync(join(folder, "run")).filter((file) => file.endsWith(".pid"))) {
      try {
        process.kill(Number(readFileSync(join(folder, "run", name), "utf8").trim()), "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const may = (...services: string[]): string[] =>
      services.flatMap((service) => ["--cap", service, "allow *"]);
    run("ceph-authtool", "-C", keyring, "-n", "mon.", "--gen-key", ...may("mon"));
    for (const name of ["client.admin", "client.rgw", "mgr.x", "osd.0"])
      run("ceph-authtool", keyring, "-n", name, "--gen-key", ...may("mon", "osd", "mgr", "mds"));
    run("monmaptool", "--create", "--addv", "a", address, "--fsid", cluster, join(folder, "map"));
    ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", join(folder, "map"), "--keyring", keyring);
    ceph("ceph-mon", "-i", "a");
    ceph("ceph-mgr", "-i", "x");
    const disk = randomUUID();
    ceph("ceph", "osd", "new", disk);
    ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk);
    cpSync(keyring, join(folder, "osd/keyring"));
    ceph("ceph-osd", "-i", "0");
    for (let attempt = 0; !ceph("ceph", "osd", "stat").includes("1 up"); attempt++) {
      if (attempt > 100) throw new Error("Ceph's disk does not come up");
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    ceph("radosgw", "-n", "client.rgw");
    await listening(`http://127.0.0.1:${gateway}/`);
    const key = ["--access-key", user.accessKeyId, "--secret-key", user.secretAccessKey];
    ceph("radosgw-admin", "user", "create", "--uid", "reader", "--display-name", "reader", ...key);
    const server = await s3ServerAt(`http://127.0.0.1:${gateway}`, bucket, user);
    return {
      ...server,
      requireUser: async () => user,
      async close() {
        server.client.destroy();
        stop();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}
