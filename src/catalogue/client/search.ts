/** The search itself, with the parser of specs: a file of its own, which the front page loads when it is needed. */
import { openSearch } from "../search/openSearch.ts";

Object.assign(globalThis, { spacktainersOpenSearch: openSearch });
