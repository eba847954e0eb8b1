/*
 * Numbers of the compile socket's protocol: docs/protocol/compile-socket.md.
 */
#ifndef CAIRN_FRAMES_H
#define CAIRN_FRAMES_H

#define PROTOCOL_VERSION 3
#define FRAME_HEADER_BYTES 5 /* u32 length of what follows the header, u8 type. */
#define FRAME_BYTES_MOST 16777216u

enum frame_type {
    FRAME_COMPILE = 0x01,
    FRAME_RAN = 0x02,
    FRAME_WORKING = 0x80,
    FRAME_DONE = 0x81,
    FRAME_RUN = 0x82,
    FRAME_PASS = 0x83,
    FRAME_STORED = 0x84,
    FRAME_REFUSED = 0x85,
};

#define RUN_RIVALLED 1 /* A flag of RUN: DONE may follow while the compiler runs. */

#define FIRST_FRAME_MS 1000 /* On a machine that is overloaded a daemon that lives takes half a second now and then. */
#define NEXT_FRAME_MS 10000
#define STORED_MS 2000
#define UNRESPONSIVE_MS 5000 /* How long others do not ask a daemon that did not answer. */
#define STARTING_MS 10000    /* How long nobody starts a daemon after somebody did. */
#define DEEPEST 8            /* Wrappers inside each other. */
#define CAPTURED_BYTES_MOST 8388608u

#endif
