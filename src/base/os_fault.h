/* base/os_fault.h - private to base/os_*.c: the one gate every OS call passes, and its fault injection.
 *
 * OS_CALL runs one call, counts it, and retries it while a signal interrupts it. In objects compiled without
 * POND_FAULTS the gate is an inline constant, so it costs nothing there.
 */
#ifndef BASE_OS_FAULT_H
#define BASE_OS_FAULT_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

enum os_fault_kind {
    OS_FAULT_READ,  /* looks only */
    OS_FAULT_WRITE, /* writes, syncs, or changes names or attributes */
};

#ifdef POND_FAULTS
/* Counts a call. True: it must not be made, but fail with *errno_out. May kill the process instead. */
bool os_fault(enum os_fault_kind kind, int *errno_out);

/* Arms (spec as in POND_FAULT) or disarms (NULL) the fault and restarts the count, as at program start; for
 * tests, while no other thread makes OS calls. False: not a spec, nothing changed. */
bool os_fault_set(const char *spec);
unsigned long os_fault_count(void);
#else
static inline bool os_fault(enum os_fault_kind kind, int *errno_out)
{
    (void)kind;
    (void)errno_out;
    return false;
}
#endif

#define OS_CALL(result, kind, call)                \
    do {                                           \
        int os_call_errno_ = 0;                    \
        if (os_fault((kind), &os_call_errno_)) {   \
            errno = os_call_errno_;                \
            (result) = -1;                         \
        } else {                                   \
            (result) = (call);                     \
        }                                          \
    } while ((result) < 0 && errno == EINTR)

/* Whether opening with these flags can change anything. */
static inline enum os_fault_kind os_open_kind(int flags)
{
    return (flags & (O_CREAT | O_TRUNC)) != 0 ? OS_FAULT_WRITE : OS_FAULT_READ;
}

#endif
