#include "tlogfs/logread.h"

#include <fcntl.h>
#include <string.h>

#include "bao/tree.h"
#include "base/os.h"
#include "base/text.h"

#define HASH_STEP ((size_t)256 << 10)

static const char *set_path(const struct pond *p, const char *key, struct pond_buf *out)
{
    pond_buf_clear(out);
    (void)pond_buf_printf(out, "%s/%s", p->dir, key);
    return pond_buf_cstr(out);
}

int logread_commit(const struct pond *p, int64_t txn, struct pond_commit *out, struct pond_buf *name,
                   struct pond_error *err)
{
    struct pond_buf bytes = {0};
    char key[64];
    delta_commit_key(&p->table, txn, key, sizeof key);
    const char *path = set_path(p, key, name);
    if (path == NULL)
        return pond_fail_nomem(err);
    int r = delta_read_commit(&p->table, txn, &bytes, err);
    if (r == 0)
        r = pond_fail_path(err, POND_ECORRUPT, path, "%s: is missing: the log has a gap", path);
    else if (r == 1)
        r = pond_commit_parse(path, txn, bytes.data, bytes.size, out, err);
    pond_buf_release(&bytes);
    return r;
}

int logread_part_open(const struct pond *p, const struct pond_commit *c, struct pond_buf *path,
                      struct pond_error *err)
{
    struct stat st;
    const char *name = set_path(p, c->part_path, path);
    if (name == NULL)
        return pond_fail_nomem(err);
    int fd = os_open(name, O_RDONLY | O_NOFOLLOW, 0, err);
    if (fd == POND_ENOTFOUND)
        return pond_fail_path(err, POND_ECORRUPT, name, "%s: is missing: transaction %lld names it", name,
                              (long long)c->txn);
    if (fd < 0)
        return fd;
    int r = os_fstat(fd, name, &st, err);
    if (r == 0 && st.st_size != c->part_size)
        r = pond_fail_path(err, POND_ECORRUPT, name, "%s: has %lld bytes, transaction %lld says %lld", name,
                           (long long)st.st_size, (long long)c->txn, (long long)c->part_size);
    if (r == 0)
        return fd;
    os_close(fd);
    return r;
}

static int hash_part(int fd, const char *path, uint64_t size, const struct pond_control *control, uint8_t out[32],
                     struct pond_error *err)
{
    struct bao_hasher *h = pond_alloc(1, sizeof *h);
    uint8_t *step = pond_alloc(1, HASH_STEP);
    int r = h != NULL && step != NULL ? 0 : pond_fail_nomem(err);
    if (r == 0)
        bao_hasher_init(h);
    for (uint64_t at = 0; at < size && r == 0;) {
        size_t n = (size_t)pond_min_u64(size - at, HASH_STEP);
        if (control->cancel != NULL && *control->cancel != 0) {
            r = pond_fail(err, POND_EINTERRUPTED, "interrupted");
            break;
        }
        r = os_pread_exact(fd, path, step, n, at, err);
        if (r == 0)
            bao_hasher_update(h, step, n);
        if (r == 0 && control->progress != NULL)
            control->progress(control->context, n);
        at += n;
    }
    if (r == 0)
        bao_hasher_final(h, out);
    pond_free(step);
    pond_free(h);
    return r;
}

int logread_part_verify(int fd, const char *path, const struct pond_commit *c, const struct pond_control *control,
                        struct pond_error *err)
{
    uint8_t found[POND_HASH_SIZE];
    POND_TRY(hash_part(fd, path, (uint64_t)c->part_size, control, found, err));
    if (memcmp(found, c->part_blake3, sizeof found) == 0)
        return 0;
    char found_hex[2 * POND_HASH_SIZE + 1];
    char named_hex[2 * POND_HASH_SIZE + 1];
    pond_hex(found, sizeof found, found_hex);
    pond_hex(c->part_blake3, sizeof found, named_hex);
    return pond_fail_path(err, POND_ECORRUPT, path, "%s: its BLAKE3 is %s, transaction %lld says %s", path, found_hex,
                          (long long)c->txn, named_hex);
}
