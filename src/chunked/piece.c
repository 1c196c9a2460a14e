#include "chunked/piece.h"

#include "base/pool.h"

int piece_need_codec(struct piece *p, int level, struct pond_error *err)
{
    if (!p->packed && !(p->packed = pond_alloc(FRAMES_PER_PIECE, FRAME_BOUND)))
        return pond_fail_nomem(err);
    return p->codec ? 0 : frame_codec_new(&p->codec, level, err);
}

void piece_release(void *slot)
{
    struct piece *p = slot;
    pond_free(p->raw);
    pond_free(p->packed);
    frame_codec_free(p->codec);
}

#define BEHIND_STEP ((uint64_t)8 << 20)
#define BEHIND_WINDOW ((uint64_t)64 << 20) /* being written: enough to keep a fast disk's queue filled */

void write_behind_advance(struct write_behind *f, uint64_t end)
{
    if (end < f->started + BEHIND_STEP)
        return;
    os_writeback_start(f->fd, f->started, end - f->started);
    f->started = end;
    if (end - f->settled < BEHIND_WINDOW + BEHIND_STEP)
        return;
    uint64_t size = end - BEHIND_WINDOW - f->settled;
    os_writeback_wait(f->fd, f->settled, size);
    os_fadvise_dontneed(f->fd, f->settled, size);
    f->settled += size;
}

unsigned control_workers(const struct pond_control *control, uint64_t size)
{
    unsigned threads = control && control->threads ? control->threads : pond_cpu_count();
    if (threads > 16)
        threads = 16;
    return threads == 1 || size <= FORM_PIECE ? 0 : threads;
}

int control_cancelled(const struct pond_control *control, struct pond_error *err)
{
    if (control && control->cancel && *control->cancel)
        return pond_fail(err, POND_EINTERRUPTED, "interrupted");
    return 0;
}

void control_progress(const struct pond_control *control, uint64_t bytes)
{
    if (control && control->progress && bytes)
        control->progress(control->context, bytes);
}
