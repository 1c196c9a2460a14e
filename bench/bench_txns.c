/* bench_txns POND COUNT [FILES]: makes COUNT transactions through the library. Each stores FILES (1) small files: the
 * first goes through a thousand names and comes back to them with new versions, further ones are new files, a thousand to a
 * folder. bench_txns POND 1 1000000 makes a pond of a million entries in one transaction. */
#include <sys/mman.h>

#include <pond/fs.h>

#include "gen.h"

static void write_file(struct pond_txn *txn, int fd, const char *path, uint64_t number)
{
    struct pond_error err = {0};
    char content[64];
    int n = snprintf(content, sizeof content, "content of write %" PRIu64 "\n", number);
    if (pwrite(fd, content, (size_t)n, 0) != n || ftruncate(fd, n) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        gen_die("bench_txns: %s", strerror(errno));
    if (pond_txn_write_fd(txn, path, fd, "content", 0644, NULL, &err) != 0)
        gen_die("%s: %s", path, err.message);
}

static void write_files(struct pond_txn *txn, int fd, uint64_t first, uint64_t count)
{
    struct pond_error err = {0};
    char path[64];
    for (uint64_t i = first; i < first + count; i++) {
        int n = snprintf(path, sizeof path, "/many/%04" PRIu64, i / 1000);
        if ((i == first || i % 1000 == 0) && pond_txn_mkdir(txn, path, true, &err) != 0)
            gen_die("%s: %s", path, err.message);
        snprintf(path + n, sizeof path - (size_t)n, "/file-%07" PRIu64, i);
        write_file(txn, fd, path, i);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        gen_die("usage: bench_txns POND COUNT [FILES]");
    uint64_t count = gen_size(argv[2]), files = argc > 3 ? gen_size(argv[3]) : 1, made = 0;
    struct pond_error err = {0};
    struct pond *pond = NULL;
    int fd = memfd_create("content", MFD_CLOEXEC);
    if (fd < 0)
        gen_die("memfd_create: %s", strerror(errno));
    if (pond_open(&pond, argv[1], POND_WRITE, &err) != 0)
        gen_die("%s", err.message);
    for (uint64_t i = 0; i < count; i++) {
        char path[64];
        struct pond_txn *txn = NULL;
        struct pond_txn_result result;
        if (pond_begin(&txn, pond, "bench_txns", &err) != 0 || pond_txn_mkdir(txn, "/again", true, &err) != 0)
            gen_die("%s", err.message);
        snprintf(path, sizeof path, "/again/%03" PRIu64, i % 1000);
        write_file(txn, fd, path, i);
        write_files(txn, fd, made, files - 1);
        made += files - 1;
        if (pond_txn_commit(txn, &result, &err) != 0)
            gen_die("commit: %s", err.message);
    }
    pond_close(pond);
    close(fd);
    return 0;
}
