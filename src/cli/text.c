/* Numbers, times and raw bytes as text. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

#define US_PER_SECOND INT64_C(1000000)

/* The power of 1024 that a suffix stands for ("", "K", "KiB"), or -1. */
static int suffix_power(const char *suffix)
{
    static const char letters[] = "KMGTPE";
    if (suffix[0] == '\0')
        return 0;
    const char *letter = strchr(letters, suffix[0]);
    if (letter == NULL || (suffix[1] != '\0' && strcmp(suffix + 1, "iB") != 0))
        return -1;
    return (int)(letter - letters) + 1;
}

bool cli_parse_number(const char *text, uint64_t *out)
{
    uint64_t number = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(number, 10u, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number))
            return false;
    int power = suffix_power(p);
    if (p == text || power < 0)
        return false;
    /* What libpond takes are signed 64 bits. */
    if (__builtin_mul_overflow(number, UINT64_C(1) << 10 * power, &number) || number > INT64_MAX)
        return false;
    *out = number;
    return true;
}

const char *cli_format_size(uint64_t bytes, char out[SIZE_TEXT])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(out, SIZE_TEXT, "%u B", (unsigned)bytes);
        return out;
    }
    double value = (double)bytes;
    size_t unit = 0;
    /* 1023.95 and up would be printed as 1024.0. */
    while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    snprintf(out, SIZE_TEXT, "%.1f %s", value, units[unit]);
    return out;
}

/* The date and time to whole seconds; returns the microseconds below. */
static int format_seconds(int64_t time_us, char out[TIME_TEXT])
{
    int64_t us = time_us % US_PER_SECOND;
    if (us < 0)
        us += US_PER_SECOND;
    time_t seconds = (time_us - us) / US_PER_SECOND;
    struct tm tm;
    if (gmtime_r(&seconds, &tm) == NULL)
        tm = (struct tm){.tm_mday = 1};
    snprintf(out, TIME_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);
    return (int)us;
}

const char *cli_format_time(int64_t time_us, int32_t nanos, char out[TIME_TEXT])
{
    int us = format_seconds(time_us, out);
    size_t size = strlen(out);
    if (nanos == 0)
        snprintf(out + size, TIME_TEXT - size, ".%06dZ", us);
    else
        snprintf(out + size, TIME_TEXT - size, ".%06d%03dZ", us, (int)nanos);
    return out;
}

const char *cli_format_time_short(int64_t time_us, char out[TIME_TEXT])
{
    (void)format_seconds(time_us, out);
    size_t size = strlen(out);
    snprintf(out + size, TIME_TEXT - size, "Z");
    return out;
}

const char *cli_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

double cli_round_seconds(double seconds)
{
    return (double)(int64_t)(seconds * 1000 + 0.5) / 1000;
}

const char *cli_format_hash(const uint8_t hash[POND_HASH_SIZE], char out[2 * POND_HASH_SIZE + 1])
{
    for (size_t i = 0; i < POND_HASH_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return out;
}

/* ---- raw bytes ---- */

/* Bytes of the well-formed UTF-8 character at s (RFC 3629), or 0. */
static size_t utf8_size(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t size = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    uint32_t code = size < 2 ? 0 : p[0] & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    if ((size == 3 && code < 0x800) || (size == 4 && (code < 0x10000 || code > 0x10FFFF)))
        return 0;
    return code >= 0xD800 && code <= 0xDFFF ? 0 : size;
}

/* Bytes of the character at s when a terminal shows it as text, or 0: controls (C0, DEL, C1) and what is not UTF-8. */
static size_t printable_size(const char *s)
{
    size_t size = utf8_size(s);
    unsigned char first = (unsigned char)s[0];
    bool control = first < 0x20 || first == 0x7F || (size == 2 && first == 0xC2 && (unsigned char)s[1] < 0xA0);
    return control ? 0 : size;
}

bool cli_is_printable(const char *bytes)
{
    while (*bytes != '\0') {
        size_t size = printable_size(bytes);
        if (size == 0)
            return false;
        bytes += size;
    }
    return true;
}

static void put_escape(FILE *out, char byte)
{
    switch (byte) {
    case '\n':
        fputs("\\n", out);
        break;
    case '\r':
        fputs("\\r", out);
        break;
    case '\t':
        fputs("\\t", out);
        break;
    default:
        fprintf(out, "\\x%02x", (unsigned)(unsigned char)byte);
    }
}

void cli_put_escaped(FILE *out, const char *bytes)
{
    while (*bytes != '\0') {
        size_t size = printable_size(bytes);
        if (size > 0)
            fwrite(bytes, 1, size, out);
        else
            put_escape(out, *bytes);
        bytes += size > 0 ? size : 1;
    }
}

/* $'a\nb'. bash reads at most two digits after \x, so that what follows may be a digit. */
static void put_dollar_quoted(FILE *out, const char *bytes)
{
    fputs("$'", out);
    while (*bytes != '\0') {
        size_t size = printable_size(bytes);
        if (*bytes == '\'' || *bytes == '\\')
            fputc('\\', out);
        if (size > 0)
            fwrite(bytes, 1, size, out);
        else
            put_escape(out, *bytes);
        bytes += size > 0 ? size : 1;
    }
    fputc('\'', out);
}

void cli_put_shell_word(FILE *out, const char *bytes)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@^_";
    size_t size = strlen(bytes);
    if (size > 0 && strspn(bytes, plain) == size) {
        fwrite(bytes, 1, size, out);
        return;
    }
    if (!cli_is_printable(bytes)) {
        put_dollar_quoted(out, bytes);
        return;
    }
    fputc('\'', out);
    for (; *bytes != '\0'; bytes++) {
        if (*bytes == '\'')
            fputs("'\\''", out);
        else
            fputc(*bytes, out);
    }
    fputc('\'', out);
}

/* Each byte that is not UTF-8 becomes U+FFFD. Fresh memory. */
static char *lossy_text(const char *bytes, bool *lost)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    char *text = cli_realloc(NULL, strlen(bytes) + 1, sizeof(replacement) - 1);
    char *p = text;
    *lost = false;
    while (*bytes != '\0') {
        size_t size = utf8_size(bytes);
        *lost = *lost || size == 0;
        p = mempcpy(p, size > 0 ? bytes : replacement, size > 0 ? size : sizeof(replacement) - 1);
        bytes += size > 0 ? size : 1;
    }
    *p = '\0';
    return text;
}

/* RFC 4648, padded. Fresh memory. */
static char *base64(const char *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes;
    size_t size = strlen(bytes);
    char *text = cli_realloc(NULL, size / 3 + 2, 4);
    char *out = text;
    for (; size > 0; p += 3) {
        size_t n = size < 3 ? size : 3;
        uint32_t group = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);
        *out++ = digits[group >> 18];
        *out++ = digits[group >> 12 & 63];
        *out++ = n > 1 ? digits[group >> 6 & 63] : '=';
        *out++ = n > 2 ? digits[group & 63] : '=';
        size -= n;
    }
    *out = '\0';
    return text;
}

void cli_json_set_bytes(json_t *object, const char *key, const char *bytes)
{
    bool lost;
    char *text = lossy_text(bytes, &lost);
    if (json_object_set_new(object, key, json_string(text)) < 0)
        cli_die_nomem();
    free(text);
    if (!lost)
        return;
    char *base64_key = NULL;
    if (asprintf(&base64_key, "%s_base64", key) < 0)
        cli_die_nomem();
    text = base64(bytes);
    if (json_object_set_new(object, base64_key, json_string(text)) < 0)
        cli_die_nomem();
    free(text);
    free(base64_key);
}
