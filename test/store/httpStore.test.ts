import { afterAll, beforeAll, expect, it } from "vitest";
import { openHttpStore } from "../../src/store/httpStore.ts";
import { ignoreEvents } from "../../src/util/events.ts";
import { answer, type FaultServer, startFaultServer } from "../support/faultServer.ts";
import { describeStore } from "../support/storeConformance.ts";

const options = { emit: ignoreEvents, signal: undefined, retries: 1, retryDelayMs: 1 };
let server: FaultServer;
beforeAll(async () => {
  server = await startFaultServer();
});
afterAll(() => server.close());

describeStore("a server of files", { local: false, writable: false, atomic: false, large: 0 }, async () => {
  server.files.clear();
  return {
    store: openHttpStore(`${server.url}/some/root/`, options),
    async fill(files) {
      for (const [path, bytes] of files) server.files.set(`/some/root/${path}`, bytes);
    },
  };
});

it("sends a signed URL's query with every request, and never shows it or a password", async () => {
  const signed = server.url.replace("http://", "http://user:secret@");
  const store = openHttpStore(`${signed}/root?signature=secret`, options);
  server.files.set("/root/file", Buffer.from("x"));
  server.requests.length = 0;
  expect((await store.get("file", { maxBytes: 10 })).status).toBe("found");
  expect(server.requests[0]?.headers.authorization).toMatch(/^Basic /);
  expect(store.url + store.id + store.locate("file")).not.toContain("secret");
  await store.close();
});

it("takes a refusal for absence once something could be read, not before", async () => {
  server.files.set("/root/file", Buffer.from("x"));
  const store = openHttpStore(`${server.url}/root`, options);
  server.faults.set("/root/missing", [answer(403), answer(403)]);
  await expect(store.get("missing", { maxBytes: 10 })).rejects.toMatchObject({ code: "ACCESS_DENIED" });
  await store.get("file", { maxBytes: 10 });
  expect((await store.get("missing", { maxBytes: 10 })).status).toBe("missing");
  await store.close();
});
