#include "chunked/piece.h"

#include <fcntl.h>

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

void direct_file_open(struct direct_file *f, int fd, const char *path)
{
    f->fd = fd;
    f->path = path;
    f->direct_fd = os_open(path, O_WRONLY, 0, NULL);
    if (f->direct_fd >= 0 && !os_set_direct(f->direct_fd, true))
        direct_file_close(f);
}

void direct_file_close(struct direct_file *f)
{
    os_close(f->direct_fd);
    f->direct_fd = -1;
}

int direct_file_write(const struct direct_file *f, const uint8_t *bytes, size_t size, uint64_t offset,
                      struct pond_error *err)
{
    bool aligned = offset % OS_BLOCK == 0 && (uintptr_t)bytes % OS_BLOCK == 0; /* by chance, where it is compressed */
    size_t direct = f->direct_fd >= 0 && aligned ? size - size % OS_BLOCK : 0;
    if (direct)
        POND_TRY(os_pwrite(f->direct_fd, f->path, bytes, direct, offset, err));
    if (direct == size)
        return 0;
    return os_pwrite(f->fd, f->path, bytes + direct, size - direct, offset + direct, err);
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
