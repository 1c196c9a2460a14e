/* Times and UUIDs of base/text.h. The calendar is the proleptic Gregorian one, by arithmetic on days, so that neither
 * the time zone nor the C library's range plays a part. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/text.h"

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)
#define DAYS_PER_ERA INT64_C(146097) /* 400 years */
#define DAYS_TO_1970 INT64_C(719468) /* from 0000-03-01; a year that begins in March ends with the leap day */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static void date_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    int64_t era = floor_div(days + DAYS_TO_1970, DAYS_PER_ERA);
    int64_t day_of_era = days + DAYS_TO_1970 - era * DAYS_PER_ERA;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

/* A separator and `count` digits of value; returns the end. */
static char *put_digits(char *out, char separator, int count, int64_t value)
{
    out[0] = separator;
    for (int i = count; i > 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count + 1;
}

void pond_format_time(int64_t time_us, char out[32])
{
    int64_t seconds = floor_div(time_us, US_PER_SECOND);
    int64_t days = floor_div(seconds, SECONDS_PER_DAY);
    int64_t us = time_us % US_PER_SECOND; /* not by seconds * US_PER_SECOND: that may lie below INT64_MIN */
    if (us < 0)
        us += US_PER_SECOND;
    int64_t second = seconds - days * SECONDS_PER_DAY;
    int64_t year;
    int64_t month;
    int64_t day;
    date_from_days(days, &year, &month, &day);

    /* At most seven characters of year; the rest takes 23 and the NUL. */
    int year_size = snprintf(out, 8, "%04d", (int)year);
    char *p = out + year_size;
    p = put_digits(p, '-', 2, month);
    p = put_digits(p, '-', 2, day);
    p = put_digits(p, 'T', 2, second / 3600);
    p = put_digits(p, ':', 2, second / 60 % 60);
    p = put_digits(p, ':', 2, second % 60);
    p = put_digits(p, '.', 6, us);
    memcpy(p, "Z", 2);
}

/* Exactly `count` digits at *p, which moves past them. */
static bool take_digits(const char **p, int count, int64_t *out)
{
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        char c = (*p)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *p += count;
    *out = value;
    return true;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static bool take_date(const char **p, int64_t *days)
{
    int64_t year;
    int64_t month;
    int64_t day;
    if (!take_digits(p, 4, &year) || !take_char(p, '-') || !take_digits(p, 2, &month) || !take_char(p, '-') ||
        !take_digits(p, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *days = days_from_date(year, month, day);
    return true;
}

/* hh:mm:ss, second 60 being a leap second, and a fraction, of which microseconds are kept. */
static bool take_clock(const char **p, int64_t *us_of_day)
{
    int64_t hour;
    int64_t minute;
    int64_t second;
    int64_t us = 0;
    if (!take_digits(p, 2, &hour) || !take_char(p, ':') || !take_digits(p, 2, &minute) || !take_char(p, ':') ||
        !take_digits(p, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (take_char(p, '.')) {
        int64_t digit;
        int64_t scale = US_PER_SECOND / 10;
        if (!take_digits(p, 1, &digit))
            return false;
        do {
            us += digit * scale;
            scale /= 10;
        } while (take_digits(p, 1, &digit));
    }
    *us_of_day = (hour * 3600 + minute * 60 + second) * US_PER_SECOND + us;
    return true;
}

static bool take_zone(const char **p, int64_t *offset_us)
{
    int64_t hour;
    int64_t minute;
    *offset_us = 0;
    if (take_char(p, 'Z') || take_char(p, 'z'))
        return true;
    bool negative = **p == '-';
    if (!take_char(p, '-') && !take_char(p, '+'))
        return false;
    if (!take_digits(p, 2, &hour) || !take_char(p, ':') || !take_digits(p, 2, &minute) || hour > 23 || minute > 59)
        return false;
    *offset_us = (hour * 3600 + minute * 60) * US_PER_SECOND * (negative ? -1 : 1);
    return true;
}

bool pond_parse_time(const char *text, int64_t *time_us)
{
    const char *p = text;
    int64_t days;
    int64_t us_of_day = 0;
    int64_t offset_us = 0;

    if (!take_date(&p, &days))
        return false;
    if (*p != '\0') {
        if (!take_char(&p, 'T') && !take_char(&p, 't') && !take_char(&p, ' '))
            return false;
        if (!take_clock(&p, &us_of_day) || !take_zone(&p, &offset_us) || *p != '\0')
            return false;
    }
    /* Years 0 to 9999: far from overflow. */
    *time_us = days * SECONDS_PER_DAY * US_PER_SECOND + us_of_day - offset_us;
    return true;
}

int64_t pond_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

void pond_uuid7(uint8_t out[16])
{
    /* Up to 256 bytes come whole, once the kernel's pool is ready; only a signal before that interrupts. An id that is
     * not random would be worse than no process. */
    while (getrandom(out, 16, 0) != 16)
        if (errno != EINTR)
            abort();

    /* RFC 9562, 5.7 and 6.2 method 3: milliseconds, then the fraction below in rand_a, so that ids made in one
     * millisecond are in order too. */
    uint64_t now_us = (uint64_t)pond_now_us();
    uint64_t ms = now_us / 1000;
    uint64_t fraction = now_us % 1000 * 4096 / 1000;
    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)(ms >> (40 - 8 * i));
    out[6] = (uint8_t)(0x70 | fraction >> 8);
    out[7] = (uint8_t)fraction;
    out[8] = (uint8_t)(0x80 | (out[8] & 0x3F));
}

static bool is_hyphen_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

void pond_uuid_format(const uint8_t uuid[16], char out[POND_UUID_TEXT_SIZE])
{
    char hex[33];
    pond_hex(uuid, 16, hex);
    size_t digit = 0;
    for (size_t i = 0; i < POND_UUID_TEXT_SIZE - 1; i++)
        out[i] = is_hyphen_place(i) ? '-' : hex[digit++];
    out[POND_UUID_TEXT_SIZE - 1] = '\0';
}

bool pond_uuid_parse(const char *text, size_t text_size, uint8_t out[16])
{
    char hex[32];
    size_t digit = 0;
    if (text_size != POND_UUID_TEXT_SIZE - 1)
        return false;
    for (size_t i = 0; i < text_size; i++) {
        char c = text[i];
        if (is_hyphen_place(i)) {
            if (c != '-')
                return false;
            continue;
        }
        /* Other writers use capitals too. */
        hex[digit++] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
    }
    return pond_unhex(hex, sizeof(hex), out, 16);
}
