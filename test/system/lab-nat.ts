/**
 * Sites behind network address translation, and perhaps a machine that everybody can reach: what the lab measures in.
 *
 *     site a ── its NAT ──┐
 *     site b ── its NAT ──┼── the internet, a bridge ── public
 *
 * The four kinds are those of RFC 3489. As RFC 4787 has it, the first three map independently of the endpoint and filter ever more
 * strictly; the last maps and filters by address and port. A mapping exists once something has gone out.
 * Knows: addresses and rules. Does not know: what runs in there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { inNamespace, ip } from "./lab-namespaces.ts";

export const natKinds = ["full-cone", "address-restricted", "port-restricted", "symmetric"] as const;
export type NatKind = (typeof natKinds)[number];

/** Whether a port inside is the same port outside whoever it talks to. */
export function mapsIndependently(kind: NatKind): boolean {
  return kind !== "symmetric";
}

/** The namespace of the machine that everybody can reach. */
export const PUBLIC = "public";
/** How long a mapping is remembered; longer than any measurement. */
const MAPPING_S = 600;

/** A cable that was plugged takes up to a second to carry anything, and until then its address counts for nothing. */
export async function cablesReady(namespaces: readonly string[]): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (const name of namespaces)
    while (!ip(`-n ${name} link show dev eth0`).includes("state UP")) {
      if (performance.now() > deadline) throw new Error(`the cable of ${name} does not come up`);
      await sleep(20);
    }
}

/** The lab's own namespace becomes the internet. Addresses in it look public; they lead nowhere else. */
export function buildInternet(): void {
  ip("link add internet type bridge");
  ip("link set internet up");
  ip(`netns add ${PUBLIC}`);
  plug(PUBLIC, "20.0.0.2/24");
}

/**
 * A machine in a private net of its own, behind a router that translates.
 *
 * @param number of the site, from 0, unique
 * @param lossPercent of the packets through the router, each way
 */
export function buildSite(name: string, number: number, kind: NatKind, lossPercent: number): void {
  const router = `${name}-nat`;
  for (const one of [name, router]) ip(`netns add ${one}`);
  ip(`link add eth0 netns ${name} type veth peer name lan netns ${router}`);
  for (const [namespace, device, address] of [
    [name, "eth0", `10.0.${number}.2/24`],
    [router, "lan", `10.0.${number}.1/24`],
  ] as const) {
    ip(`-n ${namespace} addr add ${address} dev ${device}`);
    ip(`-n ${namespace} link set ${device} up`);
    ip(`-n ${namespace} link set lo up`);
  }
  ip(`-n ${name} route add default via 10.0.${number}.1`);
  plug(router, `${publicAddress(number)}/24`);
  inNamespace(router, "sysctl -qw net.ipv4.ip_forward=1");
  inNamespace(router, "nft -f -", rules(kind, lossPercent));
}

/** Pulls or plugs the cable of a machine behind a router. */
export function setCable(name: string, number: number, state: "up" | "down"): void {
  ip(`-n ${name} link set eth0 ${state}`);
  // What goes down forgets its routes.
  if (state === "up") ip(`-n ${name} route replace default via 10.0.${number}.1`);
}

/** Lets nothing through any more between a namespace and an address, either way and without a word; or lets it through again. */
export function setPath(namespace: string, address: string, state: "open" | "cut"): void {
  const ways = ["prerouting ip saddr", "postrouting ip daddr"].map((way) => way.split(" "));
  const chains = ways.map(
    ([hook, ...match]) => `chain ${hook} { type filter hook ${hook} priority -400; ${match.join(" ")} ${address} drop; }`,
  );
  const table = `cut-${address.replaceAll(".", "-")}`;
  inNamespace(namespace, "nft -f -", `table ip ${table} {}\ndelete table ip ${table}`);
  if (state === "cut") inNamespace(namespace, "nft -f -", `table ip ${table} {\n${chains.join("\n")}\n}\n`);
}

/** A machine with an address that everybody can reach. */
export function buildPublic(name: string, number: number): void {
  ip(`netns add ${name}`);
  plug(name, `${publicAddress(number)}/24`);
}

export function publicAddress(number: number): string {
  return `20.0.0.${10 + number}`;
}

/** A cable to the internet. Routers' ones are called `eth0`, too. */
function plug(namespace: string, address: string): void {
  const port = `port-${namespace}`.slice(0, 15);
  // Link-local addresses would make neighbours of machines that are to be far apart.
  inNamespace(namespace, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
  ip(`link add ${port} type veth peer name eth0 netns ${namespace}`);
  ip(`link set ${port} master internet up`);
  ip(`-n ${namespace} addr add ${address} dev eth0`);
  ip(`-n ${namespace} link set eth0 up`);
  ip(`-n ${namespace} link set lo up`);
}

/** Linux keeps the port where it can, which makes plain masquerading independent of the endpoint. */
function rules(kind: NatKind, lossPercent: number): string {
  const inwards = {
    "full-cone": "tcp dport @mapped dnat to tcp dport map @insides",
    "address-restricted": "tcp dport . ip saddr @talked dnat to tcp dport map @insides",
    "port-restricted": "",
    symmetric: "",
  }[kind];
  return `
table ip lab {
  set mapped { type inet_service; flags dynamic,timeout; timeout ${MAPPING_S}s; }
  set talked { type inet_service . ipv4_addr; flags dynamic,timeout; timeout ${MAPPING_S}s; }
  map insides { type inet_service : ipv4_addr; flags dynamic,timeout; timeout ${MAPPING_S}s; }
  chain inwards {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "eth0" ${inwards === "" ? "accept" : inwards}
  }
  chain outwards {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "eth0" masquerade ${kind === "symmetric" ? "fully-random" : ""}
  }
  chain through {
    type filter hook forward priority filter; policy drop;
    ip daddr 10.0.0.0/8 iifname "lan" drop comment "no private address is anywhere out there"
    numgen random mod 1000 < ${Math.round(lossPercent * 10)} drop
    iifname "lan" tcp sport != 0 update @mapped { tcp sport } update @talked { tcp sport . ip daddr } update @insides { tcp sport : ip saddr } accept
    ct state established,related accept
    ct status dnat accept
  }
  chain to-router {
    type filter hook input priority filter; policy drop;
    iifname "lan" accept
  }
}
`;
}
