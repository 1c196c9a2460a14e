/* pond/pond.h - all of libpond's public interface. */
#ifndef POND_POND_H
#define POND_POND_H

#include <pond/bao.h>
#include <pond/chunked.h>
#include <pond/error.h>
#include <pond/fs.h>
#include <pond/remote.h>

#endif
