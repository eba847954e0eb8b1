/**
 * Starts the daemon (src/daemon/main.ts). Called by `cairn up`.
 */
import { boot } from "./boot.js";

await boot("daemon");
