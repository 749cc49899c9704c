/** Turns the options of a program into requests of verbs: everything that has a default may be left out. */
import {
  type BuildingRequest,
  completeBuilding,
  type PartialBuilding,
} from "../pipeline/workspace/buildingRequest.ts";
import type { EmitEvent } from "../util/events.ts";

/** What all the work of one `openSpacktainers` has in common. */
export interface Session {
  /** Absolute. */
  readonly directory: string;
  readonly emit: EmitEvent;
  readonly signal: AbortSignal;
}

/** What the library itself provides, or takes in another form. */
type Provided = "directory" | "building" | "self";

/**
 * A verb's request as programs give it: `Needed` has to be there, the rest may be left out. `emit` and `signal`, where a verb has
 * them, are those of the session when they are left out.
 */
export type Given<Request, Needed extends keyof Request = never> = Readonly<Pick<Request, Needed>> & {
  readonly [Field in Exclude<keyof Request, Needed | Provided>]?: Request[Field] | undefined;
};

/** How to build what no cache has, on verbs that may do that; left out: as configured. */
export interface GivenBuilding {
  readonly building?: PartialBuilding | undefined;
}

/**
 * A verb's whole request.
 *
 * @param defaults of everything that may be left out
 * @param given fields that are undefined count as left out
 */
export function complete<Request extends object, Needed extends keyof Request = never>(
  session: Session,
  defaults: Omit<Request, Needed | keyof Session>,
  given: Given<Request, Needed>,
): Request {
  const said = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  // The parameters have each of the fields; that TypeScript cannot see through a type parameter.
  return { ...session, ...defaults, ...said } as Request;
}

/** How to build what no cache has, of a verb that may do it. */
export function buildingOf(given: {
  readonly building?: PartialBuilding | undefined;
  readonly jobs?: number | undefined;
  readonly failFast?: boolean | undefined;
  readonly frozen?: boolean | undefined;
}): BuildingRequest {
  const { building = {}, jobs, failFast, frozen } = given;
  return completeBuilding(
    {
      ...building,
      onFailure: building.onFailure ?? (failFast === true ? "stop" : "finish"),
      atOnce: building.atOnce ?? jobs,
    },
    frozen === true,
  );
}

/** Which build caches are used: those of the configuration, with what is known of them. */
export const asConfigured = { caches: [], trust: [], refresh: false } as const;

/** As {@link asConfigured}, packages one a core. */
export const ordinaryResources = { ...asConfigured, jobs: undefined } as const;

/** All containers, one after the other, also when one fails. */
export const allContainers = { ...ordinaryResources, names: [], arch: undefined, failFast: false } as const;

/** Images as they are configured. */
export const ordinaryImages = {
  ...allContainers,
  strip: undefined,
  keepMetadata: false,
  allowUnresolved: [],
  buildArguments: new Map<string, string>(),
  epilogueNetwork: undefined,
  frozen: false,
} as const;
