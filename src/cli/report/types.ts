import type { EmitEvent } from "../../util/events.ts";
import type { StandardStream } from "../standardStreams.ts";

/** Renders events while work runs. All of it goes to standard error or, for `--json`, to standard output as JSON lines. */
export interface Reporter {
  readonly emit: EmitEvent;
  /** Prints one line that stays, above any live display. */
  line(text: string): void;
  /** Takes the live display down; nothing is rendered afterwards. */
  close(): void;
}

/** How a user asked for output. */
export interface ReportOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Colour and live display. */
  readonly color: boolean;
  readonly stderr: ReportStream;
  readonly stdout: ReportStream;
}

/** Where a renderer writes. */
export type ReportStream = Pick<StandardStream, "isTTY" | "columns" | "write">;
