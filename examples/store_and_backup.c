/* store_and_backup FILE POND REMOTE: makes a pond, stores a file in it, reads a verified range back, backs the pond up. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <pond/pond.h>

static void must(int result, const struct pond_error *err)
{
    if (result >= 0)
        return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: store_and_backup FILE POND REMOTE\n"), 2;
    struct pond_error err = {0};
    struct pond *pond;
    must(pond_init(argv[2], &(struct pond_init_options){.command = "example"}, &err), &err);
    must(pond_open(&pond, argv[2], POND_WRITE, &err), &err);

    struct pond_txn *txn;
    struct pond_txn_result stored;
    int fd = open(argv[1], O_RDONLY);
    must(pond_begin(&txn, pond, "example", &err), &err);
    must(pond_txn_write_fd(txn, "/file", fd, argv[1], 0, NULL, &err), &err);
    must(pond_txn_commit(txn, &stored, &err), &err);
    close(fd);

    struct pond_reader *reader;
    char range[16];
    must(pond_reader_open(&reader, pond, "/file", POND_AT_TIP, 0, &err), &err);
    int64_t size = pond_reader_read(reader, pond_reader_size(reader) / 2, range, sizeof range, &err);
    must(size < 0 ? (int)size : 0, &err);
    printf("from the middle: %.*s\n", (int)size, range);
    pond_reader_close(reader);

    struct pond_transfer_options options = {.at = POND_AT_TIP};
    struct pond_transfer_result sent;
    must(pond_remote_add(pond, "backup", argv[3], &err), &err);
    must(pond_backup(pond, "backup", &options, &sent, &err), &err);
    printf("backed up: txn %lld, %llu bundles\n", (long long)sent.txn, (unsigned long long)sent.bundles);
    pond_close(pond);
    return 0;
}
