/*
 * Writing dependency files: see rule.h. Where lines break is what gcc and clang do: src/compile/depfile.ts says where that is written.
 */
#include "rule.h"

#include "sys.h"

struct text {
    uint8_t *at;
    size_t size;
};

static void add_bytes(struct text *text, const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size; i++) text->at[text->size++] = from[i];
}

static void add(struct text *text, const char *literal) { add_bytes(text, literal, text_length(literal)); }

/* A name of the rule, for this checkout. */
struct name {
    struct span root, rest;
    size_t size;
};

static struct name read_name(struct reader *reader, struct span root) {
    struct name name = {{NULL, 0}, read_span(reader, read_u16(reader)), 0};
    if (name.rest.size > 0 && name.rest.at[0] == 0) {
        name.root = root;
        name.rest.at++, name.rest.size--;
    }
    name.size = name.root.size + name.rest.size;
    return name;
}

static void add_name(struct text *text, const struct name *name) {
    add_bytes(text, name->root.at, name->root.size);
    add_bytes(text, name->rest.at, name->rest.size);
}

/* Column 72 is the last that gcc writes to. */
static size_t add_for_gcc(struct text *text, const struct name *name, size_t column) {
    const bool first = column == 0, breaks = !first && column + name->size > 72;
    if (!first) add(text, breaks ? " \\\n " : " ");
    add_name(text, name);
    return first ? name->size : (breaks ? 0 : column) + 1 + name->size;
}

/* 75 columns; clang counts targets and dependencies differently. */
static size_t add_target_for_clang(struct text *text, const struct name *name, size_t column) {
    const bool first = column == 0, breaks = !first && column + name->size + 2 > 75;
    if (!first) add(text, breaks ? " \\\n  " : " ");
    add_name(text, name);
    return first ? name->size : breaks ? name->size + 2 : column + name->size + 1;
}

static size_t add_dependency_for_clang(struct text *text, const struct name *name, size_t column) {
    const bool breaks = column + name->size + 1 + 2 > 75;
    if (breaks) add(text, " \\\n ");
    add(text, " ");
    add_name(text, name);
    return (breaks ? 2 : column) + name->size + 1;
}

enum style { GCC, CLANG };

struct span rule_write(struct span rule, struct span root) {
    const struct span nothing = {NULL, 0};
    struct reader reader = {rule.at, rule.at + rule.size, false};
    const uint8_t style = read_u8(&reader), spaced = read_u8(&reader);
    const unsigned targets = read_u16(&reader), dependencies = read_u16(&reader), phony = read_u16(&reader);
    const size_t count = (size_t)targets + dependencies + phony;
    /* What stands around a name takes up to six bytes, of which the rule has two. */
    struct text text = {sys_allocate(rule.size + count * (root.size + 4) + 8), 0};
    if (text.at == NULL || style > CLANG || spaced > 1 || targets == 0) return nothing;
    size_t column = 0;
    for (unsigned i = 0; i < targets; i++) {
        const struct name name = read_name(&reader, root);
        column = style == GCC ? add_for_gcc(&text, &name, column) : add_target_for_clang(&text, &name, column);
    }
    add(&text, ":");
    column++;
    for (unsigned i = 0; i < dependencies; i++) {
        const struct name name = read_name(&reader, root);
        column = style == GCC ? add_for_gcc(&text, &name, column) : add_dependency_for_clang(&text, &name, column);
    }
    add(&text, "\n");
    for (unsigned i = 0; i < phony; i++) {
        const struct name name = read_name(&reader, root);
        if (spaced) add(&text, "\n");
        add_name(&text, &name);
        add(&text, ":\n");
    }
    return reader.short_of || reader.at != reader.end ? nothing : (struct span){text.at, text.size};
}
