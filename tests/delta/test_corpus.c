/* Tables that other programs wrote (delta-kernel-rs golden data; POND_CORPORA names the folder). Expectations: from
 * a reading of each log by hand, in another language.
 *
 * None of these logs has lost its first commits, so none needs its checkpoint.
 */
#include "store/store_test.h"

#include "delta/delta.h"

#define SKIPPED 77

static const struct {
    const char *archive, *folder; /* the table stands in "delta" and this */
    int64_t version;
    size_t files;
    int64_t bytes;
    bool complete; /* its data files are in the archive; some tables are made up */
} readable[] = {
    {"124-decimal-decode-bug", "", 0, 2, 844, true},
    {"125-iterator-bug", "", 11, 12, 4286, true},
    {"basic-decimal-table-legacy", "", 0, 4, 4036, true},
    {"basic-decimal-table", "", 0, 4, 4131, true},
    {"basic-with-inserts-deletes-checkpoint", "", 13, 7, 3549, true},
    {"basic-with-inserts-merge", "", 1, 1, 1495, true},
    {"basic-with-inserts-updates", "", 1, 2, 2012, true},
    {"basic-with-vacuum-protocol-check-feature", "", 1, 2, 2191, true},
    {"checkpoint", "", 14, 1, 1, false},
    {"data-reader-array-primitives", "", 0, 2, 7271, true},
    {"data-reader-date-types-America", "", 0, 2, 1075, true},
    {"data-reader-date-types-Asia", "", 0, 2, 1075, true},
    {"data-reader-date-types-Etc", "", 0, 2, 1075, true},
    {"data-reader-date-types-Jst", "", 0, 2, 1075, true},
    {"data-reader-date-types-Pst", "", 0, 2, 1075, true},
    {"data-reader-date-types-utc", "", 0, 2, 1075, true},
    {"data-reader-map", "", 0, 2, 7293, true},
    {"data-reader-nested-struct", "", 0, 2, 2871, true},
    {"data-reader-nullable-field-invalid-schema-key", "", 0, 2, 885, true},
    {"data-reader-partition-values", "", 0, 3, 5832, true},
    {"data-reader-primitives", "", 0, 2, 5050, true},
    {"data-skipping-basic-stats-all-types-checkpoint", "", 0, 1, 2738, true},
    {"data-skipping-basic-stats-all-types", "", 0, 1, 2738, true},
    {"data-skipping-change-stats-collected-across-versions", "", 4, 3, 2052, true},
    {"decimal-various-scale-precision", "", 0, 1, 9126, true},
    {"delete-re-add-same-file-different-transactions", "", 3, 2, 2, false},
    {"deltalog-getChanges", "", 2, 0, 0, true},
    {"hive", "/deltatbl-column-names-case-insensitive", 0, 4, 1782, true},
    {"hive", "/deltatbl-deleted-path", 0, 2, 1318, true},
    {"hive", "/deltatbl-incorrect-format-config", 0, 2, 1306, true},
    {"hive", "/deltatbl-map-types-correctly", 0, 1, 4156, true},
    {"hive", "/deltatbl-non-partitioned", 0, 2, 1318, true},
    {"hive", "/deltatbl-not-allow-write", 0, 2, 1306, true},
    {"hive", "/deltatbl-partition-prune", 0, 5, 3195, true},
    {"hive", "/deltatbl-partitioned", 0, 4, 1734, true},
    {"hive", "/deltatbl-schema-match", 0, 4, 2494, true},
    {"hive", "/deltatbl-special-chars-in-partition-column", 0, 4, 1734, true},
    {"hive", "/deltatbl-touch-files-needed-for-partitioned", 0, 4, 1734, true},
    {"kernel-timestamp-int96", "", 0, 5, 3535, true},
    {"kernel-timestamp-timestamp_micros", "", 0, 5, 3530, true},
    {"kernel-timestamp-timestamp_millis", "", 0, 5, 3529, true},
    {"log-replay-latest-metadata-protocol", "", 2, 4, 2744, true},
    {"log-replay-special-characters-b", "", 0, 1, 100, false},
    {"log-replay-special-characters", "", 1, 0, 0, true},
    {"snapshot-data0", "", 0, 2, 1300, true},
    {"snapshot-data1", "", 1, 4, 2598, true},
    {"snapshot-data2", "", 2, 2, 1298, true},
    {"snapshot-data3", "", 3, 4, 2690, true},
    {"snapshot-vacuumed", "", 5, 2, 1392, true},
    {"time-travel-partition-changes-a", "", 0, 10, 4290, true},
    {"time-travel-schema-changes-a", "", 0, 2, 900, true},
    {"time-travel-start-start20-start40", "", 2, 6, 2704, true},
    {"time-travel-start-start20", "", 1, 4, 1802, true},
    {"time-travel-start", "", 0, 2, 900, true},
};

static const struct {
    const char *archive;
    int code;
    const char *message;
} refused[] = {
    {"canonicalized-paths-normal-a", POND_ECORRUPT, "'/some/unqualified/absolute/path' is absolute"},
    {"canonicalized-paths-normal-b", POND_ECORRUPT, "'/some/unqualified/absolute/path' is absolute"},
    {"canonicalized-paths-special-a", POND_ECORRUPT, "'/some/unqualified/with%20space/p@%23h' is absolute"},
    {"data-reader-absolute-paths-escaped-chars", POND_ECORRUPT, "leads outside the table"},
    {"data-reader-timestamp_ntz-id-mode", POND_EUNSUPPORTED, "'timestampNtz'"},
    {"data-reader-timestamp_ntz-name-mode", POND_EUNSUPPORTED, "'timestampNtz'"},
    {"data-reader-timestamp_ntz", POND_EUNSUPPORTED, "'timestampNtz'"},
    {"data-skipping-basic-stats-all-types-columnmapping-id", POND_EUNSUPPORTED, "delta.columnMapping.mode is 'id'"},
    {"data-skipping-basic-stats-all-types-columnmapping-name", POND_EUNSUPPORTED, "delta.columnMapping.mode is 'name'"},
    {"deltalog-commit-info", POND_ECORRUPT, "metaData: schemaString is missing"},
    {"deltalog-invalid-protocol-version", POND_EUNSUPPORTED, "minReaderVersion is 99"},
    {"deltalog-state-reconstruction-from-checkpoint-missing-protocol", POND_ECORRUPT, "metaData: schemaString is missing"},
    {"deltalog-state-reconstruction-without-metadata", POND_ECORRUPT, "no metaData action"},
    {"dv-partitioned-with-checkpoint", POND_EUNSUPPORTED, "'deletionVectors'"},
    {"log-replay-dv-key-cases", POND_EUNSUPPORTED, "'deletionVectors'"},
    {"parquet-all-types-legacy-format", POND_EUNSUPPORTED, "'timestampNtz'"},
    {"parquet-all-types", POND_EUNSUPPORTED, "'timestampNtz'"},
    {"table-with-columnmapping-mode-id", POND_EUNSUPPORTED, "delta.columnMapping.mode is 'id'"},
    {"table-with-columnmapping-mode-name", POND_EUNSUPPORTED, "delta.columnMapping.mode is 'name'"},
    {"v2-checkpoint-parquet", POND_EUNSUPPORTED, "'v2Checkpoint'"},
    {"versions-not-contiguous", POND_ECORRUPT, "version 2 follows version 0"},
    {"no-delta-log-folder", POND_ENOTFOUND, "there is no Delta table"},
};

static const char *corpora;

static bool corpora_are_there(void)
{
    char path[1024];
    corpora = getenv("POND_CORPORA");
    (void)snprintf(path, sizeof path, "%s/delta/checkpoint.tar.zst", corpora != NULL ? corpora : "");
    return corpora != NULL && exists(path);
}

static bool unpack(const char *archive)
{
    char command[2048];
    (void)snprintf(command, sizeof command, "tar --warning=no-unknown-keyword --zstd -xf '%s/delta/%s.tar.zst'", corpora, archive);
    return system(command) == 0;
}

static struct delta_table open_unpacked(const char *archive, const char *folder)
{
    char path[512];
    struct delta_table t = {.prefix = ""};
    if (!exists(archive) && !unpack(archive))
        fail_msg("%s cannot be unpacked", archive);
    (void)snprintf(path, sizeof path, "%s/delta%s", archive, folder);
    assert_ok(store_open(&t.store, path, false, &err));
    return t;
}

/* The decoded path leads to a file of the size the log gives. */
static void assert_file_is_there(const struct delta_table *t, const struct delta_file *f)
{
    struct pond_buf key = {0};
    struct store_stat stat;
    assert_ok(delta_data_key(t, f->path, &key, &err));
    assert_int_equal(store_head(t->store, pond_buf_cstr(&key), &stat, &err), 1);
    assert_int_equal(stat.size, f->size);
    pond_buf_release(&key);
}

static void test_readable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof readable / sizeof readable[0]; i++) {
        struct delta_table t = open_unpacked(readable[i].archive, readable[i].folder);
        struct delta_snapshot *s = NULL;
        if (delta_snapshot_load(&s, &t, -1, &err) != 0)
            fail_msg("%s%s: %s", readable[i].archive, readable[i].folder, err.message);
        assert_int_equal(delta_snapshot_version(s), readable[i].version);
        assert_int_equal(delta_snapshot_file_count(s), readable[i].files);
        int64_t bytes = 0;
        for (size_t f = 0; f < readable[i].files; f++) {
            struct delta_file file = delta_snapshot_file(s, f);
            bytes += file.size;
            if (readable[i].complete)
                assert_file_is_there(&t, &file);
        }
        assert_int_equal(bytes, readable[i].bytes);
        if (strcmp(readable[i].archive, "deltalog-getChanges") == 0)
            assert_int_equal(delta_snapshot_txn(s, "fakeAppId"), 3);
        delta_snapshot_free(s);
        store_free(t.store);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct delta_table t = open_unpacked(refused[i].archive, "");
        struct delta_snapshot *s = NULL;
        assert_fails(delta_snapshot_load(&s, &t, -1, &err), refused[i].code, refused[i].message);
        assert_null(s);
        store_free(t.store);
    }
}

/* The table as it was, version by version. */
static void test_older_versions(void **state)
{
    (void)state;
    static const size_t counts[] = {2, 4, 2, 4};
    struct delta_table t = open_unpacked("snapshot-data3", "");
    for (int64_t v = 0; v < 4; v++) {
        struct delta_snapshot *s = NULL;
        assert_ok(delta_snapshot_load(&s, &t, v, &err));
        assert_int_equal(delta_snapshot_file_count(s), counts[v]);
        delta_snapshot_free(s);
    }
    store_free(t.store);
}

int main(void)
{
    if (!corpora_are_there()) {
        print_message("skipped: POND_CORPORA does not name a folder with delta/*.tar.zst\n");
        return SKIPPED;
    }
    if (system("tar --version >/dev/null 2>&1 && zstd --version >/dev/null 2>&1") != 0) {
        print_message("skipped: tar or zstd is missing\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_readable),
        IN_SANDBOX(test_refused),
        IN_SANDBOX(test_older_versions),
    };
    return cmocka_run_group_tests_name("delta/corpus", tests, NULL, NULL);
}
