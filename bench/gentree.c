/* gentree DIR SIZE < PATHS: copies the files named on standard input (each ended by a NUL) below DIR, with their folders,
 * modes and times, until SIZE bytes are there: DIR/0/PATH, and when that is not enough DIR/1/PATH and so on, where the last
 * eight bytes of each file are the pass's number, so that no content comes twice. Files that can't be read are left out. */
#include <sys/stat.h>

#include "gen.h"

static void make_parents(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            gen_die("%s: %s", path, strerror(errno));
        *slash = '/';
    }
}

/* Bytes copied; 0: left out. */
static uint64_t copy_file(const char *from, char *to, uint64_t pass)
{
    struct stat st;
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (in < 0)
        return 0;
    uint8_t *content = NULL;
    size_t have = 0;
    if (fstat(in, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 8 && (content = malloc((size_t)st.st_size)) != NULL) {
        ssize_t n;
        while (have < (size_t)st.st_size && (n = read(in, content + have, (size_t)st.st_size - have)) > 0)
            have += (size_t)n;
    }
    close(in);
    if (content == NULL || have < (size_t)st.st_size) {
        free(content);
        return 0;
    }
    if (pass > 0)
        memcpy(content + have - sizeof pass, &pass, sizeof pass);
    make_parents(to);
    int out = gen_create(to);
    gen_write(out, to, content, have);
    if (fchmod(out, st.st_mode & 0777) != 0 || futimens(out, (const struct timespec[2]){st.st_atim, st.st_mtim}) != 0)
        gen_die("%s: %s", to, strerror(errno));
    gen_close(out, to);
    free(content);
    return have;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        gen_die("usage: gentree DIR SIZE < PATHS");
    uint64_t size = gen_size(argv[2]), done = 0;
    char *names = NULL;
    size_t used = 0, room = 0;
    for (ssize_t n = 1; n > 0; used += n > 0 ? (size_t)n : 0) {
        if (used + 65536 > room && (names = realloc(names, room = room * 2 + 65537)) == NULL)
            gen_die("gentree: out of memory");
        n = read(0, names + used, 65536);
    }
    names[used] = '\0';
    for (uint64_t pass = 0; done < size; pass++) {
        uint64_t before = done;
        for (const char *name = names; name < names + used && done < size; name += strlen(name) + 1) {
            char to[8192];
            int n = snprintf(to, sizeof to, "%s/%" PRIu64 "/%s", argv[1], pass, name[0] == '/' ? name + 1 : name);
            if (n > 0 && (size_t)n < sizeof to)
                done += copy_file(name, to, pass);
        }
        if (done == before)
            gen_die("gentree: none of the files named can be read");
    }
    free(names);
    return 0;
}
