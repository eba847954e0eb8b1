/**
 * Data: bulk bytes between members over TLS connections of their own, in a thread of its own; and the tunnels, which use them.
 *
 * Knows: sockets, certificates, streams, who may use what is exposed. Does not know: libp2p, why somebody is a member.
 */
export { type Answers, Calls } from "./calls.ts";
export { type Carrier, type CountedDuplex, dataStream } from "./carriers.ts";
export { certifiedKey, tlsIdentity } from "./certificate.ts";
export { Exposures } from "./exposures.ts";
export { Forwards, nameOf as nameOfForward } from "./forwards.ts";
export { channelOverPort } from "./frame-port.ts";
export { type Measured, measure, serveMeasurements } from "./measure.ts";
export { type DataTraffic, Plane } from "./plane.ts";
export { bridge, PortDuplex } from "./port-duplex.ts";
export { openShareLane, serveShareLanes } from "./share-lanes.ts";
export { Swarm } from "./swarm.ts";
export { TlsCarrier } from "./tls-carrier.ts";
export type { DataHosts } from "./tls-client.ts";
export { addressOf } from "./tls-options.ts";
export { TlsServer } from "./tls-server.ts";
export { type Exposure, type Forward, type ForwardState, type Permission, type TunnelCounts } from "./tunnels.ts";
