#include "base/text.h"

#include <stdio.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

void pond_hex(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool pond_unhex(const char *text, size_t text_size, uint8_t *out, size_t size)
{
    if (text_size % 2 != 0 || text_size / 2 != size)
        return false;
    for (size_t i = 0; i < text_size; i++)
        if (hex_value(text[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(hex_value(text[2 * i]) * 16 + hex_value(text[2 * i + 1]));
    return true;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int pond_base64_encode(struct pond_buf *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (n > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (n > 2)
            group |= bytes[i + 2];
        char text[4] = {base64_digits[group >> 18 & 63], base64_digits[group >> 12 & 63],
                        n > 1 ? base64_digits[group >> 6 & 63] : '=', n > 2 ? base64_digits[group & 63] : '='};
        POND_TRY(pond_buf_append(out, text, sizeof(text)));
    }
    return out->error;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* Four characters, of which the last `padding` are '='. Unused bits must be zero: one text per value. */
static bool base64_group(struct pond_buf *out, const char *text, size_t padding)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < 4 - padding ? base64_value(text[i]) : 0;
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
    }
    uint8_t bytes[3] = {(uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group};
    for (size_t i = 3 - padding; i < 3; i++)
        if (bytes[i] != 0)
            return false;
    return pond_buf_append(out, bytes, 3 - padding) == 0;
}

bool pond_base64_decode(struct pond_buf *out, const char *text, size_t text_size)
{
    if (text_size % 4 != 0 || out->error != 0)
        return false;
    size_t size_before = out->size;
    for (size_t i = 0; i < text_size; i += 4) {
        size_t padding = 0;
        if (i + 4 == text_size && text[i + 3] == '=')
            padding = text[i + 2] == '=' ? 2 : 1;
        if (!base64_group(out, text + i, padding)) {
            out->size = size_before;
            return false;
        }
    }
    return true;
}

/* Bytes of the well-formed sequence at s (RFC 3629, table in section 4), or 0. size > 0. */
static size_t utf8_sequence(const uint8_t *s, size_t size)
{
    uint8_t lead = s[0];
    uint8_t second_min = 0x80;
    uint8_t second_max = 0xBF;
    size_t length;

    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        length = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        length = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        length = 4;
    else
        return 0;
    if (lead == 0xE0)
        second_min = 0xA0;
    else if (lead == 0xED)
        second_max = 0x9F;
    else if (lead == 0xF0)
        second_min = 0x90;
    else if (lead == 0xF4)
        second_max = 0x8F;

    if (length > size || s[1] < second_min || s[1] > second_max)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool pond_utf8_valid(const char *bytes, size_t size)
{
    const uint8_t *s = (const uint8_t *)bytes;
    size_t i = 0;
    while (i < size) {
        size_t length = utf8_sequence(s + i, size - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

int pond_utf8_lossy(struct pond_buf *out, const char *bytes, size_t size)
{
    const uint8_t *s = (const uint8_t *)bytes;
    size_t i = 0;
    while (i < size) {
        size_t length = utf8_sequence(s + i, size - i);
        if (length == 0)
            POND_TRY(pond_buf_append(out, "\xEF\xBF\xBD", 3));
        else
            POND_TRY(pond_buf_append(out, s + i, length));
        i += length == 0 ? 1 : length;
    }
    return out->error;
}

bool pond_parse_size(const char *text, uint64_t *out)
{
    static const char units[] = "KMGT";
    uint64_t value = 0;
    const char *p = text;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (!pond_mul_u64(value, 10, &value) || !pond_add_u64(value, (uint64_t)(*p - '0'), &value))
            return false;
    if (*p != '\0') {
        const char *unit = strchr(units, *p);
        if (unit == NULL || (p[1] != '\0' && strcmp(p + 1, "iB") != 0))
            return false;
        if (!pond_mul_u64(value, (uint64_t)1 << (10 * (unit - units + 1)), &value))
            return false;
    }
    *out = value;
    return true;
}

void pond_format_size(uint64_t size_bytes, char out[16])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t u = 0;
    while (u + 1 < sizeof(units) / sizeof(units[0]) && size_bytes >> (10 * (u + 1)) != 0)
        u++;
    if (u == 0) {
        snprintf(out, 16, "%u B", (unsigned)(size_bytes & 1023));
        return;
    }

    /* rest < 2^60, so rest * 10 fits. */
    uint64_t unit = (uint64_t)1 << (10 * u);
    uint64_t whole = size_bytes / unit;
    uint64_t tenths = (size_bytes % unit * 10 + unit / 2) / unit;
    if (tenths == 10) {
        tenths = 0;
        whole++;
    }
    if (whole == 1024) {
        whole = 1;
        u++;
    }
    /* The masks change nothing; they show the compiler that the text fits. */
    snprintf(out, 16, "%u.%u %s", (unsigned)(whole & 1023), (unsigned)(tenths % 10), units[u]);
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._~/=-", c) != NULL);
}

int pond_percent_encode(struct pond_buf *out, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (is_unreserved(bytes[i]))
            POND_TRY(pond_buf_append(out, bytes + i, 1));
        else
            POND_TRY(pond_buf_printf(out, "%%%02X", (unsigned)(uint8_t)bytes[i]));
    }
    return out->error;
}

static int hex_value_any_case(char c)
{
    return hex_value(c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c);
}

/* One byte of percent-encoded text at *i, which moves past it; -1: malformed. */
static int percent_byte(const char *text, size_t size, size_t *i)
{
    if (text[*i] != '%')
        return (uint8_t)text[(*i)++];
    if (size - *i < 3)
        return -1;
    int high = hex_value_any_case(text[*i + 1]);
    int low = hex_value_any_case(text[*i + 2]);
    *i += 3;
    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return -1;
    return high << 4 | low;
}

bool pond_percent_decode(struct pond_buf *out, const char *text, size_t size)
{
    size_t size_before = out->size;
    for (size_t i = 0; i < size;) {
        int byte = percent_byte(text, size, &i);
        if (byte < 0 || pond_buf_append_byte(out, (uint8_t)byte) != 0) {
            out->size = size_before;
            return false;
        }
    }
    return out->error == 0;
}

static bool component_is_safe(const char *name, size_t size)
{
    if (size == 0 || size > 255)
        return false;
    if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))
        return false;
    return memchr(name, '\0', size) == NULL;
}

bool pond_path_is_safe(const char *path, size_t size)
{
    if (size > 4095)
        return false;
    /* An absolute path begins with an empty component; so the loop refuses it, and the empty path. */
    size_t start = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && path[i] != '/')
            continue;
        if (!component_is_safe(path + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}
