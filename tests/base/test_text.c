#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

static void test_text__hex(void **state)
{
    (void)state;
    char text[9];
    uint8_t bytes[4] = {0};
    pond_hex((const uint8_t *)"\x00\x9f\xa0\xff", 4, text);
    assert_string_equal(text, "009fa0ff");
    assert_true(pond_unhex("009fa0ff", 8, bytes, 4));
    assert_memory_equal(bytes, "\x00\x9f\xa0\xff", 4);
    assert_true(pond_unhex("", 0, bytes, 0));
    assert_false(pond_unhex("009FA0ff", 8, bytes, 4));
    assert_false(pond_unhex("009fa0f", 7, bytes, 4));
    assert_false(pond_unhex("009fa0ff0", 9, bytes, 4));
    assert_false(pond_unhex("009fa0ff00", 10, bytes, 4));
    assert_false(pond_unhex("009fa0fg", 8, bytes, 4));
    assert_false(pond_unhex("0x9fa0ff", 8, bytes, 4));
    assert_memory_equal(bytes, "\x00\x9f\xa0\xff", 4);
}

static void test_text__base64(void **state)
{
    (void)state;
    /* RFC 4648, section 10. */
    static const char *const pairs[][2] = {{"", ""},           {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    struct pond_buf buf = {0};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        pond_buf_clear(&buf);
        assert_int_equal(pond_base64_encode(&buf, (const uint8_t *)pairs[i][0], strlen(pairs[i][0])), 0);
        assert_string_equal(pond_buf_cstr(&buf), pairs[i][1]);
        pond_buf_clear(&buf);
        assert_true(pond_base64_decode(&buf, pairs[i][1], strlen(pairs[i][1])));
        assert_string_equal(pond_buf_cstr(&buf), pairs[i][0]);
    }
    pond_buf_clear(&buf);
    assert_int_equal(pond_base64_encode(&buf, (const uint8_t *)"\xfb\xff\xfe", 3), 0);
    assert_string_equal(pond_buf_cstr(&buf), "+//+");

    static const char *const bad[] = {"Zg=",  "Zg",   "Z===", "====", "Zh==",     "Zm9=", "Zg==Zg==", "Zm\n9",
                                      "-_-_", "Zm 8", "=Zm8", "Z=g=", "Zm9vYg==="};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pond_buf_clear(&buf);
        pond_buf_append_str(&buf, "kept");
        assert_false(pond_base64_decode(&buf, bad[i], strlen(bad[i])));
        assert_string_equal(pond_buf_cstr(&buf), "kept");
    }
    pond_buf_release(&buf);
}

static void test_text__utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"", "a", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                       "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "x\xE2\x82\xACy"};
    static const struct {
        const char *bytes;
        const char *lossy;
    } bad[] = {{"\x80", "\xEF\xBF\xBD"},
               {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xC1\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"a\xC2", "a\xEF\xBF\xBD"},
               {"\xC2g", "\xEF\xBF\xBDg"},
               {"\xE0\x9F\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xE2\x82x", "\xEF\xBF\xBD\xEF\xBF\xBDx"},
               {"\xF0\x8F\xBF\xBF", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xF4\x90\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xF5\x80\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
               {"\xFFz", "\xEF\xBF\xBDz"}};
    struct pond_buf buf = {0};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(pond_utf8_valid(good[i], strlen(good[i])));
        pond_buf_clear(&buf);
        assert_int_equal(pond_utf8_lossy(&buf, good[i], strlen(good[i])), 0);
        assert_string_equal(pond_buf_cstr(&buf), good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(pond_utf8_valid(bad[i].bytes, strlen(bad[i].bytes)));
        pond_buf_clear(&buf);
        assert_int_equal(pond_utf8_lossy(&buf, bad[i].bytes, strlen(bad[i].bytes)), 0);
        assert_string_equal(pond_buf_cstr(&buf), bad[i].lossy);
    }
    assert_true(pond_utf8_valid("a\0b", 3));
    pond_buf_release(&buf);
}

static void test_text__sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {{"0", 0},          {"123", 123},       {"64K", 65536},
                {"16MiB", 16777216}, {"1G", 1073741824}, {"2TiB", (uint64_t)2 << 40},
                {"18446744073709551615", UINT64_MAX}, {"16777215T", (uint64_t)16777215 << 40}};
    static const char *const bad[] = {"",    " 1",   "1 ",    "-1",  "+1",  "1KB", "1k", "1iB", "1Kib", "1KiBx",
                                      "1.5G", "0x10", "K",     "1B",  "1KK", "18446744073709551616", "16777216T"};
    uint64_t out;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(pond_parse_size(good[i].text, &out));
        assert_true(out == good[i].size);
    }
    out = 42;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(pond_parse_size(bad[i], &out));
    assert_int_equal(out, 42);

    static const struct {
        uint64_t size;
        const char *text;
    } formats[] = {{0, "0 B"},           {1023, "1023 B"},       {1024, "1.0 KiB"},
                   {1536, "1.5 KiB"},    {16777216, "16.0 MiB"}, {1048575, "1.0 MiB"},
                   {1047552, "1023.0 KiB"}, {UINT64_MAX, "16.0 EiB"}, {(uint64_t)3 << 39, "1.5 TiB"}};
    char text[16];
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        pond_format_size(formats[i].size, text);
        assert_string_equal(text, formats[i].text);
    }
}

static void test_text__times(void **state)
{
    (void)state;
    static const struct {
        int64_t time_us;
        const char *text;
    } both[] = {{0, "1970-01-01T00:00:00.000000Z"},
                {-1, "1969-12-31T23:59:59.999999Z"},
                {INT64_C(951827696123456), "2000-02-29T12:34:56.123456Z"},
                {INT64_C(4102444800000000), "2100-01-01T00:00:00.000000Z"},
                {INT64_C(1795513533123456), "2026-11-24T09:45:33.123456Z"},
                {INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z"},
                {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"}};
    char text[32];
    int64_t out;
    for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
        pond_format_time(both[i].time_us, text);
        assert_string_equal(text, both[i].text);
        assert_true(pond_parse_time(both[i].text, &out));
        assert_true(out == both[i].time_us);
    }
    /* The ends of the range: no overflow on the way, and the text fits. */
    pond_format_time(INT64_MAX, text);
    assert_string_equal(text, "294247-01-10T04:00:54.775807Z");
    pond_format_time(INT64_MIN, text);
    assert_string_equal(text, "-290308-12-21T19:59:05.224192Z");

    static const struct {
        const char *text;
        int64_t time_us;
    } forms[] = {{"1970-01-02", INT64_C(86400000000)},
                 {"1970-01-01T00:00:01Z", 1000000},
                 {"1970-01-01t00:00:01.5z", 1500000},
                 {"1970-01-01 00:00:01.1234567899Z", 1123456},
                 {"1970-01-01T01:00:00+01:00", 0},
                 {"1969-12-31T18:30:00-05:30", 0},
                 {"1970-01-01T00:00:60Z", 60000000}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_true(pond_parse_time(forms[i].text, &out));
        assert_true(out == forms[i].time_us);
    }
    static const char *const bad[] = {"", "1970", "1970-1-1", "1970-00-01", "1970-13-01", "1970-01-00", "1970-01-32",
                                      "2023-02-29", "1900-02-29", "1970-01-01T", "1970-01-01T00:00Z", "1970-01-01T00:00:00",
                                      "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z",
                                      "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00Zx", "1970-01-01T00:00:00+0100",
                                      "1970-01-01T00:00:00+24:00", " 1970-01-01", "1970-01-01 "};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(pond_parse_time(bad[i], &out));
}

static void test_text__every_day_round_trips(void **state)
{
    (void)state;
    char text[32];
    int64_t out;
    for (int64_t day = -719528; day < 2932897; day += 13) {
        pond_format_time(day * 86400 * 1000000, text);
        assert_true(pond_parse_time(text, &out));
        assert_true(out == day * 86400 * 1000000);
    }
}

static void test_text__uuids(void **state)
{
    (void)state;
    uint8_t previous[16] = {0};
    uint8_t uuid[16];
    uint8_t parsed[16];
    char text[POND_UUID_TEXT_SIZE];
    int64_t before_ms = pond_now_us() / 1000;
    for (int i = 0; i < 1000; i++) {
        pond_uuid7(uuid);
        assert_int_equal(uuid[6] >> 4, 7);
        assert_int_equal(uuid[8] >> 6, 2);
        assert_memory_not_equal(uuid, previous, 16);
        assert_true(memcmp(uuid, previous, 6) >= 0);
        memcpy(previous, uuid, 16);
    }
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | uuid[i];
    assert_in_range(ms, before_ms, pond_now_us() / 1000);

    pond_uuid_format((const uint8_t *)"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\x77", text);
    assert_string_equal(text, "01234567-89ab-cdef-0011-223344556677");
    pond_uuid_format(uuid, text);
    assert_true(pond_uuid_parse(text, 36, parsed));
    assert_memory_equal(uuid, parsed, 16);
    assert_true(pond_uuid_parse("01234567-89AB-CDEF-0011-223344556677", 36, parsed));
    assert_false(pond_uuid_parse("01234567-89ab-cdef-0011-22334455667", 35, parsed));
    assert_false(pond_uuid_parse("01234567-89ab-cdef-0011-2233445566778", 37, parsed));
    assert_false(pond_uuid_parse("0123456-789ab-cdef-0011-223344556677", 36, parsed));
    assert_false(pond_uuid_parse("g1234567-89ab-cdef-0011-223344556677", 36, parsed));
}

static void test_text__globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        const char *text;
        bool match;
    } cases[] = {
        {"", "", true},           {"", "a", false},          {"a", "", false},          {"abc", "abc", true},
        {"abc", "abd", false},    {"abc", "abcd", false},    {"a?c", "abc", true},      {"a?c", "a/c", false},
        {"?", "", false},         {"*", "", true},           {"*", "abc", true},        {"*", "a/b", false},
        {"*.c", "x.c", true},     {"*.c", "d/x.c", false},   {"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false},
        {"**", "", true},         {"**", "a/b/c", true},     {"**.c", "a/b.c", true},   {"a**z", "a/b/z", true},
        {"/a/**/z", "/a/z", true}, {"/a/**/z", "/a/b/z", true}, {"/a/**/z", "/a/b/c/z", true},
        {"/a/**/z", "/az", false}, {"/a/**/z", "/a/bz", false}, {"/a/**/z", "/a//z", true},
        {"**/x", "x", true},      {"**/x", "a/b/x", true},   {"**/x", "ax", false},     {"a/**", "a/", true},
        {"a/**", "a", false},     {"a/**", "a/b/c", true},   {"*/x", "a/x", true},      {"*/x", "a/b/x", false},
        {"a**/b", "ab", false},   {"a**/b", "ax/y/b", true}, {"***", "a/b", true},
        {"[abc]", "b", true},     {"[abc]", "d", false},     {"[a-c]x", "bx", true},    {"[a-c]", "d", false},
        {"[!a-c]", "d", true},    {"[^a-c]", "b", false},    {"[!a]", "/", false},      {"[+-0]", "/", false},
        {"[]]", "]", true},       {"[]a]", "a", true},       {"[!]]", "]", false},      {"[a-]", "-", true},
        {"[-a]", "-", true},      {"[", "[", true},          {"[a", "[a", true},        {"[\\]]", "]", true},
        {"[\\a-c]", "b", true},   {"[]", "[]", true},        {"a]", "a]", true},
        {"\\*", "*", true},       {"\\*", "a", false},       {"\\", "\\", true},        {"a\\bc", "abc", true},
        {"\xff?", "\xff\xfe", true}, {"[\x80-\xff]", "\x90", true}, {"*\xe4*", "x\xe4y", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (pond_glob_match(cases[i].pattern, cases[i].text) != cases[i].match)
            fail_msg("glob '%s' on '%s'", cases[i].pattern, cases[i].text);

    assert_true(pond_glob_has_magic("a*"));
    assert_true(pond_glob_has_magic("a?"));
    assert_true(pond_glob_has_magic("[a"));
    assert_true(pond_glob_has_magic("a\\*"));
    assert_false(pond_glob_has_magic("/plain/näme]"));
}

/* Backtracking matchers need longer than the universe for these. */
static void test_text__globs_are_not_exponential(void **state)
{
    (void)state;
    static char pattern[POND_GLOB_MAX + 2];
    static char text[20001];
    for (size_t i = 0; i + 1 < sizeof(pattern); i++)
        pattern[i] = i % 2 == 0 ? '*' : 'a';
    memset(text, 'a', sizeof(text) - 1);
    pattern[POND_GLOB_MAX - 1] = 'b';
    pattern[POND_GLOB_MAX] = '\0';
    assert_false(pond_glob_match(pattern, text));
    memset(pattern, '*', POND_GLOB_MAX);
    assert_true(pond_glob_match(pattern, text));
    memset(pattern, '?', POND_GLOB_MAX);
    text[POND_GLOB_MAX] = '\0';
    assert_true(pond_glob_match(pattern, text));
    pattern[POND_GLOB_MAX] = '*';
    assert_false(pond_glob_match(pattern, text));
}

static void test_text__percent_encoding(void **state)
{
    (void)state;
    struct pond_buf buf = {0};
    assert_int_equal(pond_percent_encode(&buf, "a b/=%~_-.\xff", 11), 0);
    assert_string_equal(pond_buf_cstr(&buf), "a%20b/=%25~_-.%FF");
    pond_buf_clear(&buf);
    for (int c = 1; c < 256; c++) {
        char byte = (char)c;
        assert_int_equal(pond_percent_encode(&buf, &byte, 1), 0);
    }
    struct pond_buf back = {0};
    assert_true(pond_percent_decode(&back, (const char *)buf.data, buf.size));
    assert_int_equal(back.size, 255);
    for (size_t i = 0; i < 255; i++)
        assert_int_equal(back.data[i], i + 1);

    pond_buf_clear(&back);
    assert_true(pond_percent_decode(&back, "%2525+%c3", 9));
    assert_string_equal(pond_buf_cstr(&back), "%25+\xc3");
    static const char *const bad[] = {"%", "%2", "a%2", "%zz", "%2g", "x%00", "%%20"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        pond_buf_clear(&back);
        assert_false(pond_percent_decode(&back, bad[i], strlen(bad[i])));
        assert_int_equal(back.size, 0);
    }
    /* The size is the end, whatever follows. */
    assert_false(pond_percent_decode(&back, "%20", 2));
    pond_buf_release(&buf);
    pond_buf_release(&back);
}

static void test_text__safe_paths(void **state)
{
    (void)state;
    static const char *const safe[] = {"a", "a/b", "...", ".a", "a..", "..a/b", "_large_files/blake3=0/chunks.parquet", "\xff"};
    static const char *const unsafe[] = {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/..", "a/../b", "a/.", "a/./b"};
    for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++)
        assert_true(pond_path_is_safe(safe[i], strlen(safe[i])));
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
        assert_false(pond_path_is_safe(unsafe[i], strlen(unsafe[i])));
    assert_false(pond_path_is_safe("a\0b", 3));

    static char path[4200];
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 256 == 255 ? '/' : 'x';
    assert_true(pond_path_is_safe(path, 255));
    assert_true(pond_path_is_safe(path, 4095));
    path[4095] = 'x';
    assert_false(pond_path_is_safe(path, 4096));
    path[255] = 'x';
    assert_false(pond_path_is_safe(path, 256));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__hex),
        cmocka_unit_test(test_text__base64),
        cmocka_unit_test(test_text__utf8),
        cmocka_unit_test(test_text__sizes),
        cmocka_unit_test(test_text__times),
        cmocka_unit_test(test_text__every_day_round_trips),
        cmocka_unit_test(test_text__uuids),
        cmocka_unit_test(test_text__globs),
        cmocka_unit_test(test_text__globs_are_not_exponential),
        cmocka_unit_test(test_text__percent_encoding),
        cmocka_unit_test(test_text__safe_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
