/**
 * Why a connection did not come about or ended; the data plane needs it, too.
 */
export { asError, reasonOf } from "../base/index.ts";
