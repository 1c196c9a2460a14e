/* delta/: actions as bytes, bytes as actions, and the log as files. */
#include "store/store_test.h"

#include "delta/delta.h"

/* ---- writing ---- */

static void assert_bytes(struct pond_buf *buf, const char *expected)
{
    assert_ok(pond_buf_error(buf, &err));
    assert_string_equal(pond_buf_cstr(buf), expected);
    pond_buf_release(buf);
}

static void test_put__forms(void **state)
{
    (void)state;
    struct pond_buf out = {0};
    delta_put_protocol(&out);
    assert_bytes(&out, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n");

    static const struct delta_field fields[] = {{"bundle_id", "string"}, {"chunk_id", "long"}};
    static const char *const partition[] = {"bundle_id"};
    static const char *const configuration[] = {"delta.logRetentionDuration", "interval 36500 days",
                                                "delta.enableExpiredLogCleanup", "false", NULL};
    delta_put_metadata(&out, "an-id", fields, 2, partition, 1, configuration, 1700000000000);
    assert_bytes(&out,
                 "{\"metaData\":{\"id\":\"an-id\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
                 "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":["
                 "{\\\"name\\\":\\\"bundle_id\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}},"
                 "{\\\"name\\\":\\\"chunk_id\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}]}\","
                 "\"partitionColumns\":[\"bundle_id\"],\"configuration\":{"
                 "\"delta.logRetentionDuration\":\"interval 36500 days\",\"delta.enableExpiredLogCleanup\":\"false\"},"
                 "\"createdTime\":1700000000000}}\n");
    delta_put_metadata(&out, "i", NULL, 0, NULL, 0, NULL, 0);
    assert_bytes(&out, "{\"metaData\":{\"id\":\"i\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
                       "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\","
                       "\"partitionColumns\":[],\"configuration\":{},\"createdTime\":0}}\n");

    static const char *const tags[] = {"blake3", "00ff", NULL};
    delta_put_add(&out, &(struct delta_add){.path = "bundle_id=B.x-_1/part-0.parquet",
                                            .partition_key = "bundle_id",
                                            .partition_value = "B.x-_1",
                                            .size = INT64_MAX,
                                            .modification_ms = 5,
                                            .num_records = 3,
                                            .tags = tags});
    assert_bytes(&out, "{\"add\":{\"path\":\"bundle_id=B.x-_1/part-0.parquet\",\"partitionValues\":{\"bundle_id\":"
                       "\"B.x-_1\"},\"size\":9223372036854775807,\"modificationTime\":5,\"dataChange\":true,"
                       "\"stats\":\"{\\\"numRecords\\\":3}\",\"tags\":{\"blake3\":\"00ff\"}}}\n");
    delta_put_add(&out, &(struct delta_add){.path = "a b%20/\xc3\xa9\xff:\"", .size = 0, .num_records = 0});
    assert_bytes(&out, "{\"add\":{\"path\":\"a%20b%2520/%C3%A9%FF%3A%22\",\"partitionValues\":{},\"size\":0,"
                       "\"modificationTime\":0,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":0}\"}}\n");

    delta_put_txn(&out, "pond-\"1\"\\\n\x01\x7f\xc3\xa9", 7, 8);
    assert_bytes(&out, "{\"txn\":{\"appId\":\"pond-\\\"1\\\"\\\\\\u000a\\u0001\x7f\xc3\xa9\",\"version\":7,"
                       "\"lastUpdated\":8}}\n");

    json_t *info = json_pack("{s:I, s:s, s:{s:n}}", "timestamp", (json_int_t)1, "operation", "a\nb", "pond", "x");
    delta_put_commit_info(&out, info);
    json_decref(info);
    assert_bytes(&out, "{\"commitInfo\":{\"timestamp\":1,\"operation\":\"a\\nb\",\"pond\":{\"x\":null}}}\n");
}

static void test_put__failures_stick(void **state)
{
    (void)state;
    static const struct delta_field fields[] = {{"a", "string"}};
    json_t *info = json_pack("{s:s}", "operation", "WRITE");
    for (size_t max = 1; max < 300; max += 13) {
        struct pond_buf out;
        pond_buf_init(&out, max);
        delta_put_commit_info(&out, info);
        delta_put_protocol(&out);
        delta_put_metadata(&out, "i", fields, 1, NULL, 0, NULL, 0);
        delta_put_add(&out, &(struct delta_add){.path = "p"});
        assert_fails(pond_buf_error(&out, &err), POND_ELIMIT, "limit");
        assert_true(out.size <= max);
        pond_buf_release(&out);
    }
    json_decref(info);
}

/* ---- parsing ---- */

struct seen {
    char text[1024]; /* one word or more for each action */
    int fail_with;
};

static int note_action(void *context, const struct delta_action *a, struct pond_error *e)
{
    struct seen *seen = context;
    (void)e;
    size_t n = strlen(seen->text);
    char *to = seen->text + n;
    size_t room = sizeof seen->text - n;
    assert_true(json_is_object(a->json));
    switch (a->kind) {
    case DELTA_COMMIT_INFO:
        (void)snprintf(to, room, "info@%lld:%zu ", (long long)a->version, a->line);
        break;
    case DELTA_PROTOCOL:
        (void)snprintf(to, room, "protocol ");
        break;
    case DELTA_METADATA:
        (void)snprintf(to, room, "metaData ");
        break;
    case DELTA_ADD:
        (void)snprintf(to, room, "+%s=%lld ", a->path, (long long)a->size);
        break;
    case DELTA_REMOVE:
        (void)snprintf(to, room, "-%s=%lld ", a->path, (long long)a->size);
        break;
    case DELTA_TXN:
        (void)snprintf(to, room, "txn:%s=%lld ", a->app_id, (long long)a->txn_version);
        break;
    }
    return seen->fail_with;
}

static int parse(const char *text, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    return delta_parse_commit("log/7.json", 7, text, strlen(text), note_action, seen, &err);
}

static void assert_parses(const char *text, const char *expected)
{
    struct seen seen;
    assert_ok(parse(text, &seen));
    assert_string_equal(seen.text, expected);
}

static void assert_corrupt(const char *text, const char *message)
{
    struct seen seen;
    assert_fails(parse(text, &seen), POND_ECORRUPT, message);
    assert_int_equal(strncmp(err.message, "log/7.json: ", 12), 0);
}

#define ADD(path, rest) \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"modificationTime\":1,\"dataChange\":true" rest "}}"
#define ADD_OK(path) ADD(path, ",\"size\":1")

static void test_parse__gives_back_what_was_put(void **state)
{
    (void)state;
    static const struct delta_field fields[] = {{"a", "string"}};
    struct pond_buf out = {0};
    json_t *info = json_pack("{s:s}", "operation", "WRITE");
    delta_put_commit_info(&out, info);
    json_decref(info);
    delta_put_protocol(&out);
    delta_put_metadata(&out, "i", fields, 1, NULL, 0, NULL, 0);
    delta_put_add(&out, &(struct delta_add){.path = "a b%20/\xc3\xa9\xff:\"", .size = INT64_MAX});
    delta_put_txn(&out, "app", INT64_MIN, 8);
    assert_parses(pond_buf_cstr(&out), "info@7:1 protocol metaData +a b%20/\xc3\xa9\xff:\"=9223372036854775807 "
                                       "txn:app=-9223372036854775808 ");
    pond_buf_release(&out);
}

static void test_parse__as_others_write(void **state)
{
    (void)state;
    assert_parses(ADD_OK("a"), "+a=1 ");                                      /* no newline at the end */
    assert_parses(ADD_OK("a") "\r\n\r\n \n" ADD_OK("b") "\n", "+a=1 +b=1 ");
    assert_parses("{\"sidecar\":{\"path\":\"/x\"}}\n{}\n{\"cdc\":7}\n{\"add\":null}\n", "");
    assert_parses("{\"remove\":{\"path\":\"a%3Db\",\"dataChange\":false}}\n", "-a=b=-1 ");
    assert_parses("{\"remove\":{\"path\":\"a\",\"dataChange\":false,\"size\":null}}\n", "-a=-1 ");
    assert_parses("{\"remove\":{\"path\":\"a\",\"dataChange\":false,\"size\":9}}\n", "-a=9 ");
    assert_parses(ADD("a", ",\"size\":1,\"tags\":null,\"stats\":null,\"deletionVector\":null,\"later\":[1.5e3]"),
                  "+a=1 ");
    assert_parses(ADD("a", ",\"size\":1,\"tags\":{\"a\":\"b\",\"c\":null}"), "+a=1 ");
    assert_parses(ADD("a", ",\"size\":5,\"size\":6"), "+a=6 "); /* a key given twice: the last counts */
    assert_parses(ADD("d=1%253A2/p+q%20r", ",\"size\":1"), "+d=1%3A2/p+q r=1 "); /* decoded once */
    assert_parses(ADD("a", ",\"size\":1,\"stats\":\"\\u0000\""), "+a=1 ");
    assert_parses("{\"commitInfo\":{\"operationParameters\":{\"a\":null,\"b\":[true]}}}", "info@7:1 ");
}

static void test_parse__garbage(void **state)
{
    (void)state;
    assert_corrupt("", "the commit file is empty");
    assert_corrupt("\n\n", "the commit file is empty");
    assert_corrupt("garbage", "line 1: not JSON");
    assert_corrupt(ADD_OK("a") "\n{\"add\":{\"path\":\"b", "line 2: not JSON"); /* truncated */
    assert_corrupt(ADD_OK("a") ADD_OK("b") "\n", "line 1: not JSON");
    assert_corrupt("[1,2]\n", "line 1: not a JSON object");
    assert_corrupt("{\"add\":[]}\n", "line 1: add: the action is not an object");
    assert_corrupt("{\"add\":{\"path\":\"\xff\"}}\n", "line 1: not JSON");
    assert_corrupt(ADD("a", ",\"size\":9223372036854775808"), "line 1: not JSON"); /* over int64 */
    assert_corrupt(ADD("a", ",\"size\":1,\"x\":1e999"), "line 1: not JSON");

    static const char zeros[100] = {0}; /* what a file system may leave after a power failure */
    struct seen seen = {0};
    assert_fails(delta_parse_commit("log/7.json", 7, zeros, sizeof zeros, note_action, &seen, &err), POND_ECORRUPT,
                 "not JSON");
}

static void test_parse__deep_nesting(void **state)
{
    (void)state;
    struct pond_buf deep = {0};
    (void)pond_buf_append_str(&deep, "{\"cdc\":");
    for (int i = 0; i < 1000000; i++)
        (void)pond_buf_append_byte(&deep, '[');
    assert_corrupt(pond_buf_cstr(&deep), "line 1: not JSON");
    pond_buf_release(&deep);
}

static void test_parse__a_line_has_a_limit(void **state)
{
    (void)state;
    struct pond_buf line = {0};
    struct seen seen = {0};
    (void)pond_buf_append_str(&line, "{\"commitInfo\":{}}\n{\"cdc\":\"");
    assert_ok(pond_buf_reserve(&line, DELTA_LINE_MAX));
    memset(line.data + line.size, 'x', DELTA_LINE_MAX);
    line.size += DELTA_LINE_MAX;
    (void)pond_buf_append_str(&line, "\"}\n");
    assert_fails(delta_parse_commit("log/7.json", 7, line.data, line.size, note_action, &seen, &err), POND_ELIMIT,
                 "line 2");
    pond_buf_release(&line);
}

static void test_parse__required_keys(void **state)
{
    (void)state;
    assert_corrupt(ADD("a", ""), "log/7.json: line 1: add: size is missing");
    assert_corrupt(ADD("a", ",\"size\":null"), "add: size is missing");
    assert_corrupt(ADD("a", ",\"size\":\"5\""), "add: size is not an integer");
    assert_corrupt(ADD("a", ",\"size\":5.0"), "add: size is not an integer");
    assert_corrupt(ADD("a", ",\"size\":-1"), "add: size is negative");
    assert_corrupt(ADD("a", ",\"size\":1,\"tags\":[]"), "add: tags is not an object");
    assert_corrupt(ADD("a", ",\"size\":1,\"tags\":{\"a\":{}}"), "add: tags holds a value that is not a string");
    assert_corrupt("{\"add\":{\"path\":\"a\",\"size\":1,\"modificationTime\":1,\"dataChange\":true}}",
                   "add: partitionValues is missing");
    assert_corrupt("{\"add\":{\"path\":\"a\",\"size\":1,\"partitionValues\":{\"a\":1},\"modificationTime\":1,"
                   "\"dataChange\":true}}",
                   "add: partitionValues holds a value that is not a string");
    assert_corrupt("{\"add\":{\"path\":\"a\",\"size\":1,\"partitionValues\":{},\"dataChange\":true}}",
                   "add: modificationTime is missing");
    assert_corrupt("{\"add\":{\"path\":\"a\",\"size\":1,\"partitionValues\":{},\"modificationTime\":1}}",
                   "add: dataChange is missing");
    assert_corrupt("{\"add\":{\"size\":1}}", "add: path is missing");
    assert_corrupt("{\"add\":{\"path\":7}}", "add: path is not a string");
    assert_corrupt("{\"remove\":{\"path\":\"a\"}}", "remove: dataChange is missing");
    assert_corrupt("{\"remove\":{\"path\":\"a\",\"dataChange\":1}}", "remove: dataChange is not a boolean");
    assert_corrupt("{\"remove\":{\"path\":\"a\",\"dataChange\":true,\"size\":-2}}", "remove: size is negative");
    assert_corrupt("{\"txn\":{\"version\":1}}", "txn: appId is missing");
    assert_corrupt("{\"txn\":{\"appId\":\"a\"}}", "txn: version is missing");
    assert_corrupt("{\"txn\":{\"appId\":\"a\\u0000b\",\"version\":1}}", "txn: appId holds a NUL");
    assert_corrupt("{\"protocol\":{\"minReaderVersion\":1}}", "protocol: minWriterVersion is missing");
    assert_corrupt("{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2,\"readerFeatures\":[1]}}",
                   "protocol: readerFeatures holds an element");
    assert_corrupt("{\"metaData\":{\"id\":\"i\",\"format\":{},\"partitionColumns\":[]}}",
                   "metaData: schemaString is missing");
    assert_corrupt("{\"metaData\":{\"id\":\"i\",\"format\":{},\"schemaString\":\"\",\"partitionColumns\":{}}}",
                   "metaData: partitionColumns is not an array");
    assert_corrupt("{\"metaData\":{\"id\":\"i\",\"schemaString\":\"\",\"partitionColumns\":[]}}", "metaData: format");
}

/* Invariant 8. */
static void test_parse__hostile_paths(void **state)
{
    (void)state;
    static const char *const outside[] = {"..",      "../x",         "a/../../x",  "a/..",       "%2e%2e/x",
                                          "a%2F..%2F..%2Fx", "./x",  "a//b",       "",           "a/",
                                          "%2Fetc/passwd",   "a/%2e%2E%2fx"};
    char text[300];
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        (void)snprintf(text, sizeof text, ADD_OK("%s"), outside[i]);
        assert_corrupt(text, "leads outside the table");
        (void)snprintf(text, sizeof text, "{\"remove\":{\"path\":\"%s\",\"dataChange\":true}}", outside[i]);
        assert_corrupt(text, "leads outside the table");
    }
    assert_corrupt(ADD_OK("/etc/passwd"), "'/etc/passwd' is absolute");
    assert_corrupt(ADD_OK("//host/x"), "is absolute");
    assert_corrupt(ADD_OK("s3://bucket/x"), "'s3://bucket/x' has a scheme");
    assert_corrupt(ADD_OK("file:/etc/passwd"), "has a scheme");
    assert_corrupt(ADD_OK("abfss+x:y"), "has a scheme");
    assert_corrupt(ADD_OK("a%00b"), "percent");
    assert_corrupt(ADD_OK("a%0"), "percent");
    assert_corrupt(ADD_OK("a%zz"), "percent");
    assert_corrupt(ADD_OK("a\\u0000b"), "path holds a NUL");
    assert_parses(ADD_OK("a..b/..c"), "+a..b/..c=1 ");
}

static void test_parse__the_callback_can_stop(void **state)
{
    (void)state;
    struct seen seen = {.fail_with = POND_EINTERRUPTED};
    static const char text[] = ADD_OK("a") "\n" ADD_OK("b") "\n";
    assert_int_equal(delta_parse_commit("n", 0, text, sizeof text - 1, note_action, &seen, &err), POND_EINTERRUPTED);
    assert_string_equal(seen.text, "+a=1 ");
}

/* ---- the log ---- */

static struct delta_table open_table(const char *prefix)
{
    struct delta_table t = {.prefix = prefix};
    assert_ok(store_open(&t.store, "remote", true, &err));
    return t;
}

static void commit(const struct delta_table *t, int64_t version, const char *text)
{
    assert_ok(delta_commit(t, version, text, strlen(text), &err));
}

static void put_log_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "remote/_delta_log/%s", name);
    write_file(path, text, strlen(text));
}

static void test_keys(void **state)
{
    (void)state;
    char key[64];
    struct delta_table t = {.prefix = ""};
    delta_commit_key(&t, 0, key, sizeof key);
    assert_string_equal(key, "_delta_log/00000000000000000000.json");
    t.prefix = "files";
    delta_commit_key(&t, INT64_MAX, key, sizeof key);
    assert_string_equal(key, "files/_delta_log/09223372036854775807.json");

    struct pond_buf out = {0};
    assert_ok(delta_data_key(&t, "a=b/c", &out, &err));
    assert_string_equal((const char *)out.data, "files/a=b/c");
    pond_buf_clear(&out);
    t.prefix = "";
    assert_ok(delta_data_key(&t, "t=1:2/c", &out, &err));
    assert_string_equal((const char *)out.data, "t=1:2/c");
    pond_buf_clear(&out);
    assert_fails(delta_data_key(&t, "../x", &out, &err), POND_ECORRUPT, "'../x'");
    assert_fails(delta_data_key(&t, "/x", &out, &err), POND_ECORRUPT, "'/x'");
    assert_fails(delta_data_key(&t, "s3:/x", &out, &err), POND_ECORRUPT, "'s3:/x'");
    assert_int_equal(out.size, 0);
    pond_buf_release(&out);
}

static void test_commit__the_first_wins(void **state)
{
    (void)state;
    struct delta_table t = open_table("files");
    commit(&t, 0, "one\n");
    assert_fails(delta_commit(&t, 0, "two\n", 4, &err), POND_EEXISTS, "00000000000000000000.json");
    struct pond_buf got = {0};
    assert_int_equal(delta_read_commit(&t, 0, &got, &err), 1);
    assert_int_equal(delta_read_commit(&t, 1, &got, &err), 0);
    assert_int_equal(got.size, 4);
    assert_memory_equal(got.data, "one\n", 4);
    pond_buf_release(&got);
    assert_fails(delta_commit(&t, 1, "", DELTA_COMMIT_MAX + 1, &err), POND_ELIMIT, "limit");
    store_free(t.store);
}

static void test_latest__with_and_without_hint(void **state)
{
    (void)state;
    struct delta_table t = open_table("");
    int64_t version = 99;
    assert_ok(delta_latest_version(&t, -1, &version, &err));
    assert_int_equal(version, -1);
    for (int i = 0; i < 12; i++)
        commit(&t, i, "{}\n");
    static const int64_t hints[] = {-1, 0, 5, 10, 11};
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        assert_ok(delta_latest_version(&t, hints[i], &version, &err));
        assert_int_equal(version, 11);
    }
    store_free(t.store);
}

static void test_latest__ignores_foreign_names(void **state)
{
    (void)state;
    struct delta_table t = open_table("");
    commit(&t, 0, "{}\n");
    commit(&t, 1, "{}\n");
    static const char *const foreign[] = {
        "000.json", "00000000000000000005.json.tmp", ".00000000000000000006.json", "0000000000000000000x.json",
        "00000000000000000007.checkpoint.parquet", "_last_checkpoint", "00000000000000000008.crc", "-0000000000000000009.json",
        "000000000000000000010.json", "00000000000000000011.JSON", ".00000000000000000000.json.crc"};
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        put_log_file(foreign[i], "x");
    assert_int_equal(mkdir("remote/_delta_log/_commits", 0777), 0);
    put_log_file("_commits/00000000000000000012.json", "x");
    int64_t version;
    assert_ok(delta_latest_version(&t, -1, &version, &err));
    assert_int_equal(version, 1);
    store_free(t.store);
}

static void test_latest__names_a_gap(void **state)
{
    (void)state;
    struct delta_table t = open_table("");
    int64_t version = 99;
    commit(&t, 3, "{}\n"); /* the first ones may have been cleaned away */
    commit(&t, 4, "{}\n");
    assert_ok(delta_latest_version(&t, -1, &version, &err));
    assert_int_equal(version, 4);
    commit(&t, 6, "{}\n");
    assert_fails(delta_latest_version(&t, -1, &version, &err), POND_ECORRUPT, "version 6 follows version 4");
    commit(&t, 5, "{}\n");
    put_log_file("99999999999999999999.json", "{}\n");
    assert_fails(delta_latest_version(&t, -1, &version, &err), POND_ECORRUPT, "99999999999999999999.json");
    assert_int_equal(version, 4);
    store_free(t.store);
}

static void test_replay(void **state)
{
    (void)state;
    struct delta_table t = open_table("files");
    struct seen seen = {0};
    commit(&t, 0, ADD_OK("a") "\n");
    commit(&t, 1, ADD_OK("b") "\n{\"commitInfo\":{}}\n");
    commit(&t, 2, ADD_OK("c") "\n");
    commit(&t, 4, ADD_OK("d") "\n");
    assert_ok(delta_replay(&t, 0, 1, note_action, &seen, &err));
    assert_string_equal(seen.text, "+a=1 +b=1 info@1:2 ");
    seen.text[0] = '\0';
    assert_ok(delta_replay(&t, 1, 0, note_action, &seen, &err));
    assert_string_equal(seen.text, "");
    assert_ok(delta_replay(&t, 2, 2, note_action, &seen, &err));
    assert_string_equal(seen.text, "+c=1 ");
    assert_fails(delta_replay(&t, 2, 4, note_action, &seen, &err), POND_ECORRUPT, "version 3 is missing");
    write_file("remote/files/_delta_log/00000000000000000003.json", "", 0);
    assert_fails(delta_replay(&t, 2, 4, note_action, &seen, &err), POND_ECORRUPT,
                 "files/_delta_log/00000000000000000003.json: the commit file is empty");
    store_free(t.store);
}

/* ---- protocol ---- */

static int check(bool for_writing, const char *protocol)
{
    json_t *json = json_loads(protocol, 0, NULL);
    assert_non_null(json);
    int r = delta_check_protocol("table", json, for_writing, &err);
    json_decref(json);
    return r;
}

#define VERSIONS(r, w) "{\"minReaderVersion\":" #r ",\"minWriterVersion\":" #w
#define FEATURES(r, w) ",\"readerFeatures\":[" r "],\"writerFeatures\":[" w "]}"

static void test_protocol(void **state)
{
    (void)state;
    assert_ok(check(true, VERSIONS(1, 2) "}"));
    assert_ok(check(true, VERSIONS(1, 1) "}"));
    assert_ok(check(false, VERSIONS(1, 6) "}"));
    assert_ok(check(false, VERSIONS(2, 5) "}"));
    assert_ok(check(true, VERSIONS(3, 7) FEATURES("\"vacuumProtocolCheck\"", "\"vacuumProtocolCheck\"")));
    assert_ok(check(true, VERSIONS(1, 7) ",\"writerFeatures\":[\"appendOnly\",\"invariants\"]}"));
    assert_ok(check(true, VERSIONS(3, 7) FEATURES("", "")));
    assert_fails(check(true, VERSIONS(1, 3) "}"), POND_EUNSUPPORTED, "cannot write: minWriterVersion is 3");
    assert_fails(check(true, VERSIONS(1, 8) "}"), POND_EUNSUPPORTED, "minWriterVersion is 8");
    assert_fails(check(true, VERSIONS(1, 7) ",\"writerFeatures\":[\"appendOnly\",\"rowTracking\"]}"),
                 POND_EUNSUPPORTED, "'rowTracking'");
    assert_fails(check(true, VERSIONS(1, 7) "}"), POND_ECORRUPT, "writerFeatures");
    assert_fails(check(false, VERSIONS(4, 7) FEATURES("", "")), POND_EUNSUPPORTED, "minReaderVersion is 4");
    assert_fails(check(false, VERSIONS(0, 0) "}"), POND_EUNSUPPORTED, "minReaderVersion is 0");
    assert_fails(check(false, VERSIONS(3, 7) FEATURES("\"deletionVectors\"", "")), POND_EUNSUPPORTED,
                 "cannot read: the table uses the feature 'deletionVectors'");
    assert_fails(check(false, VERSIONS(3, 7) FEATURES("\"someday\"", "")), POND_EUNSUPPORTED, "'someday'");
    assert_fails(check(false, VERSIONS(3, 7) "}"), POND_ECORRUPT, "readerFeatures");
    assert_fails(check(false, VERSIONS("1", 7) "}"), POND_ECORRUPT, "no integer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put__forms),
        cmocka_unit_test(test_put__failures_stick),
        cmocka_unit_test(test_parse__gives_back_what_was_put),
        cmocka_unit_test(test_parse__as_others_write),
        cmocka_unit_test(test_parse__garbage),
        cmocka_unit_test(test_parse__deep_nesting),
        cmocka_unit_test(test_parse__a_line_has_a_limit),
        cmocka_unit_test(test_parse__required_keys),
        cmocka_unit_test(test_parse__hostile_paths),
        cmocka_unit_test(test_parse__the_callback_can_stop),
        IN_SANDBOX(test_keys),
        IN_SANDBOX(test_commit__the_first_wins),
        IN_SANDBOX(test_latest__with_and_without_hint),
        IN_SANDBOX(test_latest__ignores_foreign_names),
        IN_SANDBOX(test_latest__names_a_gap),
        IN_SANDBOX(test_replay),
        cmocka_unit_test(test_protocol),
    };
    return cmocka_run_group_tests_name("delta/log", tests, NULL, NULL);
}
