/* tlogfs/seen.h - _pond/seen.sqlite: what `copy` found in host files; those that look the same need not be read again.
 *
 *     dirs(id INTEGER PRIMARY KEY, path BLOB UNIQUE)           canonical host directories
 *     files(dir INTEGER, name BLOB, value BLOB, PRIMARY KEY (dir, name)) WITHOUT ROWID
 *     value := stat hash (16) content BLAKE3 (32) attributes hash (16)
 *
 * A row is a statement about a host file only (the file that had this name, device, inode, size, mtime and ctime had
 * this content and these attributes), so it stays true whether or not the transaction that learned it is committed. It
 * is believed only when the pond's own row has the same content hash and attributes. The stat hash covers the name:
 * a row that a damaged table puts elsewhere does not match. Deleting the file loses only speed; a failure of any
 * kind here switches the memory off and is no failure of the copy.
 */
#ifndef TLOGFS_SEEN_H
#define TLOGFS_SEEN_H

#include <sys/stat.h>

#include "base/mem.h"

struct seen;
struct seen_value {
    uint8_t stat_hash[16];
    uint8_t blake3[32];
    uint8_t attributes_hash[16];
};

/* NULL when it can't be had. A damaged file is made anew. */
struct seen *seen_open(const char *path);
void seen_close(struct seen *s);            /* keeps what was put; NULL: fine */
/* The number of a directory, 0 when there is none; made on demand. s may be NULL, here and below. */
int64_t seen_dir(struct seen *s, const char *host_dir);
bool seen_get(struct seen *s, int64_t dir, const char *name, struct seen_value *out);
void seen_put(struct seen *s, int64_t dir, const char *name, const struct seen_value *value);

void seen_stat_hash(const char *name, const struct stat *st, uint8_t out[16]);
void seen_attributes_hash(const char *attributes, uint8_t out[16]); /* NULL: of none */

#endif
