/**
 * The part of the control door that is about tunnels and the paths to members: what may be asked, and how requests are read.
 *
 * Knows: paths and bodies. Does not know: where the answers come from.
 */
import { CairnError } from "../base/index.ts";
import { count, field, text } from "./bodies.ts";

/** What the command line may ask; each answer is sent as JSON. */
export interface TunnelControls {
  /** @param request `target` [HOST:]PORT; `name` "" for the port; `to` members, domains, `all`, or nothing for the own domain */
  expose(request: { readonly target: string; readonly name: string; readonly to: readonly string[] }): Promise<unknown>;
  exposures(): Promise<unknown>;
  unexpose(request: { readonly name: string }): Promise<unknown>;
  /** @param request `listen` [HOST:]PORT; `target` MEMBER:NAME */
  forward(request: { readonly listen: string; readonly target: string }): Promise<unknown>;
  forwards(): Promise<unknown>;
  unforward(request: { readonly listen: string }): Promise<unknown>;
  measure(request: { readonly member: string; readonly bytes: number }): Promise<unknown>;
}

/**
 * Undefined when the path is none of these.
 *
 * @param controls of the network that this node is in
 */
export function answerTunnels(
  controls: () => Promise<TunnelControls>,
  question: string,
  readBody: () => Promise<unknown>,
): Promise<unknown> | undefined {
  const answer = ANSWERS[question];
  if (answer === undefined) return undefined;
  return readBody().then(async (body) => answer(await controls(), body));
}

const ANSWERS: Readonly<Record<string, (controls: TunnelControls, body: unknown) => Promise<unknown>>> = {
  "POST /network/expose": (controls, body) =>
    controls.expose({ target: text(body, "target"), name: text(body, "name"), to: texts(body, "to") }),
  "GET /network/exposures": (controls) => controls.exposures(),
  "POST /network/unexpose": (controls, body) => controls.unexpose({ name: text(body, "name") }),
  "POST /network/forward": (controls, body) => controls.forward({ listen: text(body, "listen"), target: text(body, "target") }),
  "GET /network/forwards": (controls) => controls.forwards(),
  "POST /network/unforward": (controls, body) => controls.unforward({ listen: text(body, "listen") }),
  "POST /network/measure": (controls, body) => controls.measure({ member: text(body, "member"), bytes: count(body, "bytes") }),
};

function texts(body: unknown, name: string): string[] {
  const value = field(body, name) ?? [];
  if (!Array.isArray(value) || !value.every((one) => typeof one === "string"))
    throw new CairnError("usage", { why: `${name} is a list of texts` });
  return value;
}
