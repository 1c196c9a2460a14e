/* delta_snapshot: which files are live at a version, and which tables are refused. */
#include "store/store_test.h"

#include "delta/delta.h"

#define HEAD \
    "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n" \
    "{\"metaData\":{\"id\":\"i\",\"format\":{},\"schemaString\":\"{}\",\"partitionColumns\":[],\"configuration\":{}}}\n"
#define ADD_SIZED(path, size) \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"modificationTime\":1,\"dataChange\":true,\"size\":" #size "}}\n"
#define ADD(path) ADD_SIZED(path, 1)
#define ADD_VECTOR(path) \
    "{\"add\":{\"path\":\"" path "\",\"partitionValues\":{},\"modificationTime\":1,\"dataChange\":true,\"size\":1," \
    "\"deletionVector\":{\"storageType\":\"u\"}}}\n"
#define REMOVE(path) "{\"remove\":{\"path\":\"" path "\",\"dataChange\":true}}\n"
#define TXN(app, version) "{\"txn\":{\"appId\":\"" app "\",\"version\":" #version "}}\n"

static struct delta_table table;

static void open_table(const char *prefix)
{
    table.prefix = prefix;
    assert_ok(store_open(&table.store, "remote", true, &err));
}

static void commit(int64_t version, const char *text)
{
    assert_ok(delta_commit(&table, version, text, strlen(text), &err));
}

static struct delta_snapshot *load(int64_t version)
{
    struct delta_snapshot *s = NULL;
    assert_ok(delta_snapshot_load(&s, &table, version, &err));
    return s;
}

static void assert_live(int64_t version, const char *expected)
{
    struct delta_snapshot *s = load(version);
    char text[1024] = "";
    for (size_t i = 0; i < delta_snapshot_file_count(s); i++) {
        struct delta_file f = delta_snapshot_file(s, i);
        size_t n = strlen(text);
        (void)snprintf(text + n, sizeof text - n, "%s=%lld ", f.path, (long long)f.size);
        assert_int_equal(json_integer_value(json_object_get(f.add, "size")), f.size);
    }
    assert_string_equal(text, expected);
    delta_snapshot_free(s);
}

static void assert_refused(int64_t version, int code, const char *text)
{
    struct delta_snapshot *s = NULL;
    assert_fails(delta_snapshot_load(&s, &table, version, &err), code, text);
    assert_null(s);
}

static void test_live__adds_minus_removes_at_each_version(void **state)
{
    (void)state;
    open_table("files");
    commit(0, HEAD ADD("b") ADD("a") ADD("a-b"));
    commit(1, REMOVE("a") ADD("c%20d"));
    commit(2, ADD_SIZED("a", 7) REMOVE("never-there"));
    commit(3, REMOVE("c%20d") REMOVE("b"));
    assert_live(0, "a=1 a-b=1 b=1 ");
    assert_live(1, "a-b=1 b=1 c d=1 ");
    assert_live(2, "a=7 a-b=1 b=1 c d=1 ");
    assert_live(3, "a=7 a-b=1 ");
    assert_live(-1, "a=7 a-b=1 ");
    struct delta_snapshot *s = load(1);
    assert_int_equal(delta_snapshot_version(s), 1);
    delta_snapshot_free(s);
    delta_snapshot_free(NULL);
    store_free(table.store);
}

/* A path encoded in two ways is one path; one not UTF-8 when decoded is a path too. */
static void test_live__paths_are_compared_decoded(void **state)
{
    (void)state;
    open_table("");
    commit(0, HEAD ADD("a%2Db") ADD("%FF%fe"));
    assert_live(-1, "a-b=1 \xff\xfe=1 ");
    commit(1, REMOVE("%61-b"));
    assert_live(-1, "\xff\xfe=1 ");
    commit(2, REMOVE("%ff%fe"));
    assert_live(-1, "");
    store_free(table.store);
}

/* A new deletion vector is a remove and an add of one path in one commit, in either order. */
static void test_live__replaced_in_one_commit(void **state)
{
    (void)state;
    open_table("");
    commit(0, HEAD ADD("a") ADD("b"));
    commit(1, ADD_SIZED("a", 2) REMOVE("a") REMOVE("b") ADD_SIZED("b", 3));
    assert_live(-1, "a=2 b=3 ");
    commit(2, REMOVE("a"));
    assert_live(-1, "b=3 ");
    store_free(table.store);
}

static void test_live__many(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    open_table("");
    struct pond_buf text = {0};
    (void)pond_buf_append_str(&text, HEAD);
    for (int i = 0; i < COUNT; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "p/%d", (i * 7919) % COUNT);
        delta_put_add(&text, &(struct delta_add){.path = path, .size = i});
    }
    commit(0, pond_buf_cstr(&text));
    pond_buf_release(&text);
    struct delta_snapshot *s = load(-1);
    assert_int_equal(delta_snapshot_file_count(s), COUNT);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(strcmp(delta_snapshot_file(s, i - 1).path, delta_snapshot_file(s, i).path) < 0);
    delta_snapshot_free(s);
    store_free(table.store);
}

static void test_txn__the_last_per_application(void **state)
{
    (void)state;
    open_table("");
    commit(0, HEAD TXN("x", 0));
    commit(1, TXN("x", 1) TXN("y", 9));
    commit(2, TXN("x", 2));
    struct delta_snapshot *s = load(1);
    assert_int_equal(delta_snapshot_txn(s, "x"), 1);
    assert_int_equal(delta_snapshot_txn(s, "y"), 9);
    assert_int_equal(delta_snapshot_txn(s, "z"), -1);
    delta_snapshot_free(s);
    store_free(table.store);
}

static void test_metadata__the_last_counts(void **state)
{
    (void)state;
    open_table("");
    commit(0, HEAD);
    commit(1, "{\"metaData\":{\"id\":\"second\",\"format\":{},\"schemaString\":\"{}\",\"partitionColumns\":[]}}\n"
              "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":4}}\n");
    struct delta_snapshot *s = load(-1);
    assert_string_equal(json_string_value(json_object_get(delta_snapshot_metadata(s), "id")), "second");
    assert_int_equal(json_integer_value(json_object_get(delta_snapshot_protocol(s), "minWriterVersion")), 4);
    delta_snapshot_free(s);
    store_free(table.store);
}

static void test_refused__what_is_not_there(void **state)
{
    (void)state;
    open_table("files");
    assert_refused(-1, POND_ENOTFOUND, "remote/files: there is no Delta table");
    assert_refused(0, POND_ENOTFOUND, "no version 0");
    commit(0, HEAD);
    assert_refused(1, POND_ENOTFOUND, "no version 1");
    commit(2, ADD("a"));
    assert_refused(-1, POND_ECORRUPT, "version 2 follows version 0");
    assert_refused(2, POND_ECORRUPT, "version 1 is missing");
    store_free(table.store);
}

static void test_refused__a_log_that_needs_its_checkpoint(void **state)
{
    (void)state;
    open_table("");
    commit(10, ADD("a"));
    commit(11, ADD("b"));
    assert_refused(-1, POND_EUNSUPPORTED, "checkpoint");
    assert_refused(11, POND_EUNSUPPORTED, "checkpoint");
    store_free(table.store);
}

static void test_refused__incomplete_logs(void **state)
{
    (void)state;
    open_table("");
    commit(0, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n" ADD("a"));
    assert_refused(-1, POND_ECORRUPT, "no metaData action");
    table.prefix = "second";
    commit(0, "{\"metaData\":{\"id\":\"i\",\"format\":{},\"schemaString\":\"{}\",\"partitionColumns\":[]}}\n");
    assert_refused(-1, POND_ECORRUPT, "no protocol action");
    table.prefix = "third";
    commit(0, HEAD);
    commit(1, "");
    assert_refused(-1, POND_ECORRUPT, "third/_delta_log/00000000000000000001.json: the commit file is empty");
    table.prefix = "fourth";
    commit(0, HEAD ADD("a") ADD("a"));
    assert_refused(-1, POND_ECORRUPT, "'a' is added twice in one commit");
    assert_non_null(strstr(err.message, "version 0: line 4"));
    store_free(table.store);
}

static void test_refused__features(void **state)
{
    (void)state;
    static const char mapped[] = "{\"protocol\":{\"minReaderVersion\":%d,\"minWriterVersion\":5}}\n"
                                 "{\"metaData\":{\"id\":\"i\",\"format\":{},\"schemaString\":\"{}\",\"partitionColumns\":"
                                 "[],\"configuration\":{\"delta.columnMapping.mode\":\"%s\"}}}\n";
    char text[400];
    open_table("one");
    (void)snprintf(text, sizeof text, mapped, 2, "name");
    commit(0, text);
    assert_refused(-1, POND_EUNSUPPORTED, "delta.columnMapping.mode is 'name'");
    table.prefix = "two";
    (void)snprintf(text, sizeof text, mapped, 2, "none");
    commit(0, text);
    assert_live(-1, "");
    table.prefix = "three"; /* a property that the protocol gives no meaning to */
    (void)snprintf(text, sizeof text, mapped, 1, "name");
    commit(0, text);
    assert_live(-1, "");
    table.prefix = "four";
    commit(0, HEAD "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"variantType\"]}}\n");
    assert_refused(-1, POND_EUNSUPPORTED, "'variantType'");
    table.prefix = "five"; /* live files with a vector are refused; those gone are not */
    commit(0, HEAD ADD("a"));
    commit(1, REMOVE("a") ADD_VECTOR("a"));
    assert_refused(-1, POND_EUNSUPPORTED, "'a' has a deletion vector");
    commit(2, REMOVE("a") ADD("b"));
    assert_live(-1, "b=1 ");
    store_free(table.store);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    open_table("files");
    commit(0, HEAD ADD("a") ADD("b"));
    for (long n = 0;; n++) {
        struct delta_snapshot *s = NULL;
        pond_mem_fail_after(n);
        int r = delta_snapshot_load(&s, &table, -1, NULL);
        pond_mem_fail_after(-1);
        delta_snapshot_free(s);
        if (r == 0) {
            assert_true(n > 10);
            break;
        }
        assert_int_equal(r, POND_ENOMEM);
        assert_null(s);
    }
    store_free(table.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_live__adds_minus_removes_at_each_version),
        IN_SANDBOX(test_live__paths_are_compared_decoded),
        IN_SANDBOX(test_live__replaced_in_one_commit),
        IN_SANDBOX(test_live__many),
        IN_SANDBOX(test_txn__the_last_per_application),
        IN_SANDBOX(test_metadata__the_last_counts),
        IN_SANDBOX(test_refused__what_is_not_there),
        IN_SANDBOX(test_refused__a_log_that_needs_its_checkpoint),
        IN_SANDBOX(test_refused__incomplete_logs),
        IN_SANDBOX(test_refused__features),
        IN_SANDBOX(test_out_of_memory),
    };
    return cmocka_run_group_tests_name("delta/snapshot", tests, NULL, NULL);
}
