/* bench/gen.h - what the generators share: sizes, a seeded sequence of numbers, buffered output. They end the program with
 * status 1 and a message when something fails. */
#ifndef BENCH_GEN_H
#define BENCH_GEN_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__GNUC__)
__attribute__((noreturn, format(printf, 1, 2)))
#endif
static inline void gen_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* Bytes: digits and one of K M G T, with or without iB. */
static inline uint64_t gen_size(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    const char *units = "KMGT", *unit = *end != '\0' ? strchr(units, *end) : NULL;
    unsigned shift = unit != NULL ? (unsigned)(unit - units + 1) * 10 : 0;
    if (unit != NULL)
        end++;
    if (errno != 0 || end == text || (*end != '\0' && strcmp(end, "iB") != 0) || value > UINT64_MAX >> shift)
        gen_die("not a size: %s", text);
    return value << shift;
}

/* splitmix64 (public domain, Sebastiano Vigna). */
static inline uint64_t gen_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t gen_below(uint64_t *state, uint64_t limit) { return gen_next(state) % limit; }

static inline void gen_fill(uint64_t *state, uint8_t *out, size_t size)
{
    while (size > 0) {
        uint64_t value = gen_next(state);
        size_t n = size < sizeof value ? size : sizeof value;
        memcpy(out, &value, n);
        out += n;
        size -= n;
    }
}

static inline void gen_write(int fd, const char *name, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno != EINTR)
            gen_die("%s: %s", name, strerror(errno));
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
}

static inline int gen_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        gen_die("%s: %s", path, strerror(errno));
    return fd;
}

static inline void gen_close(int fd, const char *path)
{
    if (close(fd) != 0)
        gen_die("%s: %s", path, strerror(errno));
}

#endif
