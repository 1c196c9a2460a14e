/* The progress line. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define FIRST_AFTER_SECONDS 1.0
#define REDRAW_SECONDS 0.2
#define MOST_SECONDS_LEFT 359999u /* 99:59:59 */
#define LEFT_TEXT 24

static struct progress *shown_progress; /* whose line is on the terminal */

void cli_progress_begin(struct progress *progress, const struct cli *c)
{
    progress->wanted = !c->quiet && !c->json && !cli_has(c, "no-progress") && isatty(STDERR_FILENO) == 1;
    progress->start = cli_seconds();
    progress->last = progress->start;
}

void cli_progress_clear(void)
{
    if (shown_progress == NULL)
        return;
    fputs("\r\033[K", stderr);
    shown_progress->shown = false;
    shown_progress = NULL;
}

void cli_progress_end(struct progress *progress)
{
    if (progress->shown)
        cli_progress_clear();
    progress->wanted = false;
}

static void format_left(double seconds, char out[LEFT_TEXT])
{
    unsigned s = seconds < MOST_SECONDS_LEFT ? (unsigned)(seconds + 0.5) : MOST_SECONDS_LEFT;
    if (s >= 3600)
        snprintf(out, LEFT_TEXT, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, LEFT_TEXT, "%u:%02u", s / 60, s % 60);
}

/* One write, so that lines of several programs do not mix within one. */
static void draw(struct progress *progress, double now)
{
    char done[SIZE_TEXT];
    char total[SIZE_TEXT];
    char rate[SIZE_TEXT];
    char left[LEFT_TEXT];
    double per_second = (double)progress->done / (now - progress->start);
    cli_format_size(progress->done, done);
    cli_format_size((uint64_t)per_second, rate);
    /* Files grow, and estimates err. */
    if (progress->total != 0 && progress->total < progress->done)
        progress->total = progress->done;
    if (progress->total == 0 || per_second < 1) {
        fprintf(stderr, "\r%s, %s/s\033[K", done, rate);
    } else {
        cli_format_size(progress->total, total);
        format_left((double)(progress->total - progress->done) / per_second, left);
        fprintf(stderr, "\r%s of %s, %d%%, %s/s, %s left\033[K", done, total,
                (int)((double)progress->done * 100 / (double)progress->total), rate, left);
    }
    fflush(stderr);
    progress->shown = true;
    progress->last = now;
    shown_progress = progress;
}

void cli_progress_add(void *context, uint64_t bytes)
{
    struct progress *progress = context;
    progress->done += bytes;
    if (!progress->wanted)
        return;
    double now = cli_seconds();
    if (now - progress->start < FIRST_AFTER_SECONDS || now - progress->last < REDRAW_SECONDS)
        return;
    if (progress->total == 0 && progress->estimate != NULL) {
        progress->total = progress->estimate(progress->context);
        progress->estimate = NULL;
    }
    draw(progress, now);
}

static void set_total(void *context, uint64_t bytes)
{
    struct progress *progress = context;
    progress->total = bytes;
}

struct pond_control cli_control(const struct cli *c, struct progress *progress)
{
    struct pond_control control = {.cancel = &cli_cancel};
    uint64_t threads = cli_number(c, "threads", 0);
    control.threads = threads > 1024 ? 1024 : (unsigned)threads;
    if (progress != NULL && progress->wanted) {
        control.progress = cli_progress_add;
        control.total = set_total;
        control.context = progress;
    }
    return control;
}

static int add_size(void *context, const struct pond_entry *entry, struct pond_error *err)
{
    struct progress *progress = context;
    if (entry->type == POND_FILE)
        progress->total += entry->size;
    return cli_continue(err);
}

void cli_progress_add_total(struct progress *progress, struct pond *p, const char *path, int64_t at)
{
    struct pond_error ignored;
    if (progress->wanted && pond_list(p, path, at, true, add_size, progress, &ignored) < 0)
        progress->total = 0;
}
