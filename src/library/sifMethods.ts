import { resolve } from "node:path";
import type { ListedSif } from "../commands/sif/inspectSif.ts";
import type { PushedSif, PushSifRequest } from "../commands/sif/pushSif.ts";
import type { Conversion, ConvertRequest } from "../pipeline/images/convertImage.ts";
import type { SifVerification } from "../sif/verifySif.ts";
import { complete, type Given } from "./requests.ts";
import type { DoWork } from "./work.ts";

/** How a SIF file is signed. */
export interface SifSigner {
  /** File of an OpenPGP key. */
  readonly key: string;
  /** What unlocks it; asked for only where the key is locked. */
  readonly passphrase?: (() => Promise<string | undefined>) | undefined;
}

/** `sif`: SIF and squashfs files of images. */
export interface SifMethods {
  /** Makes one of an image in any form. `sign`: by whom it is signed. */
  (
    request: Given<Omit<ConvertRequest, "signer" | "open">, "source"> & {
      readonly sign?: SifSigner | undefined;
    },
  ): Promise<Conversion>;
  /** What is in a file. */
  list(path: string): Promise<ListedSif>;
  /** Publishes a file: `oras://…` or `s3://…`. */
  push(request: Given<PushSifRequest, "path" | "destination">): Promise<PushedSif>;
  /** Who of the owners of keys signed a file. */
  verify(path: string, keys: readonly string[]): Promise<SifVerification>;
}

/** The methods of one session. */
export function sifMethods(work: DoWork): SifMethods {
  const convert: (...request: Parameters<SifMethods>) => Promise<Conversion> = ({ sign, ...given }) =>
    work(given, async (session) => {
      const { convertImage } = await import("../pipeline/images/convertImage.ts");
      const { openSigner } = await import("../openpgp/signer.ts");
      const signer =
        sign === undefined
          ? undefined
          : await openSigner(resolve(session.directory, sign.key), async () => sign.passphrase?.());
      const usual = {
        arch: undefined,
        output: undefined,
        format: undefined,
        compression: undefined,
        level: undefined,
        signer,
        force: false,
      };
      return convertImage(complete<ConvertRequest, "source">(session, usual, given));
    });
  return Object.assign(convert, {
    list: (path: string) =>
      work({}, async ({ directory }) => {
        const { listSif } = await import("../commands/sif/inspectSif.ts");
        return listSif(path, directory);
      }),
    push: (given: Given<PushSifRequest, "path" | "destination">) =>
      work(given, async (session) => {
        const { pushSif } = await import("../commands/sif/pushSif.ts");
        return pushSif(
          complete<PushSifRequest, "path" | "destination">(session, { image: undefined }, given),
        );
      }),
    verify: (path: string, keys: readonly string[]) =>
      work({}, async ({ directory }) => {
        const { verifySifFile } = await import("../commands/sif/inspectSif.ts");
        return verifySifFile(path, keys, directory);
      }),
  });
}
