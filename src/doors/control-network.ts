/**
 * The part of the control door that is about the network: what may be asked, and how requests are read.
 *
 * Knows: paths and bodies. Does not know: where the answers come from.
 */
import { CairnError } from "../base/index.ts";
import { count, field, text } from "./bodies.ts";
import type { TunnelControls } from "./control-tunnels.ts";

/** What the command line may ask about the network; each answer is sent as JSON. */
export interface NetworkControls {
  /** @param request `isUnanimous` whether two or three domains put out a machine of one of them only together */
  init(request: {
    readonly name: string;
    readonly domain: string;
    readonly machine: string;
    readonly isUnanimous: boolean;
  }): Promise<unknown>;
  /** @param request `domain` "" for the node's own */
  invite(request: { readonly domain: string; readonly expiresMs: number }): Promise<unknown>;
  join(request: { readonly line: string; readonly machine: string }): Promise<unknown>;
  members(): Promise<unknown>;
  /** @param request a name, or the beginning of a key; whether it is also to be where nobody speaks for the first domain then; or not any more */
  revoke(request: { readonly member: string; readonly force: boolean; readonly withdraw: boolean }): Promise<unknown>;
  /** What the network demands of its machines, what holds here, what waits to be accepted. @param request `directory` in a project, or "" */
  policy(request: { readonly directory: string }): Promise<unknown>;
  setPolicy(request: { readonly setting: string; readonly value: string }): Promise<unknown>;
  /** @param request a domain's name, `policy`, or the beginning of an id */
  accept(request: { readonly what: string }): Promise<unknown>;
  leave(request: { readonly force: boolean }): Promise<unknown>;
  peers(): Promise<unknown>;
  /** What is wrong, and what to do about it. @param request as for `policy` */
  doctor(request: { readonly directory: string }): Promise<unknown>;
  ping(request: { readonly member: string }): Promise<unknown>;
  /** @param request `root` a CID or 64 digits */
  publishName(request: { readonly name: string; readonly root: string; readonly expiresMs: number }): Promise<unknown>;
  /** A name is this machine's alone for the whole network. */
  claimName(request: { readonly name: string; readonly above: number }): Promise<unknown>;
  /** The same, somebody else's. */
  handName(request: { readonly name: string; readonly member: string }): Promise<unknown>;
  /** It is each author's own again. */
  yieldName(request: { readonly name: string }): Promise<unknown>;
  claimedNames(): Promise<unknown>;
  /** @param request a name, or MEMBER:NAME */
  resolveName(request: { readonly name: string }): Promise<unknown>;
  /** @throws {CairnError} network-absent */
  tunnels(): Promise<TunnelControls>;
}

/** Undefined when the path is none of these. @param directory in which somebody asks, or "" */
export function answerNetwork(
  controls: NetworkControls,
  question: string,
  readBody: () => Promise<unknown>,
  directory: string,
): Promise<unknown> | undefined {
  switch (question) {
    case "POST /network/init":
      return readBody().then((body) =>
        controls.init({
          name: text(body, "name"),
          domain: text(body, "domain"),
          machine: text(body, "machine"),
          isUnanimous: field(body, "anyAdmin") !== true,
        }),
      );
    case "POST /network/invite":
      return readBody().then((body) => controls.invite({ domain: text(body, "domain"), expiresMs: count(body, "expiresMs") }));
    case "POST /network/join":
      return readBody().then((body) => controls.join({ line: text(body, "line"), machine: text(body, "machine") }));
    case "GET /network/members":
      return controls.members();
    case "POST /network/revoke":
      return readBody().then((body) =>
        controls.revoke({ member: text(body, "member"), force: field(body, "force") === true, withdraw: field(body, "withdraw") === true }),
      );
    case "GET /network/policy":
      return controls.policy({ directory });
    case "POST /network/policy-set":
      return readBody().then((body) => controls.setPolicy({ setting: text(body, "setting"), value: text(body, "value") }));
    case "POST /network/accept":
      return readBody().then((body) => controls.accept({ what: text(body, "what") }));
    case "POST /network/leave":
      return readBody().then((body) => controls.leave({ force: field(body, "force") === true }));
    case "GET /network/doctor":
      return controls.doctor({ directory });
    case "GET /network/peers":
      return controls.peers();
    case "POST /network/ping":
      return readBody().then((body) => controls.ping({ member: text(body, "member") }));
    case "POST /network/name-publish":
      return readBody().then((body) => {
        const root = text(body, "root");
        if (root === "" || text(body, "name") === "") throw new CairnError("usage", { why: "a name, and a CID or 64 digits, are wanted" });
        return controls.publishName({ name: text(body, "name"), root, expiresMs: count(body, "expiresMs") });
      });
    case "POST /network/name-claim":
      return readBody().then((body) => controls.claimName({ name: named(body), above: count(body, "above") }));
    case "POST /network/name-hand":
      return readBody().then((body) => controls.handName({ name: named(body), member: text(body, "member") }));
    case "POST /network/name-yield":
      return readBody().then((body) => controls.yieldName({ name: named(body) }));
    case "GET /network/names":
      return controls.claimedNames();
    case "POST /network/name-resolve":
      return readBody().then((body) => controls.resolveName({ name: text(body, "name") }));
    default:
      return undefined;
  }
}

/** @throws {CairnError} usage */
function named(body: unknown): string {
  const name = text(body, "name");
  if (name === "") throw new CairnError("usage", { why: "a name is wanted" });
  return name;
}
