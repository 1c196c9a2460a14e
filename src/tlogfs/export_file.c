#include "tlogfs/export.h"

#include <fcntl.h>
#include <string.h>

#include "base/os_at.h"

static const uint8_t *job_content(const struct export_batch *b, const struct export_job *job)
{
    return b->bytes.data != NULL ? b->bytes.data + job->content_at : (const uint8_t *)"";
}

/* The first problem of an entry is kept; the owner tells it. */
static void note_problem(void *context, const char *path, const struct pond_error *why)
{
    struct export_job *job = context;
    (void)path;
    if (job->problems++ == 0)
        job->problem = *why;
}

static void apply_metadata(const struct export *x, struct export_batch *b, struct export_job *job, int fd,
                           const char *name, const char *path)
{
    const struct hostmeta_target target = {
        .fd = fd,
        .name = name,
        .path = path,
        .uid = x->uid,
        .gid = (job->dir->mode & S_ISGID) != 0 ? job->dir->gid : x->gid,
    };
    struct pond_error err;
    if (hostmeta_parse(&b->meta, job->attributes, &err) < 0)
        note_problem(job, path, &err);
    hostmeta_apply(&target, &b->meta, job->mode, job->mtime_us, job->mtime_nanos, note_problem, job);
}

/* A bundle's content into fd, verified. */
static int extract(const struct export *x, const struct export_job *job, int fd, const char *path,
                   const struct pond_control *control, struct pond_error *err)
{
    struct pond_chunked_reader *reader = NULL;
    char *bundle = pond_bundle_path(x->pond, job->blake3);
    if (bundle == NULL)
        return pond_fail_nomem(err);
    int bundle_fd = os_open(bundle, O_RDONLY, 0, err);
    int r = bundle_fd;
    if (r == POND_ENOTFOUND)
        r = pond_fail_path(err, POND_ECORRUPT, bundle, "%s: is missing, and with it the content of %s", bundle, path);
    if (r >= 0)
        r = pond_chunked_open(&reader, bundle_fd, bundle, job->blake3, err);
    if (r == 0 && pond_chunked_reader_info(reader)->total_size != job->size)
        r = pond_fail_path(err, POND_ECORRUPT, bundle, "%s: holds %llu bytes, the log says %llu", bundle,
                           (unsigned long long)pond_chunked_reader_info(reader)->total_size,
                           (unsigned long long)job->size);
    if (r == 0)
        r = pond_chunked_extract(reader, fd, path, control, err);
    if (reader != NULL)
        pond_chunked_close(reader);
    os_close(bundle_fd);
    pond_free(bundle);
    return r;
}

static int write_file(const struct export *x, struct export_batch *b, struct export_job *job, const char *path,
                      const struct pond_control *control)
{
    struct os_new_file file;
    int dir_fd = job->dir->fd;
    POND_TRY(os_at_create_new(dir_fd, path, &file, &job->err));
    int r = job->storage == POND_STORAGE_CHUNKED
                ? extract(x, job, file.fd, path, control, &job->err)
                : os_write(file.fd, path, job_content(b, job), job->content_size, &job->err);
    if (r == 0) {
        apply_metadata(x, b, job, file.fd, NULL, path);
        r = os_at_publish(dir_fd, job->name, path, &file, &job->err);
    }
    os_at_discard(dir_fd, &file);
    return r;
}

static int write_symlink(const struct export *x, struct export_batch *b, struct export_job *job, const char *path)
{
    char *target = pond_memdup(job_content(b, job), job->content_size);
    if (target == NULL)
        return pond_fail_nomem(&job->err);
    int r = os_at_symlink(target, job->dir->fd, job->name, path, &job->err);
    pond_free(target);
    if (r == 0)
        apply_metadata(x, b, job, job->dir->fd, job->name, path);
    return r;
}

void export_job_run(const struct export *x, struct export_batch *b, struct export_job *job,
                    const struct pond_control *control)
{
    const char *path = hostdir_join(&b->path, job->dir->path, job->name);
    int r;
    if (path == NULL)
        r = pond_fail_nomem(&job->err);
    else if (control->cancel != NULL && *control->cancel != 0)
        r = pond_fail(&job->err, POND_EINTERRUPTED, "interrupted");
    else if (job->type == POND_SYMLINK)
        r = write_symlink(x, b, job, path);
    else
        r = write_file(x, b, job, path, control);
    job->failed = r < 0;
}
