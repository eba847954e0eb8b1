/**
 * Of the package `ws`, which comes without types, what is used here.
 */
declare module "ws" {
  import type { EventEmitter } from "node:events";
  import type { IncomingMessage } from "node:http";
  import type { Socket } from "node:net";
  import type { Duplex, DuplexOptions } from "node:stream";

  export interface MessageLimits {
    /** Bytes of a message that is taken. */
    readonly maxPayload: number;
    readonly perMessageDeflate: false;
    /** ms that the other side has to agree to an end. */
    readonly closeTimeout: number;
  }

  interface ClientOptions extends MessageLimits {
    readonly createConnection: () => Socket;
    /** Writes the four bytes of a mask; zeros are none. */
    readonly generateMask: (mask: Buffer) => void;
  }

  interface ServerOptions extends MessageLimits {
    readonly noServer: true;
    readonly clientTracking: false;
  }

  export class WebSocket extends EventEmitter<{ open: []; error: [Error]; close: [] }> {
    constructor(address: string, options: ClientOptions);
    send(message: Uint8Array): void;
    /** Ends it at once, whatever state it is in. */
    terminate(): void;
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: ServerOptions);
    /** Answers a request for an upgrade; `done` is not called when it makes no sense, which the other side is told. */
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (webSocket: WebSocket) => void): void;
  }

  export function createWebSocketStream(webSocket: WebSocket, options?: DuplexOptions): Duplex;
}
