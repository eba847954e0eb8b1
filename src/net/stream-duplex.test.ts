import { dataPlaneCompliance } from "../../test/compliance/data-plane.ts";
import type { Key } from "../base/index.ts";
import type { DataStream } from "../contracts/index.ts";
import { bridge, dataStream, Plane, PortDuplex } from "../data/index.ts";
import type { MemberStream } from "./member-stream.ts";
import { codec, founded, join, type Node, start } from "./network.fixture.ts";
import { StreamDuplex } from "./stream-duplex.ts";

const PROTOCOL = "/cairn/data/1";

/** As the daemon does it: through a message port, which may end in another thread. */
function carried({ key, stream }: MemberStream): DataStream {
  return dataStream(key, "libp2p", "", new PortDuplex(bridge(new StreamDuplex(stream))));
}

async function planeOf({ network, members }: Node): Promise<Plane> {
  const isMember = (key: Key): boolean => members.standing(key) === "active";
  const log = { event: (): void => undefined };
  const connect = async (key: Key): Promise<DataStream> => carried(await network.open(key, PROTOCOL, 5_000));
  const plane = new Plane({ codec, log, now: () => performance.now(), isMember, carriers: [{ path: "libp2p", connect }] });
  await network.serve(PROTOCOL, 32, (stream) => plane.admit(carried(stream)));
  return plane;
}

dataPlaneCompliance("libp2p", async (t) => {
  const near = await start(t, 1, founded(1));
  const far = await join(t, 2, near);
  // Neither serves before both are linked, or an early stream would be refused.
  const [a, b] = [await planeOf(near), await planeOf(far)];
  const revoke = (): void => void near.members.issue({ kind: "revoke", member: far.members.self });
  return { a, b, keyA: near.members.self, keyB: far.members.self, revoke };
});
