import { createServer } from "node:net";
import { resolve } from "node:path";
import { apptainerTrouble, postTrouble } from "../support/apptainer.ts";
import { commandExists } from "../support/commandExists.ts";

export const trouble = commandExists("mksquashfs") ? undefined : "squashfs-tools are not installed";

export const label = trouble === undefined ? "" : ` (skipped: ${trouble})`;

export const noApptainer = apptainerTrouble();

export const noPost = trouble ?? postTrouble();

export const noPostLabel = noPost === undefined ? "" : ` (skipped: ${noPost})`;

export const noApptainerLabel = noApptainer === undefined ? "" : ` (skipped: ${noApptainer})`;

export const repositoryDefinition = resolve(
  import.meta.dirname,
  "../../container_definitions/amd64/nexus-storage.def",
);

export const everySection = `Bootstrap: oci
From: BASE
%files
    _files/a.txt /opt/a.txt
    _files/tree /opt/tree
    _files/* /opt/glob/
    _files/[!b-z].tx? /opt/sets/
    _files/[[:alpha:]].t[a-x]t /opt/classes/
    _files/tree/su[a-c]
%environment
    export FOO=bar
    BAZ="$FOO and more"
    export BAZ
%labels
    Author me@example.org
    Version v1 with words
%runscript
    echo "run: $BAZ: $*"
%startscript
    echo started
%test
    test -f /opt/a.txt && echo tested
%help
    This is the help.
      Indented.
%appenv foo
    export APPVAR=1
%apprun foo
    echo "app: $APPVAR $SCIF_APPNAME $*"
%applabels foo
    Kind small
%apphelp foo
    Help of foo.
%apptest foo
    echo app tested
%appfiles foo
    _files/a.txt share/a.txt
`;

export const noRegistry =
  trouble ??
  (commandExists("docker-registry") && commandExists("skopeo")
    ? undefined
    : "docker-registry or skopeo is not installed");

export function withoutApps(text: string): string {
  return text.slice(0, text.indexOf("%appenv"));
}

export function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address !== null ? done(address.port) : fail(new Error("no port")),
      );
    });
  });
}
