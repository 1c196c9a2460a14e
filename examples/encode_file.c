/* encode_file FILE BUNDLE CHUNK_MIB auto|zstd|none: writes a chunked Parquet file outside of any pond. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pond/chunked.h>

int main(int argc, char **argv)
{
    static const char *const names[] = {"auto", "zstd", "none"};
    if (argc != 5)
        return fprintf(stderr, "usage: encode_file FILE BUNDLE CHUNK_MIB auto|zstd|none\n"), 2;
    struct pond_chunked_options options = {.chunk_size = strtoull(argv[3], NULL, 10) << 20, .txn_id = 1};
    for (int i = 0; i < 3; i++)
        if (strcmp(argv[4], names[i]) == 0)
            options.compression = (enum pond_compression)i;

    int in = open(argv[1], O_RDONLY), out = open(argv[2], O_RDWR | O_CREAT | O_EXCL, 0666);
    struct stat st;
    if (in < 0 || out < 0 || fstat(in, &st) < 0)
        return perror("encode_file"), 1;

    struct pond_error err = {0};
    struct pond_chunked_writer *writer;
    struct pond_chunked_info info;
    int r = pond_chunked_writer_new(&writer, out, argv[2], (uint64_t)st.st_size, &options, &err);
    if (r == 0) {
        r = pond_chunked_write_fd(writer, in, argv[1], &err);
        if (r == 0)
            r = pond_chunked_writer_finish(writer, &info, &err);
        pond_chunked_writer_free(writer);
    }
    if (r < 0)
        return fprintf(stderr, "%s\n", err.message), 1;
    printf("%llu bytes of content, %llu chunks, %llu bytes of Parquet\n", (unsigned long long)info.total_size,
           (unsigned long long)info.chunk_count, (unsigned long long)info.file_size);
    return close(out) == 0 ? 0 : 1;
}
