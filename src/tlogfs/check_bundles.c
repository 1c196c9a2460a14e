/* Every bundle a row names: there, of its size, its footer and hashes agreeing; or every byte of it. */
#include <fcntl.h>
#include <string.h>

#include "base/os.h"
#include "base/pool.h"
#include "base/text.h"
#include "tlogfs/check.h"

#define WORKERS_MAX 8u
#define BY_WORKER_MAX ((uint64_t)1 << 20) /* larger ones are verified by the owner with all threads */
#define READ_STEP ((size_t)256 << 10)

struct job {
    struct check *k;
    uint8_t blake3[POND_HASH_SIZE];
    uint64_t size;
    bool read_data;
    struct pond_control control;
    /* results */
    char *path;
    int code;
    struct pond_error err;
    bool content_intact;
    uint64_t bytes_read;
};

/* Damage to the form alone leaves a content that verifies. */
static bool content_verifies(int fd, const struct job *j)
{
    struct pond_chunked_reader *reader = NULL;
    uint8_t *buffer = pond_alloc(READ_STEP, 1);
    bool good = buffer != NULL && pond_chunked_open(&reader, fd, j->path, j->blake3, NULL) == 0;
    uint64_t at = 0;
    while (good && at < j->size) {
        int64_t n = pond_chunked_read(reader, at, buffer, READ_STEP, NULL);
        good = n > 0;
        at += good ? (uint64_t)n : 0;
    }
    if (reader != NULL)
        pond_chunked_close(reader);
    pond_free(buffer);
    return good && at == j->size;
}

static int check_size(const struct job *j, const struct pond_chunked_info *info, struct pond_error *err)
{
    if (info->total_size == j->size)
        return 0;
    return pond_fail_path(err, POND_ECORRUPT, j->path, "%s: holds %llu bytes, the log says %llu", j->path,
                          (unsigned long long)info->total_size, (unsigned long long)j->size);
}

/* The file may be longer or shorter than what its footer speaks of. */
static int check_structure(struct job *j, int fd)
{
    struct pond_chunked_reader *reader;
    struct stat st;
    POND_TRY(pond_chunked_open(&reader, fd, j->path, j->blake3, &j->err));
    const struct pond_chunked_info *info = pond_chunked_reader_info(reader);
    int r = check_size(j, info, &j->err);
    if (r == 0)
        r = os_fstat(fd, j->path, &st, &j->err);
    if (r == 0 && (uint64_t)st.st_size != info->file_size)
        r = pond_fail_path(&j->err, POND_ECORRUPT, j->path, "%s: has %lld bytes, its footer ends at %llu", j->path,
                           (long long)st.st_size, (unsigned long long)info->file_size);
    pond_chunked_close(reader);
    return r;
}

static int check_bytes(struct job *j, int fd)
{
    struct pond_chunked_info info;
    struct stat st;
    POND_TRY(os_fstat(fd, j->path, &st, &j->err));
    j->bytes_read = (uint64_t)st.st_size;
    int r = pond_chunked_verify(fd, j->path, j->blake3, true, &j->control, &info, &j->err);
    return r == 0 ? check_size(j, &info, &j->err) : r;
}

static void run(struct job *j)
{
    j->code = 0;
    j->bytes_read = 0;
    j->content_intact = false;
    j->path = pond_bundle_path(j->k->pond, j->blake3);
    if (j->path == NULL) {
        j->code = pond_fail_nomem(&j->err);
        return;
    }
    int fd = os_open(j->path, O_RDONLY | O_NOFOLLOW, 0, &j->err);
    if (fd == POND_ENOTFOUND)
        j->code = pond_fail_path(&j->err, POND_ECORRUPT, j->path, "%s: is missing: the log names it", j->path);
    else if (fd < 0)
        j->code = fd;
    else
        j->code = j->read_data ? check_bytes(j, fd) : check_structure(j, fd);
    if (fd >= 0 && j->code == POND_ECORRUPT)
        j->content_intact = content_verifies(fd, j);
    os_close(fd);
}

static void run_slot(void *context, void *slot)
{
    (void)context;
    run(slot);
}

struct bundles {
    struct check *k;
    struct pond_pipeline *pipeline;
};

static int settle(struct check *k, struct job *j, bool told, struct pond_error *err)
{
    int r = j->code < 0 ? check_found(k, "bundle", j->path, j->content_intact, j->code, &j->err, err) : 0;
    const struct pond_control *control = &k->options->control;
    k->result.bundles++;
    k->result.bytes_read += j->bytes_read;
    if (!told && control->progress != NULL && j->bytes_read > 0)
        control->progress(control->context, j->bytes_read);
    pond_free(j->path);
    j->path = NULL;
    return r;
}

/* 1: one was taken, 0: there was none. */
static int take(struct bundles *b, struct pond_error *err)
{
    struct job *j = pond_pipeline_take(b->pipeline);
    if (j == NULL)
        return 0;
    int r = settle(b->k, j, false, err);
    pond_pipeline_put_back(b->pipeline, j);
    return r < 0 ? r : 1;
}

static bool in_subset(const struct pond_check_options *o, const uint8_t hash[POND_HASH_SIZE])
{
    uint64_t number = 0;
    if (o->subset_of == 0)
        return true;
    for (size_t i = 0; i < 8; i++)
        number = number << 8 | hash[i];
    return number % o->subset_of == o->subset_n - 1;
}

static int add_bundle(void *context, const uint8_t blake3[32], int64_t first_txn, uint64_t size,
                      struct pond_error *err)
{
    struct bundles *b = context;
    struct check *k = b->k;
    const struct pond_control *control = &k->options->control;
    (void)first_txn;
    if (control->cancel != NULL && *control->cancel != 0)
        return pond_fail(err, POND_EINTERRUPTED, "interrupted");
    struct job *j;
    while ((j = pond_pipeline_free_slot(b->pipeline)) == NULL)
        POND_TRY(take(b, err));
    j->k = k;
    memcpy(j->blake3, blake3, sizeof j->blake3);
    j->size = size;
    j->read_data = k->options->read_data && in_subset(k->options, blake3);
    if (j->read_data && size > BY_WORKER_MAX) {
        j->control = *control;
        run(j);
        int r = settle(k, j, true, err);
        pond_pipeline_put_back(b->pipeline, j);
        return r;
    }
    j->control = (struct pond_control){.threads = 1, .cancel = control->cancel};
    pond_pipeline_submit(b->pipeline, j);
    return 0;
}

int check_bundles(struct check *k, struct pond_error *err)
{
    struct bundles b = {.k = k};
    unsigned threads = k->options->control.threads != 0 ? k->options->control.threads : pond_cpu_count();
    unsigned workers = threads <= 1 ? 0 : threads < WORKERS_MAX ? threads : WORKERS_MAX;
    POND_TRY(pond_pipeline_new(&b.pipeline, workers, 2 * workers + 2, sizeof(struct job), run_slot, NULL, err));
    int r = index_bundles(k->pond->index, 0, k->tip, add_bundle, &b, err);
    while (r >= 0 && (r = take(&b, err)) == 1)
        ;
    struct job *j;
    while ((j = pond_pipeline_take(b.pipeline)) != NULL) { /* after a failure */
        pond_free(j->path);
        pond_pipeline_put_back(b.pipeline, j);
    }
    pond_pipeline_free(b.pipeline);
    return r;
}
