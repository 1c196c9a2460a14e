/* genrandom FILE SIZE [SEED]: a file that does not compress, the same for the same seed. */
#include "gen.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        gen_die("usage: genrandom FILE SIZE [SEED]");
    static uint8_t buffer[1 << 20];
    uint64_t size = gen_size(argv[2]), seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    int fd = gen_create(argv[1]);
    while (size > 0) {
        size_t n = size < sizeof buffer ? (size_t)size : sizeof buffer;
        gen_fill(&seed, buffer, n);
        gen_write(fd, argv[1], buffer, n);
        size -= n;
    }
    gen_close(fd, argv[1]);
    return 0;
}
