/* genfiles DIR COUNT SIZE [FOLDER [SEED]]: COUNT files of SIZE bytes that do not compress, FOLDER (1000) of them to a folder.
 * DIR is made. */
#include <sys/stat.h>

#include "gen.h"

int main(int argc, char **argv)
{
    if (argc < 4)
        gen_die("usage: genfiles DIR COUNT SIZE [FOLDER [SEED]]");
    uint64_t count = gen_size(argv[2]), size = gen_size(argv[3]), folder = argc > 4 ? gen_size(argv[4]) : 1000,
             seed = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;
    if (size > 1 << 20 || folder == 0)
        gen_die("genfiles: at most 1 MiB a file, at least one to a folder");
    uint8_t *content = malloc((size_t)size + 1);
    if (content == NULL || (mkdir(argv[1], 0755) != 0 && errno != EEXIST))
        gen_die("%s: %s", argv[1], strerror(errno));
    for (uint64_t i = 0; i < count; i++) {
        char path[4096];
        int n = snprintf(path, sizeof path, "%s/%04" PRIu64, argv[1], i / folder);
        if (n < 0 || (size_t)n > sizeof path - 32 || (i % folder == 0 && mkdir(path, 0755) != 0))
            gen_die("%s: %s", path, strerror(errno));
        snprintf(path + n, sizeof path - (size_t)n, "/file-%07" PRIu64, i);
        gen_fill(&seed, content, (size_t)size);
        int fd = gen_create(path);
        gen_write(fd, path, content, (size_t)size);
        gen_close(fd, path);
    }
    free(content);
    return 0;
}
