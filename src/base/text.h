/* base/text.h - bytes to text and back: hex, base64, UTF-8, sizes, times, UUIDs, globs, percent-encoding. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mem.h"

/* Lower-case hex, NUL-terminated; out holds 2*size+1 bytes. */
void pond_hex(const uint8_t *bytes, size_t size, char *out);
/* Exactly 2*size lower-case hex digits (no other form is accepted, NUL must follow when text is a C string of
 * that length). False: not that. */
bool pond_unhex(const char *text, size_t text_size, uint8_t *out, size_t size);

int pond_base64_encode(struct pond_buf *out, const uint8_t *bytes, size_t size);           /* padded, RFC 4648 */
bool pond_base64_decode(struct pond_buf *out, const char *text, size_t text_size);         /* strict */

bool pond_utf8_valid(const char *bytes, size_t size); /* RFC 3629: no surrogates, no overlong forms */
/* A valid UTF-8 copy: each bad byte becomes U+FFFD. */
int pond_utf8_lossy(struct pond_buf *out, const char *bytes, size_t size);

/* "16MiB", "64K", "1G", "123" -> bytes. False on anything else or overflow. */
bool pond_parse_size(const char *text, uint64_t *out);
/* "1.5 GiB" style, at most 15 characters with NUL. */
void pond_format_size(uint64_t size_bytes, char out[16]);

/* Times are microseconds since 1970-01-01T00:00:00Z (int64). "2026-11-24T09:45:33.123456Z"; out >= 32 bytes. */
void pond_format_time(int64_t time_us, char out[32]);
/* RFC 3339 with Z or an offset, fraction optional; also "YYYY-MM-DD" (midnight UTC). */
bool pond_parse_time(const char *text, int64_t *time_us);
int64_t pond_now_us(void);

/* UUIDs as 16 bytes, and as 36 lower-case characters. */
#define POND_UUID_TEXT_SIZE 37
void pond_uuid7(uint8_t out[16]); /* time-ordered, random tail (getrandom) */
void pond_uuid_format(const uint8_t uuid[16], char out[POND_UUID_TEXT_SIZE]);
/* Capitals are taken too. */
bool pond_uuid_parse(const char *text, size_t text_size, uint8_t out[16]);

/* Shell glob over raw bytes: `*` and `?` and `[...]` do not match '/', `**` matches across '/'; a leading or
 * inner component `**` also stands for none (`**`, slash, `x` matches `x`). A backslash quotes. Runs in
 * O(pattern * text), never exponential. A pattern over POND_GLOB_MAX bytes matches nothing. */
#define POND_GLOB_MAX 4095
bool pond_glob_match(const char *pattern, const char *text);
/* True when the pattern is not the plain text of a name: it holds an unquoted special character or a quoting one. */
bool pond_glob_has_magic(const char *pattern);

/* URI percent-encoding of a relative path as Delta wants it: everything but [A-Za-z0-9._~/=-] is encoded. */
int pond_percent_encode(struct pond_buf *out, const char *bytes, size_t size);
/* Decodes once. False on a malformed escape or an encoded NUL. */
bool pond_percent_decode(struct pond_buf *out, const char *text, size_t size);

/* True when a relative path is safe to append to a directory: not empty, not absolute, no NUL, no empty, "." or
 * ".." component, no component over 255 bytes, at most 4095 bytes in all (invariant 8). */
bool pond_path_is_safe(const char *path, size_t size);

#endif
