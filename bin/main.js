/**
 * Starts the command line (src/cli/main.ts). Called by bin/cairn.
 */
import { boot } from "./boot.js";

await boot("cli");
