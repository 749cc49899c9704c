import { describe, expect, it } from "vitest";
import type { TimedTask, Timings } from "../../../../src/cli/report/timings/recordTimings.ts";
import { timingsPage } from "../../../../src/cli/report/timings/timingsPage.ts";

const task: TimedTask = {
  kind: "install",
  label: "zlib@1.3",
  container: "amd64/one",
  start: 100,
  end: 600,
  outcome: "done",
  bytes: 2_000_000,
  phases: [],
};
const timings = (more: Partial<Timings> = {}): Timings => ({
  began: new Date(0),
  milliseconds: 1000,
  containers: [{ name: "amd64/one", start: 0, end: 900, outcome: "done" }],
  stages: [{ stage: "install-packages", container: "amd64/one", start: 50, end: 700 }],
  tasks: [task],
  reused: new Map([["install", 3]]),
  ...more,
});
const page = (more: Partial<Timings> = {}) =>
  timingsPage(timings(more), { command: "spacktainers build one", version: "1.2.3", cores: 2 });

describe("the page of timings", () => {
  it("says when, what, how long and how much", () => {
    const text = page();
    expect(text).toContain("Began 1970-01-01T00:00:00.000Z, took 1.0 s. Spacktainers 1.2.3, 2 cores.");
    expect(text).toContain(
      "installed</th><td>1</td><td>3</td><td>0.5 s</td><td>2.0 MB</td><td>4.0 MB/s</td>",
    );
    expect(text).toContain("Tasks at a time: 1 at most, 0.5 on average.");
    expect(text).toContain("<h2>amd64/one</h2>");
    expect(text.indexOf("Installing packages</th>")).toBeGreaterThan(0);
  });

  it("places bars by shares of the whole time", () => {
    expect(page()).toContain('<i class="bar install" style="left:10%;width:50%"');
    const phases = [
      { name: "configure", start: 100, end: 200 },
      { name: "build", start: 200, end: 600 },
    ];
    const text = page({ tasks: [{ ...task, kind: "compile", phases }] });
    expect(text).toContain(
      '<i class="bar compile phase0" style="left:10%;width:10%" title="configure: 0.1 s">',
    );
    expect(text).toContain('<i class="bar compile phase1" style="left:20%;width:40%" title="build: 0.4 s">');
  });

  it("marks what failed", () => {
    const failed = page({
      tasks: [{ ...task, outcome: "failed" }],
      containers: [{ name: "amd64/one", start: 0, end: 900, outcome: "failed" }],
    });
    expect(failed).toContain("<h2>amd64/one: failed</h2>");
    expect(failed).toContain("zlib@1.3 (failed)");
  });

  it("is a page for a run without containers, and for one in which nothing was done", () => {
    const bare = page({ containers: [], stages: [], tasks: [{ ...task, container: undefined }] });
    expect(bare).toContain("<h2>All of it</h2>");
    const empty = page({ milliseconds: 0, containers: [], stages: [], tasks: [], reused: new Map() });
    expect(empty).toContain("took 0.0 s");
    expect(empty).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("shows a name as it is, whoever gave it", () => {
    const label = `<script>alert("1")</script>&\u001b[31m`;
    const text = page({
      tasks: [{ ...task, label }],
      containers: [{ name: "<b>", start: 0, end: 900, outcome: "done" }],
    });
    for (const raw of ["<script", "<b>", "\u001b"]) expect(text).not.toContain(raw);
    expect(text).toContain("&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;&#38;");
  });

  it("needs nothing but itself", () => {
    expect(page()).not.toMatch(/<script|<link|src=|url\(|https?:/);
    expect(page()).toBe(page());
  });
});
