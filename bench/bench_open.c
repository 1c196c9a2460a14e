/* bench_open POND PATH [ROUNDS]: opens the pond, stats PATH and closes, again and again in one process. A line for each round:
 * milliseconds. */
#include <time.h>

#include <pond/fs.h>

#include "gen.h"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        gen_die("usage: bench_open POND PATH [ROUNDS]");
    uint64_t rounds = argc > 3 ? gen_size(argv[3]) : 5;
    for (uint64_t i = 0; i < rounds; i++) {
        struct pond_error err = {0};
        struct pond *pond = NULL;
        struct pond_entry entry;
        double start = now_ms();
        if (pond_open(&pond, argv[1], POND_READ, &err) != 0 ||
            pond_stat(pond, argv[2], POND_AT_TIP, &entry, &err) != 0)
            gen_die("%s", err.message);
        pond_close(pond);
        printf("%.4f\n", now_ms() - start);
    }
    return 0;
}
