/* Literal, verified copies of single files, from one local file system to the same or another. */
#include "remote/remote.h"

#include <fcntl.h>
#include <string.h>

#include "base/os.h"
#include "bao/tree.h"

#define BATCH_FILES 1024u
#define BATCH_BYTES ((uint64_t)256 << 20)
#define STEP_BYTES ((size_t)1 << 20)

int transfer_init(struct transfer *t, const struct pond_control *control, struct pond_error *err)
{
    t->control = control;
    t->batch = NULL;
    return store_batch_new(&t->batch, BATCH_FILES, BATCH_BYTES, err);
}

void transfer_release(struct transfer *t)
{
    store_batch_free(t->batch);
    t->batch = NULL;
}

int transfer_open(const char *src, struct pond_error *err)
{
    int fd = os_open(src, O_RDONLY | O_NOFOLLOW, 0, err);
    if (fd == POND_ENOTFOUND)
        return pond_fail_path(err, POND_ECORRUPT, src, "%s: is missing: the log names it", src);
    return fd;
}

/* Both ends of a copy; on failure the temporary is gone. */
struct ends {
    int src, dst;
    char *tmp_path;
};

static int open_ends(struct ends *e, const char *src, char *tmp_path, struct pond_error *err)
{
    *e = (struct ends){.src = -1, .dst = -1, .tmp_path = tmp_path};
    if (!tmp_path)
        return pond_fail_nomem(err);
    e->src = transfer_open(src, err);
    if (e->src < 0)
        return e->src;
    e->dst = os_open(tmp_path, O_RDWR | O_CREAT | O_EXCL, 0644, err);
    return e->dst < 0 ? e->dst : 0;
}

/* The batch takes the written end over; a failed copy leaves nothing. */
static int close_ends(struct ends *e, int r, struct transfer *t, const char *final_path, uint64_t size, struct pond_error *err)
{
    os_close(e->src);
    if (r == 0) {
        r = store_batch_add(t->batch, e->dst, e->tmp_path, final_path, size, err);
    } else {
        os_close(e->dst);
        if (e->dst >= 0 && os_unlink(e->tmp_path, NULL) < 0)
            (void)0; /* garbage that gc removes; the first failure is the one to tell */
    }
    pond_free(e->tmp_path);
    return r;
}

int transfer_bundle(struct transfer *t, const char *src, char *tmp_path, const char *final_path, const uint8_t root[32],
                    struct pond_chunked_info *info, struct pond_error *err)
{
    struct ends ends;
    int r = open_ends(&ends, src, tmp_path, err);
    if (r == 0)
        r = pond_chunked_copy(ends.src, src, ends.dst, tmp_path, root, t->control, info, err);
    return close_ends(&ends, r, t, final_path, r == 0 ? info->file_size : 0, err);
}

static int copy_hashed(const struct ends *e, const char *src, uint64_t size, const uint8_t blake3[32],
                       const struct pond_control *control, uint8_t *buf, struct bao_hasher *hasher, struct pond_error *err)
{
    struct stat st;
    POND_TRY(os_fstat(e->src, src, &st, err));
    if ((uint64_t)st.st_size != size)
        return pond_fail_path(err, POND_ECORRUPT, src, "%s: has %lld bytes, its commit says %llu", src, (long long)st.st_size,
                              (unsigned long long)size);
    bao_hasher_init(hasher);
    for (uint64_t at = 0; at < size;) {
        if (control && control->cancel && *control->cancel)
            return pond_fail(err, POND_EINTERRUPTED, "interrupted");
        size_t n = size - at < STEP_BYTES ? (size_t)(size - at) : STEP_BYTES;
        POND_TRY(os_pread_exact(e->src, src, buf, n, at, err));
        bao_hasher_update(hasher, buf, n);
        POND_TRY(os_write(e->dst, e->tmp_path, buf, n, err));
        at += n;
    }
    uint8_t hash[32];
    bao_hasher_final(hasher, hash);
    if (memcmp(hash, blake3, 32) != 0)
        return pond_fail_path(err, POND_ECORRUPT, src, "%s: does not have the BLAKE3 that its commit says", src);
    return 0;
}

int transfer_file(struct transfer *t, const char *src, char *tmp_path, const char *final_path, uint64_t size,
                  const uint8_t blake3[32], struct pond_error *err)
{
    struct ends ends;
    int r = open_ends(&ends, src, tmp_path, err);
    if (r == 0) {
        uint8_t *buf = pond_alloc(1, STEP_BYTES);
        struct bao_hasher *hasher = pond_alloc(1, sizeof(*hasher));
        r = buf && hasher ? copy_hashed(&ends, src, size, blake3, t->control, buf, hasher, err) : pond_fail_nomem(err);
        pond_free(buf);
        pond_free(hasher);
    }
    return close_ends(&ends, r, t, final_path, size, err);
}
