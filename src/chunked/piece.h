/* chunked/piece.h - a piece of content on its way through the workers: the slot of both pipelines, writing and scanning.
 *
 * A piece is FORM_PIECE bytes of one chunk (the last may be shorter), 64 blocks, so a node of the chunk's tree.
 */
#ifndef CHUNKED_PIECE_H
#define CHUNKED_PIECE_H

#include "base/os.h"
#include "bao/tree.h"
#include "chunked/form.h"
#include "chunked/frames.h"

#define PIECE_BLOCKS (FORM_PIECE / POND_BLOCK_SIZE)
#define PIECE_PAIRS (PIECE_BLOCKS - 1)
#define MAX_PIECES ((size_t)(POND_CHUNK_SIZE_MAX / FORM_PIECE))
#define MAX_FRAMES ((size_t)(POND_CHUNK_SIZE_MAX / FRAME_SIZE))
#define MAX_OUTBOARD ((size_t)(POND_CHUNK_SIZE_MAX / POND_BLOCK_SIZE - 1) * POND_PAIR_SIZE)

struct piece {
    uint8_t *raw;                  /* FORM_PIECE bytes, or what the whole content has */
    uint8_t *packed;               /* FRAMES_PER_PIECE x FRAME_BOUND; made when first needed */
    struct frame_codec *codec;     /* likewise */

    uint64_t chunk_id;
    uint64_t offset;               /* in the chunk */
    uint64_t content_offset;       /* in the file */
    size_t size;
    bool compressed;
    uint32_t frame_sizes[FRAMES_PER_PIECE];
    unsigned frames;

    uint8_t outboard[PIECE_PAIRS * POND_PAIR_SIZE];
    uint8_t cv[32];
    struct pond_error error;       /* code 0: fine */
};

/* raw is allocated by the caller of the pipeline for each slot. */
POND_CHECKED int piece_need_codec(struct piece *p, int level, struct pond_error *err);
void piece_release(void *slot);

static inline uint64_t piece_block_count(uint64_t size)
{
    return size == 0 ? 1 : (size - 1) / POND_BLOCK_SIZE + 1;
}

/* A large file being written: the kernel is told to write what was put into the page cache soon after, and what is written leaves
 * the cache. So the disk works all the time, the sync at the end waits for little, and the user's pages stay. (O_DIRECT saves
 * a copy, but has one request of 1 MiB under way at a time: where anything else uses the machine, it took twice as long.) */
struct write_behind {
    int fd;
    const char *path;
    uint64_t started;              /* up to here the kernel was told to write */
    uint64_t settled;              /* up to here it has, and the pages are dropped */
};
/* Everything below `end` has been put into the file. Owner's thread. */
void write_behind_advance(struct write_behind *f, uint64_t end);

/* Pipeline workers for a control: 0 (in the caller's thread) when one thread is asked for or `size` is small. */
unsigned control_workers(const struct pond_control *control, uint64_t size);
/* POND_EINTERRUPTED when the caller wants to stop. */
POND_CHECKED int control_cancelled(const struct pond_control *control, struct pond_error *err);
void control_progress(const struct pond_control *control, uint64_t bytes);

#endif
