/* delta/protocol.c - which tables this program may read and write (PROTOCOL.md, "Protocol Evolution"). */
#include <inttypes.h>
#include <string.h>

#include "delta/delta.h"

#define READER_FEATURES 3 /* from this version on, readerFeatures tells */
#define WRITER_FEATURES 7
#define WRITER_PLAIN 2    /* appendOnly and invariants, no more */

/* vacuumProtocolCheck binds those who vacuum, and we don't. */
static const char *const known_reader[] = {"vacuumProtocolCheck", NULL};
static const char *const known_writer[] = {"appendOnly", "invariants", "vacuumProtocolCheck", NULL};

static bool is_known(const char *const *known, const char *feature)
{
    for (; *known != NULL; known++) {
        if (strcmp(*known, feature) == 0)
            return true;
    }
    return false;
}

static int check_features(const char *table_name, const json_t *protocol, const char *key,
                          const char *const *known, const char *verb, struct pond_error *err)
{
    const json_t *features = json_object_get(protocol, key);
    if (!json_is_array(features))
        return pond_fail(err, POND_ECORRUPT, "%s: protocol: %s is missing or not an array", table_name, key);
    for (size_t i = 0; i < json_array_size(features); i++) {
        const char *feature = json_string_value(json_array_get(features, i));
        if (feature == NULL)
            return pond_fail(err, POND_ECORRUPT, "%s: protocol: %s holds something that is not a string", table_name,
                             key);
        if (!is_known(known, feature))
            return pond_fail(err, POND_EUNSUPPORTED,
                             "%s: cannot %s: the table uses the feature '%.100s', which is not supported", table_name,
                             verb, feature);
    }
    return 0;
}

static int version_unsupported(const char *table_name, const char *key, int64_t version, const char *verb,
                               struct pond_error *err)
{
    return pond_fail(err, POND_EUNSUPPORTED, "%s: cannot %s: %s is %" PRId64 ", which is not supported", table_name,
                     verb, key, version);
}

int delta_check_protocol(const char *table_name, const json_t *protocol, bool for_writing, struct pond_error *err)
{
    const json_t *reader_json = json_object_get(protocol, "minReaderVersion");
    const json_t *writer_json = json_object_get(protocol, "minWriterVersion");
    if (!json_is_integer(reader_json) || !json_is_integer(writer_json))
        return pond_fail(err, POND_ECORRUPT, "%s: protocol: minReaderVersion or minWriterVersion is no integer",
                         table_name);
    int64_t reader = json_integer_value(reader_json);
    int64_t writer = json_integer_value(writer_json);
    if (reader < 1 || reader > READER_FEATURES)
        return version_unsupported(table_name, "minReaderVersion", reader, "read", err);
    if (reader == READER_FEATURES)
        POND_TRY(check_features(table_name, protocol, "readerFeatures", known_reader, "read", err));
    if (!for_writing)
        return 0;
    if (writer == WRITER_FEATURES)
        return check_features(table_name, protocol, "writerFeatures", known_writer, "write", err);
    if (writer < 1 || writer > WRITER_PLAIN)
        return version_unsupported(table_name, "minWriterVersion", writer, "write", err);
    return 0;
}
