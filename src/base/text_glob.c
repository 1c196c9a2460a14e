/* Globs of base/text.h: the pattern becomes a row of tokens, and the text is run through all of them at once (a
 * nondeterministic automaton held as a set of states), so that no pattern takes exponential time. */
#include <assert.h>
#include <string.h>

#include "base/text.h"

enum token_kind {
    TOKEN_BYTE,     /* that byte */
    TOKEN_ANY,      /* ?   */
    TOKEN_SET,      /* [...] */
    TOKEN_STAR,     /* *   */
    TOKEN_GLOBSTAR, /* **  */
    TOKEN_MAYBE,    /* the two tokens that follow (GLOBSTAR and '/') may be absent */
};

struct token {
    uint8_t kind;
    uint8_t byte;
    uint16_t set_start; /* the pattern's bytes within the brackets */
    uint16_t set_end;
};

/* One element of a set at p: a byte, perhaps quoted. */
static const char *set_element(const char *p, const char *end, uint8_t *out)
{
    if (*p == '\\' && end - p > 1)
        p++;
    *out = (uint8_t)*p;
    return p + 1;
}

static bool set_matches(const char *p, const char *end, uint8_t byte)
{
    bool negated = p < end && (*p == '!' || *p == '^');
    bool found = false;
    if (byte == '/')
        return false;
    if (negated)
        p++;
    while (p < end) {
        uint8_t low;
        p = set_element(p, end, &low);
        uint8_t high = low;
        if (end - p > 1 && *p == '-')
            p = set_element(p + 1, end, &high);
        found |= low <= byte && byte <= high;
    }
    return found != negated;
}

/* The closing bracket of the set whose first byte (after '[') is at p; NULL: none, '[' stands for itself. */
static const char *set_close(const char *p)
{
    if (*p == '!' || *p == '^')
        p++;
    for (bool first = true; *p != '\0'; p++, first = false) {
        if (*p == ']' && !first)
            return p;
        if (*p == '\\' && p[1] != '\0')
            p++;
    }
    return NULL;
}

/* Tokens of pattern to out: no more than it has bytes (a star pair becomes two where it is followed by '/'). */
static size_t compile(const char *pattern, struct token *out)
{
    size_t count = 0;
    const char *p = pattern;
    while (*p != '\0') {
        const char *close;
        if (p[0] == '*' && p[1] == '*') {
            bool at_component = p == pattern || p[-1] == '/';
            while (*p == '*')
                p++;
            if (at_component && *p == '/')
                out[count++] = (struct token){.kind = TOKEN_MAYBE};
            out[count++] = (struct token){.kind = TOKEN_GLOBSTAR};
        } else if (*p == '*') {
            out[count++] = (struct token){.kind = TOKEN_STAR};
            p++;
        } else if (*p == '?') {
            out[count++] = (struct token){.kind = TOKEN_ANY};
            p++;
        } else if (*p == '[' && (close = set_close(p + 1)) != NULL) {
            out[count++] = (struct token){.kind = TOKEN_SET,
                                          .set_start = (uint16_t)(p + 1 - pattern),
                                          .set_end = (uint16_t)(close - pattern)};
            p = close + 1;
        } else {
            if (*p == '\\' && p[1] != '\0')
                p++;
            out[count++] = (struct token){.kind = TOKEN_BYTE, .byte = (uint8_t)*p};
            p++;
        }
    }
    return count;
}

/* Adds the states that are reached without reading a byte. They all lie to the right, so one pass does. */
static void follow_empty_moves(const struct token *tokens, size_t count, bool *active)
{
    for (size_t i = 0; i < count; i++) {
        if (!active[i])
            continue;
        if (tokens[i].kind == TOKEN_STAR || tokens[i].kind == TOKEN_GLOBSTAR) {
            active[i + 1] = true;
        } else if (tokens[i].kind == TOKEN_MAYBE) {
            active[i + 1] = true;
            active[i + 3] = true;
        }
    }
}

/* Does this token take the byte and, but for the stars, let go? */
static bool token_takes(const struct token *token, const char *pattern, uint8_t byte)
{
    switch (token->kind) {
    case TOKEN_BYTE:
        return token->byte == byte;
    case TOKEN_SET:
        return set_matches(pattern + token->set_start, pattern + token->set_end, byte);
    case TOKEN_ANY:
    case TOKEN_STAR:
        return byte != '/';
    case TOKEN_GLOBSTAR:
        return true;
    default:
        return false;
    }
}

/* One byte: from right to left, so that each state is read before its left neighbour writes it. */
static bool step(const struct token *tokens, size_t count, const char *pattern, uint8_t byte, bool *active)
{
    bool any = false;
    active[count] = false;
    for (size_t i = count; i-- > 0;) {
        if (!active[i])
            continue;
        active[i] = false;
        if (!token_takes(&tokens[i], pattern, byte))
            continue;
        bool stays = tokens[i].kind == TOKEN_STAR || tokens[i].kind == TOKEN_GLOBSTAR;
        active[stays ? i : i + 1] = true;
        any = true;
    }
    return any;
}

bool pond_glob_match(const char *pattern, const char *text)
{
    struct token tokens[POND_GLOB_MAX];
    bool active[POND_GLOB_MAX + 1] = {false};
    if (strlen(pattern) > POND_GLOB_MAX)
        return false;

    size_t count = compile(pattern, tokens);
    assert(count <= POND_GLOB_MAX);
    active[0] = true;
    follow_empty_moves(tokens, count, active);
    for (; *text != '\0'; text++) {
        if (!step(tokens, count, pattern, (uint8_t)*text, active))
            return false;
        follow_empty_moves(tokens, count, active);
    }
    return active[count];
}

bool pond_glob_has_magic(const char *pattern)
{
    return strpbrk(pattern, "*?[\\") != NULL;
}
