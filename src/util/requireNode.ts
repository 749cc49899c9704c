/** Imported for its effect, before anything else: a program that imports the library learns which Node.js it needs. */
import { SpacktainersError } from "./errors.ts";
import { nodeTrouble } from "./nodeTrouble.ts";

const trouble = nodeTrouble(process.version, process.execPath);
if (trouble !== undefined) throw new SpacktainersError(trouble.code, trouble.message, { hint: trouble.hint });
