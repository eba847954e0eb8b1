/**
 * A writer beside a busy stream: it waits for its own reader, however often the connection drains.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberStream } from "./member-stream.ts";
import { founded, join, start, until } from "./network.fixture.ts";
import { StreamDuplex } from "./stream-duplex.ts";

for (const listen of ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"])
  test(`a stream that nobody reads holds no more than before while another one is busy, at ${listen}`, { timeout: 60_000 }, async (t) => {
    const a = await start(t, 1, founded(1), new Map(), [[listen]]);
    const unread: MemberStream[] = [];
    let read = 0;
    await a.network.serve("/test/unread/1", 1, (stream) => void (stream.stream.pause(), unread.push(stream)));
    await a.network.serve("/test/read/1", 1, ({ stream }) => {
      stream.addEventListener("message", ({ data }) => {
        read += data.byteLength;
      });
    });
    const b = await join(t, 2, a);
    const stalled = await b.network.open(a.members.self, "/test/unread/1", 5_000);
    const busy = await b.network.open(a.members.self, "/test/read/1", 5_000);
    await until(t, () => unread.length === 1);
    const piece = Buffer.alloc(65_536);
    const fill = (to: StreamDuplex): void => {
      while (to.write(piece));
      to.once("drain", () => fill(to));
    };
    const writers = [stalled, busy].map(({ stream }) => new StreamDuplex(stream));
    for (const writer of writers) {
      writer.on("error", () => undefined);
      fill(writer);
    }
    await until(t, () => read > 64 * 1_048_576 || stalled.stream.status !== "open");
    assert.equal(stalled.stream.status, "open");
    assert.ok(stalled.stream.writeBufferLength <= 2 * piece.length, `${stalled.stream.writeBufferLength} bytes wait`);
  });
