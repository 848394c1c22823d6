/** Where everything that `mf` keeps lives: as for the client library. */
export { homeDirectory } from "../src/client/home-directory.ts";
