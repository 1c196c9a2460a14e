/* The chunked file: one form from every kind of source, every byte covered, every range verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pond/chunked.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/text.h"

#define MIB ((size_t)1 << 20)
#define CHUNK (4 * MIB)

static char dir[] = "/tmp/pond-chunked-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return os_remove_tree(dir, NULL);
}

static int new_file(const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", dir, name);
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    return fd;
}

static uint8_t *slurp(int fd, size_t *size)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    *size = (size_t)st.st_size;
    uint8_t *bytes = pond_alloc(1, *size + 1);
    assert_non_null(bytes);
    assert_int_equal(os_pread_exact(fd, "slurp", bytes, *size, 0, NULL), 0);
    return bytes;
}

/* Contents: kinds that no compressor shrinks, that shrink a little, that shrink to nothing, and chunks that differ. */
enum kind { RANDOM, TEXT, ZEROS, MIXED };

static void fill(uint8_t *p, size_t size, enum kind kind)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        bool text = kind == TEXT || (kind == MIXED && (i / CHUNK) % 2 == 0);
        p[i] = kind == ZEROS ? 0 : text ? (uint8_t)("etaoin shrdlu\n"[x % 14]) : (uint8_t)x;
    }
}

static uint8_t *content(size_t size, enum kind kind)
{
    uint8_t *p = pond_alloc(1, size + 1);
    assert_non_null(p);
    fill(p, size, kind);
    return p;
}

static struct pond_chunked_options options(enum pond_compression compression, unsigned threads)
{
    return (struct pond_chunked_options){
        .chunk_size = CHUNK, .compression = compression, .txn_id = 7, .control = {.threads = threads},
    };
}

static void must(int r, const struct pond_error *err)
{
    if (r < 0)
        print_error("%s: %s\n", pond_code_name(r), err->message);
    assert_true(r >= 0);
}

struct pumped { int fd; const uint8_t *bytes; size_t size; };

static void *pump(void *argument)
{
    struct pumped *p = argument;
    for (size_t at = 0; at < p->size;) {
        size_t n = p->size - at < 50000 ? p->size - at : 50000;
        ssize_t w = write(p->fd, p->bytes + at, n);
        if (w < 0)
            break;
        at += (size_t)w;
    }
    close(p->fd);
    return NULL;
}

enum source { PUSH_UNKNOWN, PUSH_KNOWN, FD_KNOWN, PIPE, SOURCES };

/* Gives the source's fd, to be closed after finish, or -1. */
static int feed(struct pond_chunked_writer *w, enum source source, const uint8_t *bytes, size_t size)
{
    struct pond_error err = {0};
    int fd = -1;
    char path[256];
    if (source == FD_KNOWN) {
        fd = new_file("source", path);
        must(os_write(fd, path, bytes, size, &err), &err);
        must(pond_chunked_write_fd(w, fd, path, &err), &err);
    } else if (source == PIPE) {
        int ends[2];
        pthread_t thread;
        assert_int_equal(pipe(ends), 0);
        struct pumped p = {ends[1], bytes, size};
        assert_int_equal(pthread_create(&thread, NULL, pump, &p), 0);
        must(pond_chunked_write_fd(w, ends[0], "pipe", &err), &err);
        pthread_join(thread, NULL);
        close(ends[0]);
    } else {
        for (size_t at = 0, step = 1; at < size; at += step, step = step * 3 + 1) {
            size_t n = size - at < step ? size - at : step;
            must(pond_chunked_write(w, bytes + at, n, &err), &err);
        }
    }
    return fd;
}

/* Encodes into a fresh file and gives its fd. */
static int encode(const char *name, enum source source, const uint8_t *bytes, size_t size,
                  const struct pond_chunked_options *o, struct pond_chunked_info *info)
{
    struct pond_error err = {0};
    char path[256];
    int fd = new_file(name, path);
    struct pond_chunked_writer *w;
    uint64_t known = source == PUSH_UNKNOWN || source == PIPE ? UINT64_MAX : size;
    must(pond_chunked_writer_new(&w, fd, path, known, o, &err), &err);
    int source_fd = feed(w, source, bytes, size);
    must(pond_chunked_writer_finish(w, info, &err), &err);
    if (source_fd >= 0)
        close(source_fd);
    pond_chunked_writer_free(w);
    return fd;
}

static void check_content(int fd, const uint8_t *bytes, size_t size)
{
    struct pond_error err = {0};
    struct pond_chunked_reader *r;
    uint8_t root[32];
    pond_blake3(bytes, size, root);
    must(pond_chunked_open(&r, fd, "bundle", root, &err), &err);
    assert_int_equal(pond_chunked_reader_info(r)->total_size, size);
    uint8_t *back = pond_alloc(1, size + 16);
    int64_t n = pond_chunked_read(r, 0, back, size + 16, &err);
    must(n < 0 ? (int)n : 0, &err);
    assert_int_equal(n, size);
    assert_memory_equal(back, bytes, size);
    for (size_t i = 0; i < 40 && size; i++) {
        size_t at = (i * 7919 * 104729) % size, len = 1 + (i * 65537) % (3 * POND_BLOCK_SIZE);
        if (len > size - at)
            len = size - at;
        assert_int_equal(pond_chunked_read(r, at, back, len, &err), len);
        assert_memory_equal(back, bytes + at, len);
    }
    for (uint64_t i = 0; i < pond_chunked_reader_info(r)->chunk_count; i++) {
        struct pond_chunk c;
        must(pond_chunked_chunk(r, i, &c, &err), &err);
        if (!c.compressed)
            assert_int_equal(c.stored_offset % 4096, 0);
    }
    char path[256];
    int out = new_file("extracted", path);
    must(pond_chunked_extract(r, out, path, NULL, &err), &err);
    size_t out_size;
    uint8_t *extracted = slurp(out, &out_size);
    assert_int_equal(out_size, size);
    assert_memory_equal(extracted, bytes, size);
    pond_free(extracted);
    close(out);
    pond_free(back);
    pond_chunked_close(r);
}

static void check_copy(int fd, const uint8_t *bundle, size_t bundle_size, const struct pond_chunked_info *info)
{
    struct pond_error err = {0};
    struct pond_chunked_info verified, copied;
    struct pond_control control = {.threads = 3};
    must(pond_chunked_verify(fd, "bundle", info->root_hash, true, &control, &verified, &err), &err);
    char path[256];
    int dst = new_file("copied", path);
    must(pond_chunked_copy(fd, "bundle", dst, path, info->root_hash, &control, &copied, &err), &err);
    size_t size;
    uint8_t *bytes = slurp(dst, &size);
    assert_int_equal(size, bundle_size);
    assert_memory_equal(bytes, bundle, size);
    assert_memory_equal(verified.form_hash, copied.form_hash, 32);
    assert_memory_equal(verified.uuid, info->uuid, 16);
    assert_int_equal(verified.file_size, size);
    pond_free(bytes);
    close(dst);
}

static const size_t sizes[] = {
    0, 1, 1023, 1024, 1025, 16383, 16384, 16385, 65536, 262144, 262145, 300000, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 16384,
    CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 16384, CHUNK + 16385, 2 * CHUNK, 2 * CHUNK + MIB, 3 * CHUNK + 12345,
};

static void one_form_from_every_source(enum pond_compression compression, enum kind first, enum kind last)
{
    for (int kind = (int)first; kind <= (int)last; kind++) {
        uint8_t *bytes = content(3 * CHUNK + 12345, (enum kind)kind);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct pond_chunked_options o = options(compression, 1);
            struct pond_chunked_info info, other;
            int fd = encode("one", PUSH_UNKNOWN, bytes, sizes[i], &o, &info);
            size_t size, other_size;
            uint8_t *bundle = slurp(fd, &size);
            assert_int_equal(size, info.file_size);
            check_content(fd, bytes, sizes[i]);
            check_copy(fd, bundle, size, &info);
            close(fd);
            for (int source = PUSH_KNOWN; source < SOURCES; source++) {
                o = options(compression, 1 + (unsigned)source);
                fd = encode("other", (enum source)source, bytes, sizes[i], &o, &other);
                uint8_t *again = slurp(fd, &other_size);
                assert_int_equal(other_size, size);
                assert_memory_equal(again, bundle, size);
                assert_memory_equal(&other, &info, sizeof(info));
                pond_free(again);
                close(fd);
            }
            pond_free(bundle);
        }
        pond_free(bytes);
    }
}

static void test_chunked__one_form_uncompressed(void **state)
{
    (void)state;
    one_form_from_every_source(POND_COMPRESSION_NONE, RANDOM, RANDOM);
}

static void test_chunked__one_form_zstd(void **state)
{
    (void)state;
    one_form_from_every_source(POND_COMPRESSION_ZSTD, TEXT, ZEROS);
}

static void test_chunked__one_form_auto(void **state)
{
    (void)state;
    one_form_from_every_source(POND_COMPRESSION_AUTO, MIXED, MIXED);
}

static void test_chunked__names_follow_what_determines_the_bytes(void **state)
{
    (void)state;
    uint8_t *bytes = content(100000, TEXT);
    struct pond_chunked_info a, b;
    struct pond_chunked_options o = options(POND_COMPRESSION_AUTO, 1);
    close(encode("a", PUSH_KNOWN, bytes, 100000, &o, &a));
    o.txn_id = 8;
    close(encode("b", PUSH_KNOWN, bytes, 100000, &o, &b));
    assert_memory_not_equal(a.uuid, b.uuid, 16);
    o.txn_id = 7;
    o.chunk_size = 2 * CHUNK;
    close(encode("b", PUSH_KNOWN, bytes, 100000, &o, &b));
    assert_memory_not_equal(a.uuid, b.uuid, 16);
    o.chunk_size = CHUNK;
    o.compression = POND_COMPRESSION_NONE;
    close(encode("b", PUSH_KNOWN, bytes, 100000, &o, &b));
    assert_memory_not_equal(a.uuid, b.uuid, 16);
    assert_memory_equal(a.root_hash, b.root_hash, 32);
    assert_int_equal(a.uuid[6] >> 4, 8);
    pond_free(bytes);
}

/* Changes one byte, and expects verify and copy to refuse with a place, and a read never to give wrong bytes. */
static void expect_damage(int fd, size_t at, const struct pond_chunked_info *info, const uint8_t *bytes, size_t size)
{
    uint8_t byte, flipped;
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    flipped = byte ^ (uint8_t)(1u << (at % 8));
    assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);

    struct pond_error err = {0};
    int r = pond_chunked_verify(fd, "bundle", info->root_hash, true, NULL, NULL, &err);
    if (r >= 0)
        print_error("flipped byte at %zu of %llu not found\n", at, (unsigned long long)info->file_size);
    assert_true(r == POND_ECORRUPT || r == POND_EUNSUPPORTED || r == POND_ELIMIT);
    if (!strstr(err.message, "bundle"))
        print_error("flipped byte at %zu: %s\n", at, err.message);
    assert_non_null(strstr(err.message, "bundle"));

    struct pond_chunked_reader *reader;
    if (pond_chunked_open(&reader, fd, "bundle", info->root_hash, &err) == 0) {
        uint8_t *back = pond_alloc(1, size);
        int64_t n = pond_chunked_read(reader, 0, back, size, &err);
        if (n >= 0)
            assert_memory_equal(back, bytes, size);
        pond_free(back);
        pond_chunked_close(reader);
    }
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static void flip_everywhere(enum pond_compression compression, size_t size, size_t stride)
{
    uint8_t *bytes = content(size, TEXT);
    struct pond_chunked_info info;
    struct pond_chunked_options o = options(compression, 1);
    int fd = encode("flip", PUSH_KNOWN, bytes, size, &o, &info);
    for (size_t at = 0; at < info.file_size; at += at < 1200 || at + 3600 > info.file_size ? 1 : stride)
        expect_damage(fd, at, &info, bytes, size);
    must(pond_chunked_verify(fd, "bundle", info.root_hash, true, NULL, NULL, NULL), NULL);
    close(fd);
    pond_free(bytes);
}

static void test_chunked__every_flipped_byte_is_found(void **state)
{
    (void)state;
    flip_everywhere(POND_COMPRESSION_NONE, 40000, 257);
    flip_everywhere(POND_COMPRESSION_ZSTD, 18000, 3);
    flip_everywhere(POND_COMPRESSION_AUTO, 100, 1);
    flip_everywhere(POND_COMPRESSION_NONE, CHUNK + 20000, 400009);
}

static void test_chunked__every_truncation_is_found(void **state)
{
    (void)state;
    uint8_t *bytes = content(40000, TEXT);
    struct pond_chunked_info info;
    struct pond_chunked_options o = options(POND_COMPRESSION_NONE, 1);
    int fd = encode("cut", PUSH_KNOWN, bytes, 40000, &o, &info);
    for (size_t n = info.file_size; n-- > 0; n -= n > 6000 && n < info.file_size - 6000 ? 97 : 0) {
        struct pond_error err = {0};
        assert_int_equal(ftruncate(fd, (off_t)n), 0);
        assert_true(pond_chunked_verify(fd, "bundle", NULL, false, NULL, NULL, &err) < 0);
        assert_int_equal(err.code, POND_ECORRUPT);
    }
    close(fd);
    pond_free(bytes);
}

static void test_chunked__damage_outside_the_content_says_so(void **state)
{
    (void)state;
    uint8_t *bytes = content(200000, RANDOM);
    struct pond_chunked_info info;
    struct pond_error err = {0};
    struct pond_chunked_options o = options(POND_COMPRESSION_NONE, 1);
    int fd = encode("form", PUSH_KNOWN, bytes, 200000, &o, &info);
    struct pond_chunked_reader *r;
    must(pond_chunked_open(&r, fd, "bundle", NULL, &err), &err);
    struct pond_chunk c;
    must(pond_chunked_chunk(r, 0, &c, &err), &err);
    uint64_t payload = c.stored_offset;
    pond_chunked_close(r);

    assert_int_equal(pwrite(fd, "X", 1, 100), 1); /* in the small pages */
    assert_int_equal(pond_chunked_verify(fd, "bundle", NULL, false, NULL, NULL, &err), POND_ECORRUPT);
    assert_non_null(strstr(err.message, "at offset 100"));
    assert_non_null(strstr(err.message, "the content itself verifies"));

    assert_int_equal(pwrite(fd, "X", 1, (off_t)payload + 20000), 1); /* block 1 */
    assert_int_equal(pond_chunked_verify(fd, "bundle", NULL, false, NULL, NULL, &err), POND_ECORRUPT);
    assert_non_null(strstr(err.message, "chunk 0, block 1 "));
    assert_null(strstr(err.message, "the content itself verifies"));
    close(fd);
    pond_free(bytes);
}

static void test_chunked__refuses_another_content(void **state)
{
    (void)state;
    uint8_t *bytes = content(70000, RANDOM);
    struct pond_chunked_info info;
    struct pond_error err = {0};
    struct pond_chunked_options o = options(POND_COMPRESSION_AUTO, 1);
    int fd = encode("name", PUSH_KNOWN, bytes, 70000, &o, &info);
    uint8_t other[32] = {1};
    struct pond_chunked_reader *r;
    assert_int_equal(pond_chunked_open(&r, fd, "bundle", other, &err), POND_ECORRUPT);
    assert_non_null(strstr(err.message, "not the one expected"));
    close(fd);
    pond_free(bytes);
}

static void test_chunked__source_that_shrinks_is_an_error(void **state)
{
    (void)state;
    uint8_t *bytes = content(2 * MIB, RANDOM);
    char path[256], src[256];
    struct pond_error err = {0};
    struct pond_chunked_options o = options(POND_COMPRESSION_AUTO, 2);
    int source = new_file("shrinks", src), fd = new_file("bundle", path);
    must(os_write(source, src, bytes, 2 * MIB, &err), &err);
    struct pond_chunked_writer *w;
    must(pond_chunked_writer_new(&w, fd, path, 3 * MIB, &o, &err), &err);
    int r = pond_chunked_write_fd(w, source, src, &err);
    struct pond_chunked_info info;
    if (r >= 0)
        r = pond_chunked_writer_finish(w, &info, &err);
    assert_int_equal(r, POND_EFAILED);
    assert_non_null(strstr(err.message, "shrank"));
    assert_true(pond_chunked_writer_finish(w, &info, &err) < 0); /* sticky */
    pond_chunked_writer_free(w);
    close(fd);
    close(source);
    pond_free(bytes);
}

static void test_chunked__cancel_ends_the_work(void **state)
{
    (void)state;
    uint8_t *bytes = content(3 * MIB, RANDOM);
    volatile int cancel = 1;
    struct pond_error err = {0};
    struct pond_chunked_options o = options(POND_COMPRESSION_NONE, 2);
    o.control.cancel = &cancel;
    char path[256];
    int fd = new_file("cancelled", path);
    struct pond_chunked_writer *w;
    must(pond_chunked_writer_new(&w, fd, path, UINT64_MAX, &o, &err), &err);
    assert_int_equal(pond_chunked_write(w, bytes, 3 * MIB, &err), POND_EINTERRUPTED);
    pond_chunked_writer_free(w);
    close(fd);
    pond_free(bytes);
}

static void test_chunked__refuses_bad_options(void **state)
{
    (void)state;
    struct pond_error err = {0};
    struct pond_chunked_writer *w;
    struct pond_chunked_options o = {.chunk_size = 3 * MIB};
    assert_int_equal(pond_chunked_writer_new(&w, -1, "x", 0, &o, &err), POND_EUSAGE);
    o.chunk_size = 128 * MIB;
    assert_int_equal(pond_chunked_writer_new(&w, -1, "x", 0, &o, &err), POND_EUSAGE);
    o.chunk_size = CHUNK;
    o.level = 20;
    assert_int_equal(pond_chunked_writer_new(&w, -1, "x", 0, &o, &err), POND_EUSAGE);
}

/* One try at all of it; gives the first failure. */
static int encode_read_copy(int fd, int copy_fd, const uint8_t *bytes, size_t size, struct pond_error *err)
{
    struct pond_chunked_options o = options(POND_COMPRESSION_AUTO, 1);
    struct pond_chunked_writer *w = NULL;
    struct pond_chunked_reader *r = NULL;
    struct pond_chunked_info info;
    uint8_t back[100];
    int e = pond_chunked_writer_new(&w, fd, "bundle", size, &o, err);
    if (e == 0)
        e = pond_chunked_write(w, bytes, size, err);
    if (e == 0)
        e = pond_chunked_writer_finish(w, &info, err);
    pond_chunked_writer_free(w);
    if (e == 0)
        e = pond_chunked_open(&r, fd, "bundle", info.root_hash, err);
    if (e == 0) {
        e = (int)pond_chunked_read(r, size / 2, back, sizeof(back), err);
        e = e < 0 ? e : memcmp(back, bytes + size / 2, sizeof(back)) == 0 ? 0 : -1000;
        pond_chunked_close(r);
    }
    if (e == 0)
        e = pond_chunked_copy(fd, "bundle", copy_fd, "copy", info.root_hash, &o.control, &info, err);
    return e;
}

static void test_chunked__survives_every_failed_allocation(void **state)
{
    (void)state;
    uint8_t *bytes = content(300000, TEXT);
    int r = POND_ENOMEM;
    for (long n = 0; r != 0; n++) {
        struct pond_error err = {0};
        char path[256], copy_path[256];
        int fd = new_file("memory", path), copy_fd = new_file("memory-copy", copy_path);
        pond_mem_fail_after(n);
        r = encode_read_copy(fd, copy_fd, bytes, 300000, &err);
        pond_mem_fail_after(-1);
        assert_true(r == 0 || r == POND_ENOMEM);
        assert_int_equal(err.code, r);
        assert_true(n < 2000);
        close(fd);
        close(copy_fd);
    }
    pond_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked__one_form_uncompressed),
        cmocka_unit_test(test_chunked__one_form_zstd),
        cmocka_unit_test(test_chunked__one_form_auto),
        cmocka_unit_test(test_chunked__names_follow_what_determines_the_bytes),
        cmocka_unit_test(test_chunked__every_flipped_byte_is_found),
        cmocka_unit_test(test_chunked__every_truncation_is_found),
        cmocka_unit_test(test_chunked__damage_outside_the_content_says_so),
        cmocka_unit_test(test_chunked__refuses_another_content),
        cmocka_unit_test(test_chunked__source_that_shrinks_is_an_error),
        cmocka_unit_test(test_chunked__cancel_ends_the_work),
        cmocka_unit_test(test_chunked__refuses_bad_options),
        cmocka_unit_test(test_chunked__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
