/* pond/chunked.h - the chunked Parquet file: the one place where chunking is done.
 *
 * A file is stored as rows of one chunk each (docs/format.md has the whole grammar). Everything in the Parquet file but the
 * payload follows from the payload, the options and the transaction number (its *form*), so one file has one
 * form, and a reader can tell any changed byte by comparing with what the writer would write.
 *
 * Writing:  pond_chunked_writer_new -> pond_chunked_write* or pond_chunked_write_fd -> pond_chunked_writer_finish
 *           -> pond_chunked_writer_free. One pass, bounded memory (at most some 24 MiB, whatever the size).
 * Reading:  pond_chunked_open -> pond_chunked_read* -> pond_chunked_close. No byte is given out before its block of
 *           16 KiB has been hashed and chained to the root hash; the size is proven at open by verifying the last block.
 * Copying:  pond_chunked_copy, literal and verified in one pass.
 *
 * Writers and readers are single-threaded objects (inside they use `threads` workers).
 */
#ifndef POND_CHUNKED_H
#define POND_CHUNKED_H

#include <stdbool.h>

#include <pond/bao.h>
#include <pond/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POND_CHUNK_SIZE_MIN ((uint64_t)4 << 20)
#define POND_CHUNK_SIZE_MAX ((uint64_t)64 << 20)
#define POND_CHUNK_SIZE_DEFAULT ((uint64_t)16 << 20)

enum pond_compression {
    POND_COMPRESSION_AUTO = 0, /* per chunk: zstd when a probe of it shrinks, else as it is */
    POND_COMPRESSION_ZSTD = 1, /* every chunk */
    POND_COMPRESSION_NONE = 2,
};

/* Long work looks at this between pieces of at most 1 MiB. {0} is valid: no progress, no cancel, all processors. */
struct pond_control {
    unsigned threads;                     /* workers; 0: as many as processors */
    const volatile int *cancel;           /* not NULL and not 0: the call ends with POND_EINTERRUPTED */
    void (*progress)(void *context, uint64_t bytes); /* more bytes are done; called on the caller's thread */
    /* May be NULL. A backup, pull or restore tells once, as soon as it knows, what progress will add up to. */
    void (*total)(void *context, uint64_t bytes);
    void *context;                        /* of both */
};

struct pond_chunked_options {
    uint64_t chunk_size;                  /* a power of two in MIN..MAX; 0: 16 MiB, or 64 MiB when the size is known to
                                             be over 64 GiB */
    enum pond_compression compression;
    int level;                            /* zstd level 1..19; 0: 1 */
    int64_t txn_id;                       /* pond_txn_id of the rows */
    struct pond_control control;
};

/* What is known of a whole bundle. */
struct pond_chunked_info {
    uint8_t root_hash[POND_HASH_SIZE];    /* BLAKE3 of the content, what b3sum prints */
    uint8_t form_hash[POND_HASH_SIZE];    /* BLAKE3 of the bundle's bytes, its uncompressed payloads left out: with root_hash
                                             it vouches for every byte (set by finish, verify and copy) */
    uint8_t uuid[16];                     /* names the bundle at a remote: derived from all that determines its bytes */
    uint64_t total_size;                  /* of the content */
    uint64_t chunk_size;
    uint64_t chunk_count;
    uint64_t file_size;                   /* of the Parquet file */
    int64_t txn_id;
};

/* ---- writing ---- */

struct pond_chunked_writer;

/* fd: an empty regular file, open for reading and writing; path: its name for messages. Both stay the caller's. `size` is the
 * content's size where known, else UINT64_MAX. POND_EUSAGE for bad options. */
POND_API POND_CHECKED int pond_chunked_writer_new(struct pond_chunked_writer **out, int fd, const char *path,
                                                  uint64_t size, const struct pond_chunked_options *options,
                                                  struct pond_error *err);
POND_API POND_CHECKED int pond_chunked_write(struct pond_chunked_writer *w, const void *bytes, size_t size,
                                             struct pond_error *err);
/* Takes src_fd from its start, to exactly `size` bytes when the writer knows the size (a regular file: POND_EFAILED "shrank"
 * when it ends before; what was appended meanwhile is left), else to its end (a pipe). Workers may read it until finish or free
 * returns: it stays open till then. */
POND_API POND_CHECKED int pond_chunked_write_fd(struct pond_chunked_writer *w, int src_fd, const char *src_name,
                                                struct pond_error *err);
/* Writes the rest, patches what is known only now, writes the footer. Does not sync. */
POND_API POND_CHECKED int pond_chunked_writer_finish(struct pond_chunked_writer *w, struct pond_chunked_info *info,
                                                     struct pond_error *err);
POND_API void pond_chunked_writer_free(struct pond_chunked_writer *w);

/* ---- reading ---- */

struct pond_chunked_reader;

/* expected_root: the hash the content must have (from the log); NULL: the file's own claim. The fd is dup'ed. name for messages.
 * POND_ECORRUPT: not a chunked file, or its hashes do not combine to the root. */
POND_API POND_CHECKED int pond_chunked_open(struct pond_chunked_reader **out, int fd, const char *name,
                                            const uint8_t *expected_root, struct pond_error *err);
POND_API void pond_chunked_close(struct pond_chunked_reader *r);
/* All but form_hash. Valid until close. */
POND_API const struct pond_chunked_info *pond_chunked_reader_info(const struct pond_chunked_reader *r);
/* Up to size verified bytes from offset; fewer only at the content's end. Returns the count (SIZE_MAX/2 at most). */
POND_API POND_CHECKED int64_t pond_chunked_read(struct pond_chunked_reader *r, uint64_t offset, void *buf, size_t size,
                                                struct pond_error *err);

/* One row. Pointers are borrowed until the reader's next call. */
struct pond_chunk {
    uint64_t chunk_id, offset, size;
    uint8_t chunk_hash[POND_HASH_SIZE];
    const uint8_t *outboard;              /* verified */
    size_t outboard_size;
    bool compressed;
    uint64_t stored_offset, stored_size;  /* of the page body's payload in the Parquet file: for uncompressed ones the bytes
                                             themselves, at a multiple of 4096 */
};
POND_API POND_CHECKED int pond_chunked_chunk(struct pond_chunked_reader *r, uint64_t chunk_id, struct pond_chunk *out,
                                             struct pond_error *err);

/* Writes the whole content, verified piece by piece before it is written, to out_fd: at its offsets when it is a regular
 * file (size must be 0), in order otherwise. `control` may be NULL, here and below. */
POND_API POND_CHECKED int pond_chunked_extract(struct pond_chunked_reader *r, int out_fd, const char *out_name,
                                               const struct pond_control *control, struct pond_error *err);

/* Checks every byte of the bundle: content against its tree, everything else against the one form. With
 * `recompress`, compressed payloads too are compared with what the writer's compressor gives, when its version is the
 * one in use here. 0; POND_ECORRUPT: what, where (chunk, block, offset), and whether the content itself still verifies. */
POND_API POND_CHECKED int pond_chunked_verify(int fd, const char *name, const uint8_t *expected_root, bool recompress,
                                              const struct pond_control *control, struct pond_chunked_info *info,
                                              struct pond_error *err);

/* Copies a bundle byte for byte into dst_fd (an empty regular file), by sharing blocks where the file systems can, and
 * verifies every byte of it in the same pass. On failure dst's content is worthless. Does not sync. */
POND_API POND_CHECKED int pond_chunked_copy(int src_fd, const char *src_name, int dst_fd, const char *dst_name,
                                            const uint8_t *expected_root, const struct pond_control *control,
                                            struct pond_chunked_info *info, struct pond_error *err);

#ifdef __cplusplus
}
#endif
#endif
