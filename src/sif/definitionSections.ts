/** What the sections of a definition file put into an image without running anything. */

/** Sections of one app (`%apprun NAME` and so on). Texts are the sections' bodies. */
export interface AppSections {
  readonly name: string;
  readonly environment?: string;
  readonly runscript?: string;
  readonly startscript?: string;
  readonly test?: string;
  readonly help?: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** Sections that become files. */
export interface DefinitionSections {
  readonly environment?: string;
  readonly runscript?: string;
  readonly startscript?: string;
  readonly test?: string;
  readonly help?: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly apps: readonly AppSections[];
}

/** Of an image that is not made from a definition of the user's. */
export const noSections: DefinitionSections = { labels: new Map(), apps: [] };
