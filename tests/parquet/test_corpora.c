/* Files of other writers (apache/parquet-testing; POND_CORPORA names the folder): flat ones in codecs and encodings
 * that are built in are read to the last value, every other one ends in a clean refusal. The counts were compared with
 * pyarrow's.
 */
#include "pq_memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"

#define SKIPPED 77
#define MAX_FILE ((size_t)16 << 20)

static char data_folder[4096], bad_folder[4096];

static const struct {
    const char *name;
    uint64_t rows, values, nulls, sum;
} readable[] = {
    {"alltypes_dictionary.parquet", 2, 22, 0, 1726},
    {"alltypes_plain.parquet", 8, 88, 0, 7300},
    {"alltypes_tiny_pages.parquet", 7300, 94900, 0, 51494820},
    {"alltypes_tiny_pages_plain.parquet", 7300, 94900, 0, 51494820},
    {"binary.parquet", 12, 12, 0, 66},
    {"binary_truncated_min_max.parquet", 12, 72, 0, 80624},
    {"byte_array_decimal.parquet", 24, 24, 0, 3225},
    {"column_chunk_key_value_metadata.parquet", 0, 0, 0, 0},
    {"data_index_bloom_encoding_with_length.parquet", 14, 14, 0, 7735},
    {"datapage_v1-uncompressed-checksum.parquet", 5120, 10240, 0, 22162366771200},
    {"datapage_v2_empty_datapage.snappy.parquet", 1, 0, 1, 0},
    {"fixed_length_byte_array.parquet", 1000, 895, 105, 112960},
    {"fixed_length_decimal.parquet", 24, 24, 0, 3225},
    {"fixed_length_decimal_legacy.parquet", 24, 24, 0, 3225},
    {"float16_nonzeros_and_nans.parquet", 8, 7, 1, 758},
    {"float16_zeros_and_nans.parquet", 3, 2, 1, 126},
    {"floating_orders_nan_count.parquet", 50, 300, 0, 16854},
    {"int32_decimal.parquet", 24, 24, 0, 30000},
    {"int32_with_null_pages.parquet", 1000, 725, 275, 1520920070075},
    {"int64_decimal.parquet", 24, 24, 0, 30000},
    {"nested_structs.rust.parquet", 1, 216, 0, 3312505884152359956},
    {"overflow_i16_page_cnt.parquet", 40000, 40000, 0, 0},
    {"page_v2_empty_compressed.parquet", 10, 0, 10, 0},
    {"plain-dict-uncompressed-checksum.parquet", 1000, 2000, 0, 2421000},
};

static int read_file(const char *folder, const char *name, size_t max_page, struct totals *t, struct pond_error *err)
{
    struct pond_buf bytes = {.max = MAX_FILE};
    char *path = os_path_join(folder, name);
    struct memory_file m;
    struct pq_source source;
    int r;

    if (os_read_file(path, MAX_FILE, &bytes, err) < 0)
        fail_msg("%s", err->message);
    m = (struct memory_file){bytes.data, bytes.size};
    source = memory_source(&m);
    r = read_all(&source, max_page, t, err);
    pond_buf_release(&bytes);
    pond_free(path);
    return r;
}

static void test_corpora__flat_files_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof readable / sizeof *readable; i++) {
        struct pond_error err = {0};
        struct totals t;
        if (read_file(data_folder, readable[i].name, 0, &t, &err) != 0)
            fail_msg("%s: %s", readable[i].name, err.message);
        if (t.rows != readable[i].rows || t.values != readable[i].values || t.nulls != readable[i].nulls ||
            t.sum != readable[i].sum)
            fail_msg("%s: rows %llu, values %llu, nulls %llu, sum %llu", readable[i].name, (unsigned long long)t.rows,
                     (unsigned long long)t.values, (unsigned long long)t.nulls, (unsigned long long)t.sum);
    }
}

static void assert_folder_is_harmless(const char *folder)
{
    struct pond_error err = {0};
    char **names = NULL;
    size_t count = 0;
    unsigned files = 0;

    assert_ok(os_dir_sorted(folder, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        struct totals t;
        int r;
        if (strstr(names[i], ".parquet") == NULL || strstr(names[i], ".json") != NULL)
            continue;
        err = (struct pond_error){0};
        r = read_file(folder, names[i], 0, &t, &err);
        if (r != 0 && r != POND_ECORRUPT && r != POND_EUNSUPPORTED)
            fail_msg("%s: code %d: %s", names[i], r, err.message);
        files++;
    }
    assert_true(files >= 8);
    pond_free(names);
}

static void test_corpora__every_file_ends_cleanly(void **state)
{
    (void)state;
    assert_folder_is_harmless(data_folder);
    assert_folder_is_harmless(bad_folder);
}

static void test_corpora__damage_is_called_damage(void **state)
{
    static const char *const damaged[] = {"datapage_v1-corrupt-checksum.parquet",
                                          "rle-dict-uncompressed-corrupt-checksum.parquet"};
    static const char *const bad[] = {"ARROW-GH-41317.parquet", "ARROW-GH-41321.parquet", "ARROW-GH-47662.parquet",
                                      "ARROW-RS-GH-6229-DICTHEADER.parquet", "PARQUET-1481.parquet"};
    struct pond_error err = {0};
    struct totals t;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_file(data_folder, damaged[i], 0, &t, &err), POND_ECORRUPT);
        assert_non_null(strstr(err.message, "CRC"));
    }
    for (size_t i = 0; i < 5; i++)
        if (read_file(bad_folder, bad[i], 0, &t, &err) != POND_ECORRUPT)
            fail_msg("%s: %s", bad[i], err.message);
    assert_int_equal(read_file(bad_folder, "ARROW-GH-43605.parquet", 0, &t, &err), 0); /* legal */
    assert_int_equal(t.values, 21186);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_corpora__flat_files_are_read),
        cmocka_unit_test(test_corpora__every_file_ends_cleanly),
        cmocka_unit_test(test_corpora__damage_is_called_damage),
    };
    const char *corpora = getenv("POND_CORPORA");

    if (corpora == NULL)
        corpora = "../shared/corpora";
    (void)snprintf(data_folder, sizeof data_folder, "%s/parquet/data", corpora);
    (void)snprintf(bad_folder, sizeof bad_folder, "%s/parquet/bad_data", corpora);
    if (os_exists(data_folder, NULL) != 1) {
        print_message("skipped: POND_CORPORA does not name a folder with parquet/data\n");
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
