/* Backup, restore and pull: literal at every stop, resumable at every step, at home among other engines' commits. */
#include "tlogfs/host_test.h"

#include <pond/remote.h>

#define BIG 100000u

static const struct pond_transfer_options plain = {.at = POND_AT_TIP};

static int64_t commit_noise(struct pond *p, const char *path, size_t size, uint32_t seed)
{
    uint8_t *bytes = noise(size, seed);
    struct pond_txn *t = begin(p, "put");
    put_bytes(t, path, bytes, size);
    pond_free(bytes);
    return commit(t).txn;
}

/* A pond "home" with a remote "remote": three transactions after the first, two of them with a bundle. */
static struct pond *home_with_remote(void)
{
    struct pond *p = make_pond("home");
    commit_noise(p, "/a", BIG, 1);
    commit_text(p, "/small", "inline");
    commit_noise(p, "/b", 5 * BIG, 2);
    assert_ok(pond_remote_add(p, "r", "remote", &err));
    return p;
}

static struct pond_transfer_result backup(struct pond *p)
{
    struct pond_transfer_result result = {0};
    assert_ok(pond_backup(p, NULL, &plain, &result, &err));
    return result;
}

static struct pond_transfer_result restore(const char *dir)
{
    struct pond_transfer_result result = {0};
    assert_ok(pond_restore("remote", dir, &plain, &result, &err));
    return result;
}

/* All but _pond, which is each machine's own. */
static void assert_same_pond(const char *a, const char *b)
{
    char command[256];
    (void)snprintf(command, sizeof command, "diff -r --exclude=_pond '%s' '%s'", a, b);
    assert_int_equal(system(command), 0);
}

/* Every bundle of home stands in the remote, byte for byte. */
static void assert_literal(void)
{
    assert_int_equal(system("for f in home/_large_files/blake3=*/chunks.parquet; do h=${f#*blake3=}; h=${h%/*}; "
                            "cmp \"$f\" remote/files/bundle_id=POND-FILE-$h/part-00000-*.parquet || exit 1; done"), 0);
    assert_int_equal(system("for f in home/part-*.parquet home/_delta_log/*.json; do "
                            "cmp \"$f\" \"remote/oplog/${f#home/}\" || exit 1; done"), 0);
}

static uint64_t remote_damage(struct pond *p, bool read_data)
{
    struct pond_check_options options = {.read_data = read_data};
    struct pond_check_result result = {0};
    assert_ok(pond_check_remote(p, NULL, &options, &result, &err));
    return result.damaged;
}

static void test_remote__literal_at_every_stop(void **state)
{
    (void)state;
    struct pond *p = home_with_remote();
    struct pond_transfer_result r = backup(p);
    assert_int_equal(r.txn, 3);
    assert_int_equal(r.transactions, 4);
    assert_int_equal(r.bundles, 2);
    assert_int_equal(r.bytes_encoded, 0);
    assert_literal();
    assert_int_equal(remote_damage(p, true), 0);
    r = restore("replica");
    assert_int_equal(r.txn, 3);
    assert_int_equal(r.bundles, 2);
    assert_same_pond("home", "replica");
    r = backup(p);
    assert_int_equal(r.transactions, 0);
    assert_int_equal(r.bytes_copied, 0);
    pond_close(p);
}

static void test_remote__pull_brings_a_replica_forward(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    restore("replica");
    commit_noise(p, "/c", 2 * BIG, 3);
    commit_text(p, "/small", "changed");
    backup(p);
    struct pond *q = open_pond("replica", POND_WRITE_REPLICA);
    assert_ok(pond_pull(q, NULL, &plain, &r, &err));
    assert_int_equal(r.transactions, 2);
    assert_int_equal(r.bundles, 1);
    assert_same_pond("home", "replica");
    assert_ok(pond_pull(q, NULL, &plain, &r, &err));
    assert_int_equal(r.transactions, 0);
    pond_close(q);
    pond_close(p);
}

/* What other engines leave: commits without our txn, between ours, in both tables. */
static void foreign_commit(const char *table, int version)
{
    char path[256];
    (void)snprintf(path, sizeof path, "remote/%s/_delta_log/%020d.json", table, version);
    write_text(path, "{\"commitInfo\":{\"timestamp\":1,\"operation\":\"VACUUM START\"}}\n");
}

static void test_remote__foreign_commits_only_take_versions(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    restore("replica");
    foreign_commit("oplog", 4);
    foreign_commit("oplog", 5);
    foreign_commit("files", 3);
    commit_noise(p, "/c", BIG, 3);
    backup(p);
    assert_int_equal(access("remote/oplog/_delta_log/00000000000000000006.json", F_OK), 0);
    assert_int_equal(remote_damage(p, true), 0);
    struct pond *q = open_pond("replica", POND_WRITE_REPLICA);
    assert_ok(pond_pull(q, NULL, &plain, &r, &err));
    assert_same_pond("home", "replica");
    pond_close(q);
    restore("second");
    assert_same_pond("home", "second");
    unlink("home/_pond/state.sqlite"); /* all hints are gone */
    pond_close(p);
    p = open_pond("home", POND_READ);
    assert_int_equal(backup(p).transactions, 0);
    pond_close(p);
}

/* Another engine commits between our look at the log and our commit: the next version is taken. */
static void plant(void *context, uint64_t bytes)
{
    (void)bytes;
    int *planted = context;
    if ((*planted)++ > 0)
        return;
    foreign_commit("files", 3);
    foreign_commit("files", 4);
    foreign_commit("oplog", 4);
}

static void test_remote__a_lost_race_takes_the_next_version(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    int planted = 0;
    const struct pond_transfer_options racing = {
        .at = POND_AT_TIP, .control = {.progress = plant, .context = &planted, .threads = 1},
    };
    struct pond *p = home_with_remote();
    backup(p);
    commit_noise(p, "/c", BIG, 3);
    assert_ok(pond_backup(p, NULL, &racing, &r, &err));
    assert_true(planted > 0);
    assert_int_equal(access("remote/files/_delta_log/00000000000000000005.json", F_OK), 0);
    assert_int_equal(access("remote/oplog/_delta_log/00000000000000000005.json", F_OK), 0);
    assert_int_equal(remote_damage(p, true), 0);
    restore("replica");
    assert_same_pond("home", "replica");
    pond_close(p);
}

static void test_remote__a_raised_protocol_is_refused_by_name(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    write_text("remote/files/_delta_log/00000000000000000003.json",
               "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],"
               "\"writerFeatures\":[\"deletionVectors\"]}}\n");
    commit_noise(p, "/c", BIG, 3);
    assert_int_equal(pond_backup(p, NULL, &plain, &r, &err), POND_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "deletionVectors"));
    assert_int_equal(pond_restore("remote", "replica", &plain, &r, &err), POND_EUNSUPPORTED);
    pond_close(p);
}

static void test_remote__diverged_histories_are_found_out(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    restore("replica");
    struct pond *q = open_pond("replica", POND_WRITE_REPLICA);
    assert_ok(pond_promote(q, &err));
    pond_close(q);
    q = open_pond("replica", POND_WRITE);
    commit_text(q, "/mine", "1");
    commit_text(p, "/yours", "2");
    assert_ok(pond_backup(q, NULL, &plain, &r, &err));
    assert_int_equal(pond_backup(p, NULL, &plain, &r, &err), POND_EDIVERGED);
    commit_text(p, "/more", "3");
    assert_int_equal(pond_backup(p, NULL, &plain, &r, &err), POND_EDIVERGED);
    assert_int_equal(pond_pull(p, NULL, &plain, &r, &err), POND_EDIVERGED);
    pond_close(q);
    pond_close(p);
}

static void test_remote__another_ponds_place_is_refused(void **state)
{
    (void)state;
    struct pond *p = home_with_remote();
    backup(p);
    pond_close(p);
    p = make_pond("other");
    assert_int_equal(pond_remote_add(p, "r", "remote", &err), POND_EDIVERGED);
    assert_non_null(strstr(err.message, "another pond"));
    pond_close(p);
}

static void first_bundle(char path[512])
{
    FILE *f = popen("ls remote/files/*/*.parquet | head -1", "r");
    assert_non_null(f);
    assert_non_null(fgets(path, 512, f));
    path[strcspn(path, "\n")] = 0;
    pclose(f);
}

static void test_remote__damage_is_not_restored(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    char path[512];
    struct pond *p = home_with_remote();
    backup(p);
    first_bundle(path);
    const off_t places[] = {2, 200, 5000, size_of(path) / 2, size_of(path) - 3000, size_of(path) - 20, size_of(path) - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        flip_byte(path, places[i]);
        assert_int_equal(remote_damage(p, true), 1);
        assert_int_equal(pond_restore("remote", "replica", &plain, &r, &err), POND_ECORRUPT);
        assert_non_null(strstr(err.message, path));
        flip_byte(path, places[i]);
    }
    restore("replica"); /* goes on where it stopped */
    assert_same_pond("home", "replica");
    pond_close(p);
}

/* The same content in another form (another transaction's number) is not what was backed up. */
static void test_remote__another_form_is_not_restored(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    struct pond *other = make_pond("other");
    commit_text(other, "/x", "1");
    commit_text(other, "/y", "2");
    commit_noise(other, "/a", BIG, 1);
    pond_close(other);
    assert_int_equal(system("f=$(echo other/_large_files/*/chunks.parquet); h=${f#*blake3=}; h=${h%/*}; "
                            "cp \"$f\" remote/files/bundle_id=POND-FILE-$h/part-*.parquet"), 0);
    assert_int_equal(remote_damage(p, true), 1);
    assert_int_equal(pond_restore("remote", "replica", &plain, &r, &err), POND_ECORRUPT);
    assert_non_null(strstr(err.message, "not the file that was backed up"));
    pond_close(p);
}

static void test_remote__a_missing_bundle_is_named(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    char path[512];
    struct pond *p = home_with_remote();
    backup(p);
    first_bundle(path);
    assert_int_equal(rename(path, "away"), 0);
    assert_int_equal(remote_damage(p, false), 1);
    assert_true(pond_restore("remote", "replica", &plain, &r, &err) < 0);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(rename("away", path), 0);
    restore("replica");
    assert_same_pond("home", "replica");
    pond_close(p);
}

static void test_remote__a_files_commit_that_hides_a_bundle_is_found(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    assert_int_equal(system("sed -i '/\"add\"/d' remote/files/_delta_log/00000000000000000001.json"), 0);
    assert_int_equal(remote_damage(p, false), 1);
    assert_int_equal(pond_restore("remote", "replica", &plain, &r, &err), POND_ECORRUPT);
    assert_non_null(strstr(err.message, "has no bundle"));
    pond_close(p);
}

static void test_remote__hostile_paths_stay_inside(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    assert_int_equal(system("sed -i 's#\"path\":\"bundle_id=#\"path\":\"../../bundle_id=#' "
                            "remote/files/_delta_log/00000000000000000001.json"), 0);
    assert_int_equal(pond_restore("remote", "replica", &plain, &r, &err), POND_ECORRUPT);
    assert_non_null(strstr(err.message, ".."));
    pond_close(p);
}

static void test_remote__restore_to_a_past_transaction(void **state)
{
    (void)state;
    struct pond_transfer_result r = {0};
    struct pond *p = home_with_remote();
    backup(p);
    struct pond_transfer_options at = {.at = 1};
    assert_ok(pond_restore("remote", "past", &at, &r, &err));
    assert_int_equal(r.txn, 1);
    struct pond *q = open_pond("past", POND_WRITE_REPLICA);
    assert_list(q, "/", POND_AT_TIP, true, "/a ");
    assert_ok(pond_pull(q, NULL, &plain, &r, &err));
    assert_same_pond("home", "past");
    pond_close(q);
    at.at = 4;
    assert_int_equal(pond_restore("remote", "future", &at, &r, &err), POND_ENOTFOUND);
    at = (struct pond_transfer_options){.at_text = "1999-12-31"};
    assert_int_equal(pond_restore("remote", "before", &at, &r, &err), POND_ENOTFOUND);
    pond_close(p);
}

/* More bundles than one commit of `files` takes; a backup cut off between two of them goes on. */
static void test_remote__many_bundles_take_several_commits(void **state)
{
    (void)state;
    enum { COUNT = 1100 };
    struct pond *p = make_pond("home");
    struct pond_txn *t = begin(p, "many");
    uint8_t *bytes = noise(POND_INLINE_MAX + 1, 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "/f%04u", i);
        memcpy(bytes, &i, sizeof i);
        put_bytes(t, path, bytes, POND_INLINE_MAX + 1);
    }
    pond_free(bytes);
    assert_int_equal(commit(t).txn, 1);
    assert_ok(pond_remote_add(p, "r", "remote", &err));
    assert_int_equal(backup(p).bundles, COUNT);
    assert_int_equal(access("remote/files/_delta_log/00000000000000000002.json", F_OK), 0);
    restore("replica");
    assert_same_pond("home", "replica");
    assert_int_equal(remote_damage(p, false), 0);

    /* As if killed before the second commit: its bundles are there, nothing names them. */
    assert_int_equal(system("rm remote/files/_delta_log/00000000000000000002.json remote/oplog/_delta_log/*1.json "
                            "home/_pond/state.sqlite*"), 0);
    pond_close(p);
    p = open_pond("home", POND_READ);
    assert_int_equal(backup(p).bundles, 0); /* not sent again */
    restore("again");
    assert_same_pond("home", "again");
    pond_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(test_remote__literal_at_every_stop),
        IN_SANDBOX(test_remote__pull_brings_a_replica_forward),
        IN_SANDBOX(test_remote__foreign_commits_only_take_versions),
        IN_SANDBOX(test_remote__a_lost_race_takes_the_next_version),
        IN_SANDBOX(test_remote__another_form_is_not_restored),
        IN_SANDBOX(test_remote__a_raised_protocol_is_refused_by_name),
        IN_SANDBOX(test_remote__diverged_histories_are_found_out),
        IN_SANDBOX(test_remote__another_ponds_place_is_refused),
        IN_SANDBOX(test_remote__damage_is_not_restored),
        IN_SANDBOX(test_remote__a_missing_bundle_is_named),
        IN_SANDBOX(test_remote__a_files_commit_that_hides_a_bundle_is_found),
        IN_SANDBOX(test_remote__hostile_paths_stay_inside),
        IN_SANDBOX(test_remote__restore_to_a_past_transaction),
        IN_SANDBOX(test_remote__many_bundles_take_several_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
