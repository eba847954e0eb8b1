/**
 * The settings `doors.*.listen`: where tools may knock.
 */
import { isIP } from "node:net";
import { type ListenAt, readListenAt } from "./listen.ts";

/** `127.0.0.1:8337`, `[::1]:8337`, `0.0.0.0:8337`, or `off`; undefined when it is none of these. */
export function readDoorListen(text: string): ListenAt | "off" | undefined {
  return text === "off" ? "off" : readListenAt(text);
}

/** Whether only programs on this machine reach an address. */
export function isLoopback(host: string): boolean {
  return isIP(host) === 4 ? host.startsWith("127.") : host === "::1" || host.startsWith("::ffff:127.");
}
