/**
 * The NAT-PMP part of a router of the lab (RFC 6886): a process in the router's namespace that answers, and lets in what it has promised.
 *
 *     lab-nat-pmp-router.ts INSIDE OUTSIDE     the router's addresses
 *
 * Ports outside are others than inside, so that only who asked for one can know it.
 * Knows: packets, and the table that lab-nat.ts made. Does not know: who asks, or what for.
 */
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";

const [inside = "", outside = ""] = process.argv.slice(2);
const PORT = 5351;
const SHIFT = 10_000;

function answer(question: Buffer, from: string): Buffer | undefined {
  const operation = question[1];
  if (operation === 0) return Buffer.from([0, 128, 0, 0, 0, 0, 0, 1, ...outside.split(".").map(Number)]);
  if (operation !== 2 || question.length < 12) return undefined;
  const port = question.readUInt16BE(4);
  const lifetimeS = question.readUInt32BE(8);
  const external = lifetimeS === 0 ? 0 : 1_024 + ((port + SHIFT) % 60_000);
  // Before the rule that ends the chain.
  if (lifetimeS > 0) nft(`insert rule ip lab inwards iifname eth0 tcp dport ${external} dnat to ${from}:${port}`);
  const reply = Buffer.alloc(16);
  reply.writeUInt8(130, 1);
  reply.writeUInt32BE(1, 4);
  reply.writeUInt16BE(port, 8);
  reply.writeUInt16BE(external, 10);
  reply.writeUInt32BE(lifetimeS, 12);
  return reply;
}

function nft(command: string): void {
  execFileSync("nft", command.split(" "));
}

const socket = createSocket("udp4");
socket.on("message", (question, { address, port }) => {
  const reply = answer(question, address);
  if (reply !== undefined) socket.send(reply, port, address);
});
socket.bind(PORT, inside, () => process.stdout.write("ready\n"));
