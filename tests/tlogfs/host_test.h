/* tests/tlogfs/host_test.h - trees on the host: making them, and telling all that a copy must keep of them. */
#ifndef TESTS_TLOGFS_HOST_TEST_H
#define TESTS_TLOGFS_HOST_TEST_H

#include "tlogfs/tlogfs_test.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

/* Deterministic bytes that do not compress. */
static inline uint8_t *noise(size_t size, uint32_t seed)
{
    uint8_t *bytes = pond_alloc(size, 1);
    uint64_t state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = (uint8_t)(state >> 24);
    }
    return bytes;
}

static inline void write_noise(const char *path, size_t size, uint32_t seed)
{
    uint8_t *bytes = noise(size, seed);
    write_file(path, bytes, size);
    pond_free(bytes);
}

static inline void write_text(const char *path, const char *text)
{
    write_file(path, text, strlen(text));
}

static inline void make_dir(const char *path)
{
    assert_int_equal(mkdir(path, 0755), 0);
}

static inline void set_mtime(const char *path, int64_t seconds, long nanoseconds)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)seconds, .tv_nsec = nanoseconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static inline bool set_xattr(const char *path, const char *name, const char *value)
{
    return lsetxattr(path, name, value, strlen(value), 0) == 0;
}

static inline void flip_byte(const char *path, off_t offset)
{
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    (void)close(fd);
}

static inline off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_size;
}

/* Bytes this process has read so far, from files and else. */
static inline uint64_t bytes_read(void)
{
    char text[512] = "";
    unsigned long long n = 0;
    int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    (void)close(fd);
    assert_int_equal(sscanf(text, "rchar: %llu", &n), 1);
    return n;
}

/* Until what is on the disk now is older than a tick of the clock, so that a copy may remember it. */
static inline void pass_tick(void)
{
    const int64_t until = pond_now_us() + 60000;
    while (pond_now_us() < until)
        ;
}

/* ---- all that is to be kept of a tree, as text ---- */

struct tree {
    struct pond_buf text;
    struct {
        ino_t ino;
        char *path;
    } files[256];
    size_t file_count;
};

static inline void tell_xattrs(struct tree *t, const char *path)
{
    char list[4096], value[4096];
    ssize_t n = llistxattr(path, list, sizeof list);
    for (const char *name = list; n > 0 && name < list + n; name += strlen(name) + 1) {
        ssize_t size = lgetxattr(path, name, value, sizeof value);
        assert_true(size >= 0);
        (void)pond_buf_printf(&t->text, " %s=", name);
        (void)pond_base64_encode(&t->text, (const uint8_t *)value, (size_t)size);
    }
}

static inline void tell_content(struct tree *t, const char *path, const struct stat *st)
{
    struct pond_buf bytes = {0};
    uint8_t hash[POND_HASH_SIZE];
    char hex[2 * POND_HASH_SIZE + 1] = "";
    if (S_ISREG(st->st_mode)) {
        assert_ok(os_read_file(path, 256 << 20, &bytes, &err));
        pond_blake3(bytes.data, bytes.size, hash);
        pond_hex(hash, 8, hex);
        (void)pond_buf_printf(&t->text, " %s", hex);
    } else if (S_ISLNK(st->st_mode)) {
        assert_ok(os_readlink(path, &bytes, &err));
        (void)pond_buf_printf(&t->text, " -> %.*s", (int)bytes.size, (const char *)bytes.data);
    }
    pond_buf_release(&bytes);
}

static inline void tell_entry(struct tree *t, const char *path, const char *shown)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    (void)pond_buf_printf(&t->text, "%s %o %u:%u %lld.%09ld", shown, st.st_mode, st.st_uid, st.st_gid,
                          (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    if (!S_ISDIR(st.st_mode))
        (void)pond_buf_printf(&t->text, " %lld", (long long)st.st_size);
    tell_content(t, path, &st);
    tell_xattrs(t, path);
    for (size_t i = 0; i < t->file_count; i++) {
        if (t->files[i].ino == st.st_ino)
            (void)pond_buf_printf(&t->text, " same as %s", t->files[i].path);
    }
    if (st.st_nlink > 1 && !S_ISDIR(st.st_mode) && t->file_count < 256) {
        t->files[t->file_count].ino = st.st_ino;
        t->files[t->file_count++].path = pond_strdup(shown);
    }
    (void)pond_buf_append_byte(&t->text, '\n');
}

static inline void tell_below(struct tree *t, const char *dir, size_t root_size)
{
    char **names;
    size_t count;
    assert_ok(os_dir_sorted(dir, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        char *path = os_path_join(dir, names[i]);
        tell_entry(t, path, path + root_size);
        assert_int_equal(lstat(path, &st), 0);
        if (S_ISDIR(st.st_mode))
            tell_below(t, path, root_size);
        pond_free(path);
    }
    pond_free(names);
}

/* Of dir itself too, under the name "."; to be freed. */
static inline char *tell_tree(const char *dir)
{
    struct tree *t = pond_calloc(1, sizeof *t);
    tell_entry(t, dir, ".");
    tell_below(t, dir, strlen(dir) + 1);
    for (size_t i = 0; i < t->file_count; i++)
        pond_free(t->files[i].path);
    char *text = pond_strdup(pond_buf_cstr(&t->text));
    pond_buf_release(&t->text);
    pond_free(t);
    return text;
}

static inline void assert_same_tree(const char *a, const char *b)
{
    char *ta = tell_tree(a);
    char *tb = tell_tree(b);
    assert_string_equal(ta, tb);
    pond_free(ta);
    pond_free(tb);
}

/* A tree with every kind of entry and metadata that is kept. */
static inline void make_rich_tree(const char *dir)
{
    char home[1024];
    assert_non_null(getcwd(home, sizeof home));
    make_dir(dir);
    assert_int_equal(chdir(dir), 0);
    make_dir("empty");
    make_dir("sub");
    make_dir("sub/deeper");
    write_text("none", "");
    write_text("one", "1");
    write_noise("inline-max", POND_INLINE_MAX, 1);
    write_noise("bundle-min", POND_INLINE_MAX + 1, 2);
    write_noise("sub/middle", 300000, 3);
    write_noise("sub/deeper/large", 3 << 20, 4);
    write_text("sub/setuid", "#!");
    write_text("sub/read-only", "x");
    write_text("old", "before 1970");
    write_text("bad-\xff\xfe-name", "not UTF-8");
    write_text("line\nbreak \"quoted\" \\", "odd");
    assert_int_equal(symlink("sub/deeper/large", "link"), 0);
    assert_int_equal(symlink("nowhere-\xff", "sub/dangling"), 0);
    assert_int_equal(link("one", "sub/one-again"), 0);
    assert_int_equal(link("sub/deeper/large", "zz-large-again"), 0);
    assert_int_equal(chmod("sub/setuid", 04751), 0);
    assert_int_equal(chmod("sub/read-only", 0400), 0);
    assert_int_equal(chmod("empty", 01777), 0);
    (void)set_xattr("one", "user.colour", "blue");
    (void)set_xattr("sub", "user.of a \"dir\"", "");
    (void)set_xattr("bundle-min", "user.big", "some bytes \x01\x02");
    if (geteuid() == 0) {
        assert_int_equal(lchown("none", 12345, 23456), 0);
        assert_int_equal(lchown("link", 1, 1), 0);
    }
    set_mtime("old", -12345, 987654321);
    set_mtime("one", 1000000000, 1);
    set_mtime("link", 1234567890, 500);
    set_mtime("empty", 1111111111, 999999999);
    set_mtime("sub/deeper", 1222222222, 1000);
    assert_int_equal(chmod("sub/deeper", 0500), 0);
    set_mtime("sub", 1333333333, 0);
    assert_int_equal(chdir(home), 0);
    set_mtime(dir, 1444444444, 4);
}

/* ---- copies and exports ---- */

struct told {
    char skipped[4096]; /* "PATH: why\n" as messages say it */
    char entries[8192]; /* "+POND-PATH " new, "*POND-PATH " changed */
    char damage[65536]; /* "WHAT PATH INTACT MESSAGE\n" */
    size_t intact;
};

static inline void tell_skip(void *context, const char *path, const struct pond_error *why)
{
    struct told *t = context;
    const size_t used = strlen(t->skipped);
    assert_non_null(strstr(why->message, path));
    (void)snprintf(t->skipped + used, sizeof t->skipped - used, "%s\n", why->message);
}

/* A problem's message may name a file of the pond. */
static inline void tell_problem(void *context, const char *path, const struct pond_error *why)
{
    struct told *t = context;
    const size_t used = strlen(t->skipped);
    (void)snprintf(t->skipped + used, sizeof t->skipped - used, "%s: %s\n", path, why->message);
}

static inline void tell_stored(void *context, const char *path, const char *pond_path, bool changed)
{
    struct told *t = context;
    const size_t used = strlen(t->entries);
    (void)path;
    (void)snprintf(t->entries + used, sizeof t->entries - used, "%c%s ", changed ? '*' : '+', pond_path);
}

static inline void tell_damage(void *context, const struct pond_damage *d)
{
    struct told *t = context;
    const size_t used = strlen(t->damage);
    t->intact += d->content_intact;
    (void)snprintf(t->damage + used, sizeof t->damage - used, "%s %s %d %s\n", d->what, d->path, d->content_intact,
                   d->message);
}

static struct told told;

/* The options of a copy that tells. */
static inline struct pond_copy_options telling(void)
{
    memset(&told, 0, sizeof told);
    return (struct pond_copy_options){.on_skip = tell_skip, .on_entry = tell_stored, .context = &told};
}

static inline struct pond_txn_result copy_with(struct pond *p, const char *src, const char *dest,
                                               const struct pond_copy_options *options, struct pond_copy_result *result)
{
    struct pond_txn *t = begin(p, "copy");
    assert_ok(pond_txn_copy(t, &src, 1, dest, options, result, &err));
    return commit(t);
}

static inline struct pond_copy_result copy_one(struct pond *p, const char *src, const char *dest)
{
    const struct pond_copy_options options = telling();
    struct pond_copy_result result = {0};
    (void)copy_with(p, src, dest, &options, &result);
    return result;
}

static inline int export_with(struct pond *p, const char *path, const char *dir, struct pond_export_options *options,
                              struct pond_export_result *result)
{
    memset(&told, 0, sizeof told);
    memset(result, 0, sizeof *result);
    options->on_problem = tell_problem;
    options->context = &told;
    return pond_export(p, &path, 1, dir, options, result, &err);
}

static inline struct pond_export_result export_one(struct pond *p, const char *path, const char *dir)
{
    struct pond_export_options options = {.at = POND_AT_TIP};
    struct pond_export_result result;
    assert_ok(export_with(p, path, dir, &options, &result));
    assert_string_equal(told.skipped, "");
    return result;
}

static inline struct pond_check_result check_with(struct pond *p, struct pond_check_options options)
{
    struct pond_check_result result = {0};
    memset(&told, 0, sizeof told);
    options.on_damage = tell_damage;
    options.context = &told;
    assert_ok(pond_check(p, &options, &result, &err));
    return result;
}

static inline void assert_undamaged(struct pond *p)
{
    const struct pond_check_result result = check_with(p, (struct pond_check_options){.read_data = true});
    assert_string_equal(told.damage, "");
    assert_int_equal(result.damaged, 0);
}

/* The one bundle, or the part of a transaction, of a pond. */
static inline void find_named(const char *dir, const char *prefix, char out[512])
{
    char **names;
    size_t count;
    out[0] = '\0';
    assert_ok(os_dir_sorted(dir, &names, &count, &err));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], prefix, strlen(prefix)) == 0)
            (void)snprintf(out, 512, "%s/%s", dir, names[i]);
    }
    pond_free(names);
    assert_true(out[0] != '\0');
}

static inline void find_bundle(const char *pond, char out[512])
{
    char dir[300], found[512];
    (void)snprintf(dir, sizeof dir, "%s/_large_files", pond);
    find_named(dir, "blake3=", found);
    (void)snprintf(out, 512, "%.490s/chunks.parquet", found);
}

static inline void find_part(const char *pond, int txn, char out[512])
{
    char prefix[40];
    (void)snprintf(prefix, sizeof prefix, "part-%020d-", txn);
    find_named(pond, prefix, out);
}

#endif
