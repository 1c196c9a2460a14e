/* bao/kernel.h - what the tree needs of BLAKE3 itself; the only user of the official kernels. `wide` calls do many
 * compressions side by side, which is where the speed comes from. Any thread, no state. */
#ifndef BAO_KERNEL_H
#define BAO_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_CHUNK_SIZE 1024u /* BLAKE3's own chunk, the leaf of its tree */

/* Settles the kernels' CPU detection. */
void bao_kernel_init(void);

/* One leaf: data[0..size), size <= 1024 (0 only as the root), the index-th of its file. */
void bao_kernel_leaf(const uint8_t *data, size_t size, uint64_t index, bool is_root, uint8_t cv[32]);

/* `count` full leaves, from the index-th of the file on: count x 32 bytes to cvs. */
void bao_kernel_leaves_wide(const uint8_t *data, size_t count, uint64_t index, uint8_t *cvs);

void bao_kernel_parent(const uint8_t pair[64], bool is_root, uint8_t cv[32]);

/* `count` parents that are not root, of contiguous pairs: count x 32 bytes to cvs, which must not overlap pairs. */
void bao_kernel_parents_wide(const uint8_t *pairs, size_t count, uint8_t *cvs);

#endif
