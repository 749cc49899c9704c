/** How an image's containers start: what ENV, CMD, LABEL and their like change. */
export interface ImageSettings {
  readonly env: ReadonlyMap<string, string>;
  /** Undefined: none. */
  readonly entrypoint: readonly string[] | undefined;
  readonly command: readonly string[] | undefined;
  readonly labels: ReadonlyMap<string, string>;
  /** As written: a name or number, perhaps with a group after a colon. Undefined: root. */
  readonly user: string | undefined;
  /** Absolute; undefined: `/`. */
  readonly workingDirectory: string | undefined;
  /** `port/protocol`. */
  readonly exposedPorts: ReadonlySet<string>;
  readonly volumes: ReadonlySet<string>;
  readonly stopSignal: string | undefined;
  readonly author: string | undefined;
}
