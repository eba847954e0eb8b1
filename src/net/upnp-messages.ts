/**
 * What is said to a router that speaks UPnP, and what it says: the search (UPnP Device Architecture 1.1, section 1.3), the description of its
 * services, and actions of WANIPConnection (Internet Gateway Device 1 and 2).
 *
 * A description names addresses of its own choice: none is asked but the router's.
 * Knows: texts. Does not know: sockets.
 */
import { SaxesParser } from "saxes";
import { CairnError, reasonOf } from "../base/index.ts";

/** What leads outside; second versions of gateways must be found by those who look for the first. */
const GATEWAY = "urn:schemas-upnp-org:device:InternetGatewayDevice:1";
const SERVICE = /^urn:schemas-upnp-org:service:WAN(?:IP|PPP)Connection:[12]$/;
/** Sections 2.4.16.3 and following of WANIPConnection, and 3.2.2 of the architecture. */
const REFUSALS: Readonly<Record<string, string>> = {
  "401": "no such action",
  "402": "invalid arguments",
  "501": "the router failed",
  "606": "the router does not allow it",
  "718": "the port is taken",
  "725": "only for good",
  "728": "no port is free",
};

export const portIsTaken = "718";
export const onlyForGood = "725";

export interface GatewayService {
  /** A URN; each action names it. */
  readonly type: string;
  readonly control: URL;
}

/** @param host "group:port" of who is asked */
export function searchFor(host: string): Buffer {
  const lines = ["M-SEARCH * HTTP/1.1", `HOST: ${host}`, 'MAN: "ssdp:discover"', "MX: 1", `ST: ${GATEWAY}`, "", ""];
  return Buffer.from(lines.join("\r\n"), "latin1");
}

/** Where an answer to the search says that the description is, if that is at the router itself. */
export function locationIn(answer: Buffer, router: string): URL | undefined {
  const [status, ...headers] = answer.toString("latin1").split(/\r?\n/);
  if (!/^HTTP\/1\.[01] 200\b/.test(status ?? "")) return undefined;
  const location = headers.map((line) => /^location:\s*(\S+)\s*$/i.exec(line)?.[1]).find((found) => found !== undefined);
  return location === undefined ? undefined : atRouter(location, undefined, router);
}

/** The service of a gateway's description that maps ports. @throws {CairnError} peer-absent when it is none that can be read */
export function serviceIn(description: string, location: URL, router: string): GatewayService | undefined {
  const base = groups(description, "root")[0]?.get("URLBase");
  for (const service of groups(description, "service")) {
    const [type, path] = [service.get("serviceType"), service.get("controlURL")];
    if (type === undefined || path === undefined || !SERVICE.test(type)) continue;
    const control = atRouter(path, base === undefined || base === "" ? location.href : base, router);
    if (control !== undefined) return { type, control };
  }
  return undefined;
}

/** The question that asks for an action. Arguments are numbers, addresses and words of ours. */
export function actionBody({ type }: GatewayService, action: string, args: Readonly<Record<string, string | number>>): string {
  const inner = Object.entries(args).map(([name, value]) => `<${name}>${value}</${name}>`);
  return (
    '<?xml version="1.0"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">' +
    `<s:Body><u:${action} xmlns:u="${type}">${inner.join("")}</u:${action}></s:Body></s:Envelope>\n`
  );
}

export type ActionAnswer =
  | { readonly kind: "done"; readonly values: ReadonlyMap<string, string> }
  /** @property code as UPnP numbers errors @property why the same in words */
  | { readonly kind: "refused"; readonly code: string; readonly why: string };

/** @throws {CairnError} peer-absent when it is no answer to that action */
export function answerIn(text: string, action: string): ActionAnswer {
  const [values] = groups(text, `${action}Response`);
  if (values !== undefined) return { kind: "done", values };
  const code = groups(text, "UPnPError")[0]?.get("errorCode");
  if (code === undefined) throw new CairnError("peer-absent", { why: "the router's answer cannot be read" });
  return { kind: "refused", code, why: REFUSALS[code] ?? `error ${code.slice(0, 10)}` };
}

/** Only over HTTP, and only at the router: what it says must not make this machine ask others. */
function atRouter(text: string, base: string | undefined, router: string): URL | undefined {
  const url = URL.canParse(text, base) ? new URL(text, base) : undefined;
  return url?.protocol === "http:" && url.hostname === router && url.username === "" ? url : undefined;
}

/** Texts of the children of each element of that name, by the children's names without prefixes. */
function groups(xml: string, name: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  const open: { readonly name: string; text: string; readonly children: Map<string, string> }[] = [];
  const parser = new SaxesParser();
  parser.on("opentag", (tag) => open.push({ name: tag.name.slice(tag.name.indexOf(":") + 1), text: "", children: new Map() }));
  parser.on("text", (text) => {
    const last = open.at(-1);
    if (last !== undefined) last.text += text;
  });
  parser.on("closetag", () => {
    const closed = open.pop();
    if (closed === undefined) return;
    open.at(-1)?.children.set(closed.name, closed.text.trim());
    if (closed.name === name) found.push(closed.children);
  });
  parser.on("error", (error) => {
    throw error;
  });
  try {
    parser.write(xml).close();
  } catch (error) {
    throw new CairnError("peer-absent", { why: "the router's answer cannot be read", detail: reasonOf(error) });
  }
  return found;
}
