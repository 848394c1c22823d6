/** Who the user is: as for the client library. */
export { rootNote, userName } from "../src/client/user-name.ts";
