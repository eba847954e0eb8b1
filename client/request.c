/*
 * Making the COMPILE frame: see request.h.
 */
#include "request.h"

#include "frames.h"

#define AT_WHY 7 /* Behind the frame's header and the version. */
#define AT_FLAGS 8
#define FLAG_CHECKS 1 /* Holds a DONE that is not validated against the files, and asks again where it is outdated. */
#define AT_KEY 9
#define AT_SESSION 41
#define AT_HASHED 49
#define TERMINALS_BYTES 4

static size_t text32_size(const char *text) { return 4 + text_length(text); }

static uint8_t *store_text32(uint8_t *at, const char *text) {
    const size_t length = text_length(text);
    at = store_u32(at, (uint32_t)length);
    for (size_t i = 0; i < length; i++) *at++ = (uint8_t)*text++;
    return at;
}

/* Most requests fit here; pages that stay untouched cost nothing. */
static uint8_t usual_frame[64 * 1024];

/* The terminal whose width messages are folded to. */
static uint16_t columns(const struct request *request) {
    return request->standard_error.is_terminal ? request->standard_error.columns : request->standard_output.columns;
}

bool request_make(struct request *request, const struct compiler *compiler, const struct settings *settings) {
    char *const directory = scratch.text;
    /* A closed stream would make one of our own files the compiler's output. Whoever closes it gets the bare compiler. */
    if (sys_terminal(1, &request->standard_output) < 0 || sys_terminal(2, &request->standard_error) < 0) return false;
    if (sys_working_directory(directory, PATH_BYTES) <= 0 || directory[0] != '/') return false;

    size_t size = AT_HASHED + TERMINALS_BYTES + text32_size(directory) + text32_size(compiler->path.text) + 4 + 4;
    uint32_t variable_count = 0;
    for (int i = 0; i < compiler->argument_count; i++) size += text32_size(compiler->argv[i]);
    for (int i = 0; i < VARIABLES_THAT_MATTER; i++)
        if (settings->variables[i] != NULL) {
            size += text32_size(settings->variables[i]);
            variable_count++;
        }
    if (size - FRAME_HEADER_BYTES > FRAME_BYTES_MOST) return false;

    request->frame = size <= sizeof usual_frame ? usual_frame : sys_allocate(size);
    if (request->frame == NULL) return false;
    request->size = size;

    uint8_t *at = store_u32(request->frame, (uint32_t)(size - FRAME_HEADER_BYTES));
    *at++ = FRAME_COMPILE;
    store_u16(at, PROTOCOL_VERSION);
    request->frame[AT_FLAGS] = FLAG_CHECKS;
    store_u64(request->frame + AT_SESSION, settings->session);

    at = request->frame + AT_HASHED;
    *at++ = (uint8_t)(request->standard_error.is_terminal | request->standard_output.is_terminal << 1);
    *at++ = 0;
    at = store_u16(at, columns(request));
    at = store_text32(at, directory);
    at = store_text32(at, compiler->path.text);
    at = store_u32(at, (uint32_t)compiler->argument_count);
    for (int i = 0; i < compiler->argument_count; i++) at = store_text32(at, compiler->argv[i]);
    at = store_u32(at, variable_count);
    for (int i = 0; i < VARIABLES_THAT_MATTER; i++)
        if (settings->variables[i] != NULL) at = store_text32(at, settings->variables[i]);

    sha256(request->frame + AT_HASHED, size - AT_HASHED, request->frame + AT_KEY);
    request->key = request->frame + AT_KEY;
    return true;
}

struct span request_directory(const struct request *request) {
    const uint8_t *text = request->frame + AT_HASHED + TERMINALS_BYTES;
    return (struct span){text + 4, load_u32(text)};
}

static bool continues_name(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' ||
           byte == '~' || byte == '+' || byte == '-' || byte >= 0x80;
}

/* A text of the request with a zero byte in the place of each `root`. */
static uint8_t *store_movable(uint8_t *at, struct reader *reader, struct span root) {
    const struct span text = read_span(reader, read_u32(reader));
    uint8_t *const length = at;
    at += 4;
    for (size_t i = 0; i < text.size;) {
        const size_t behind = i + root.size;
        const bool is_root = text.at[i] == '/' && behind <= text.size && bytes_equal(text.at + i, root.at, root.size) &&
                             (behind == text.size || !continues_name(text.at[behind]));
        *at++ = is_root ? 0 : text.at[i];
        i = is_root ? behind : i + 1;
    }
    store_u32(length, (uint32_t)(at - length - 4));
    return at;
}

bool request_movable_key(const struct request *request, struct span root, uint8_t key[SHA256_BYTES]) {
    static uint8_t usual[sizeof usual_frame];
    static const uint8_t kind[8] = {'C', 'A', 'I', 'R', 'N', 'M', 'V', '1'};
    uint8_t *const bytes = request->size <= sizeof usual ? usual : sys_allocate(request->size); /* Its head is longer than `kind`. */
    if (bytes == NULL) return false;
    struct reader reader = {request->frame + AT_HASHED, request->frame + request->size, false};
    uint8_t *at = bytes;
    for (size_t i = 0; i < sizeof kind; i++) *at++ = kind[i];
    at = store_u32(at, read_u32(&reader));
    for (int text = 0; text < 2; text++) at = store_movable(at, &reader, root);
    for (int list = 0; list < 2; list++) {
        const uint32_t count = read_u32(&reader);
        at = store_u32(at, count);
        for (uint32_t text = 0; text < count; text++) at = store_movable(at, &reader, root);
    }
    sha256(bytes, (size_t)(at - bytes), key);
    if (bytes != usual) sys_release(bytes, request->size);
    return true;
}

void request_set_why(struct request *request, enum why why) { request->frame[AT_WHY] = (uint8_t)why; }

enum why request_why(const struct request *request) { return request->frame[AT_WHY]; }
