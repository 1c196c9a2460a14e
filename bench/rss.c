/* rss [-o FILE] [-s DIR] [-q] COMMAND [ARG]...: runs COMMAND and tells what it took, as one line of words:
 *
 *     WALL USER SYS MAXRSS_KIB STATUS          (seconds; STATUS as a shell's $?)
 *
 * on standard error, or appended to FILE. -s: the wall time includes syncfs(2) of DIR's file system after COMMAND.
 * -q: COMMAND's standard output goes to /dev/null. Ends with COMMAND's status.
 *
 * The numbers are those of wait4(2): user and system time are summed over COMMAND and all it waited for, the peak is that of
 * the largest of them. The peak counts this program's own pages before the exec, some 2 MiB. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

static int fail(const char *what)
{
    fprintf(stderr, "rss: %s: %s\n", what, strerror(errno));
    return 125;
}

static void run_child(char **command, int quiet)
{
    int null = quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (quiet && (null < 0 || dup2(null, 1) < 0))
        _exit(fail("/dev/null"));
    execvp(command[0], command);
    _exit(fail(command[0]) == 125 && errno == ENOENT ? 127 : 126);
}

int main(int argc, char **argv)
{
    const char *out_path = NULL, *sync_dir = NULL;
    int quiet = 0, option;
    while ((option = getopt(argc, argv, "+o:s:q")) != -1) {
        if (option == 'o')
            out_path = optarg;
        else if (option == 's')
            sync_dir = optarg;
        else if (option == 'q')
            quiet = 1;
        else
            return 125;
    }
    if (optind >= argc) {
        fprintf(stderr, "usage: rss [-o FILE] [-s DIR] [-q] COMMAND [ARG]...\n");
        return 125;
    }
    FILE *out = stderr;
    if (out_path != NULL && (out = fopen(out_path, "ae")) == NULL)
        return fail(out_path);
    int dir = -1;
    if (sync_dir != NULL && (dir = open(sync_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return fail(sync_dir);

    double start = now_s();
    pid_t child = fork();
    if (child < 0)
        return fail("fork");
    if (child == 0)
        run_child(argv + optind, quiet);
    int status = 0;
    struct rusage usage;
    while (wait4(child, &status, 0, &usage) < 0) {
        if (errno != EINTR)
            return fail("wait4");
    }
    if (dir >= 0 && syncfs(dir) != 0)
        return fail(sync_dir);
    double wall = now_s() - start;

    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(out, "%.6f %.6f %.6f %ld %d\n", wall, seconds(usage.ru_utime), seconds(usage.ru_stime), usage.ru_maxrss, code);
    if (fflush(out) != 0)
        return fail("writing the numbers");
    return code;
}
