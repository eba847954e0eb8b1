import assert from "node:assert/strict";
import { test } from "node:test";
import { type Listen, readListen } from "./listen.ts";

const rows: readonly (readonly [text: string, wanted: Listen | undefined])[] = [
  ["auto", { tcp: "auto", webSocket: undefined, quic: undefined }],
  ["0.0.0.0:80", { tcp: { host: "0.0.0.0", port: 80 }, webSocket: undefined, quic: undefined }],
  ["[2001:db8::7]:4711", { tcp: { host: "2001:db8::7", port: 4711 }, webSocket: undefined, quic: undefined }],
  ["192.0.2.1", { tcp: { host: "192.0.2.1", port: 0 }, webSocket: undefined, quic: undefined }],
  ["0.0.0.0:80/ws", { tcp: undefined, webSocket: { host: "0.0.0.0", port: 80 }, quic: undefined }],
  ["[::]:8080/ws, auto", { tcp: "auto", webSocket: { host: "::", port: 8080 }, quic: undefined }],
  ["127.0.0.1:1 127.0.0.1:2/ws", { tcp: { host: "127.0.0.1", port: 1 }, webSocket: { host: "127.0.0.1", port: 2 }, quic: undefined }],
  ["0.0.0.0:4711/quic", { tcp: undefined, webSocket: undefined, quic: { host: "0.0.0.0", port: 4711 } }],
  ["auto 0.0.0.0:80/ws [::]:0/quic", { tcp: "auto", webSocket: { host: "0.0.0.0", port: 80 }, quic: { host: "::", port: 0 } }],
  ["auto/quic", undefined],
  ["quic", undefined],
  ["0.0.0.0:1/quic 0.0.0.0:2/quic", undefined],
  ["0.0.0.0:1/quic/ws", undefined],
  ["0.0.0.0:1/", undefined],
  ["", undefined],
  ["auto/ws", undefined],
  ["auto auto", undefined],
  ["0.0.0.0:1/ws 0.0.0.0:2/ws", undefined],
  ["auto nowhere:80/ws", undefined],
  ["host.example:80", undefined],
  ["0.0.0.0:65536", undefined],
  ["::1:80", undefined],
  ["[127.0.0.1]:80", undefined],
  ["0.0.0.0:80/wss", undefined],
];

for (const [text, wanted] of rows) test(`network.listen = "${text}"`, () => assert.deepEqual(readListen(text), wanted));
