#include "tlogfs/hostmeta.h"

#include <jansson.h>
#include <pond/bao.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os_at.h"
#include "base/text.h"
#include "tlogfs/oplog.h"

/* ---- writing JSON: jansson's form, without making objects for every file ---- */

static void put_string(struct pond_buf *out, const char *text)
{
    static const char short_escapes[] = "btnvfr"; /* of 8 to 13; v is not JSON's */
    (void)pond_buf_append_byte(out, '"');
    for (const char *p = text; *p != '\0'; p++) {
        uint8_t c = (uint8_t)*p;
        if (c == '"' || c == '\\') {
            (void)pond_buf_append_byte(out, '\\');
            (void)pond_buf_append_byte(out, c);
        } else if (c >= 8 && c <= 13 && c != 11) {
            (void)pond_buf_append_byte(out, '\\');
            (void)pond_buf_append_byte(out, (uint8_t)short_escapes[c - 8]);
        } else if (c < 32) {
            (void)pond_buf_printf(out, "\\u%04X", c);
        } else {
            (void)pond_buf_append_byte(out, c);
        }
    }
    (void)pond_buf_append_byte(out, '"');
}

/* ---- extended attributes ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a list of NUL-ended ones, sorted: fresh memory. */
static const char **sorted_names(const struct pond_buf *list, size_t *count)
{
    size_t n = 0;
    for (size_t i = 0; i < list->size; i++)
        n += list->data[i] == 0;
    const char **names = pond_alloc(n, sizeof *names);
    if (names == NULL)
        return NULL;
    const char *p = (const char *)list->data;
    for (size_t i = 0; i < n; i++) {
        names[i] = p;
        p += strlen(p) + 1;
    }
    qsort(names, n, sizeof *names, compare_names);
    *count = n;
    return names;
}

struct xattr_source {
    int fd;
    const char *name, *path;
};

/* One group: those names that are UTF-8, or those that are not. */
static int put_xattrs(const struct xattr_source *from, const char **names, size_t count, bool utf8,
                      struct pond_buf *out, struct pond_error *err)
{
    struct pond_buf value = {0};
    size_t done = 0;
    int r = 0;
    for (size_t i = 0; i < count && r == 0; i++) {
        size_t size = strlen(names[i]);
        if (pond_utf8_valid(names[i], size) != utf8)
            continue;
        pond_buf_clear(&value);
        r = os_fd_xattr_get(from->fd, from->name, from->path, names[i], &value, err);
        if (r == POND_ENOTFOUND) { /* removed meanwhile */
            r = 0;
            continue;
        }
        if (r < 0)
            break;
        (void)pond_buf_append_str(out, done++ > 0 ? "," : utf8 ? ",\"xattrs\":{" : ",\"xattrs_base64\":{");
        if (utf8) {
            put_string(out, names[i]);
        } else {
            (void)pond_buf_append_byte(out, '"');
            (void)pond_base64_encode(out, (const uint8_t *)names[i], size);
            (void)pond_buf_append_byte(out, '"');
        }
        (void)pond_buf_append_str(out, ":\"");
        (void)pond_base64_encode(out, value.data, value.size);
        (void)pond_buf_append_byte(out, '"');
    }
    if (done > 0)
        (void)pond_buf_append_byte(out, '}');
    pond_buf_release(&value);
    return r < 0 ? r : pond_buf_error(out, err);
}

int hostmeta_xattrs(int fd, const char *name, const char *path, struct pond_buf *out, struct pond_error *err)
{
    struct pond_buf list = {0};
    const char **names = NULL;
    size_t count = 0;
    const struct xattr_source from = {.fd = fd, .name = name, .path = path};
    int r = os_fd_xattr_list(fd, name, path, &list, err);
    if (r == POND_ENOTFOUND && name != NULL) /* no /proc to ask for a symlink's */
        r = 0;
    if (r < 0 || list.size == 0)
        goto out;
    names = sorted_names(&list, &count);
    if (names == NULL) {
        r = pond_fail_nomem(err);
        goto out;
    }
    r = put_xattrs(&from, names, count, true, out, err);
    if (r == 0)
        r = put_xattrs(&from, names, count, false, out, err);
out:
    pond_free(names);
    pond_buf_release(&list);
    return r;
}

/* ---- hard links ---- */

/* The time of birth tells a file from a later one that got its inode, and unlike ctime does not change when a link
 * comes or goes. */
void hostmeta_link_id(int fd, const struct stat *st, char out[HOSTMETA_LINK_SIZE])
{
    out[0] = '\0';
    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return;
    uint64_t key[4] = {(uint64_t)st->st_ino, 0, 0, 0};
    int64_t seconds = 0;
    uint32_t nanoseconds = 0;
    if (fd >= 0 && os_fd_birth(fd, &seconds, &nanoseconds)) {
        key[1] = (uint64_t)seconds;
        key[2] = nanoseconds;
    } else {
        key[1] = (uint64_t)st->st_ctim.tv_sec;
        key[2] = (uint64_t)st->st_ctim.tv_nsec;
        key[3] = (uint64_t)st->st_dev;
    }
    uint8_t hash[POND_HASH_SIZE];
    pond_blake3(key, sizeof key, hash);
    pond_hex(hash, (HOSTMETA_LINK_SIZE - 1) / 2, out);
}

/* ---- owners ---- */

#define OWNER_SLOTS 64u

struct owner {
    bool known;
    uint32_t id;
    char *json; /* `"gid":0,"group":"root"`, `"owner":"root","uid":0` */
};

struct hostmeta_owners {
    struct owner users[OWNER_SLOTS];
    struct owner groups[OWNER_SLOTS];
};

struct hostmeta_owners *hostmeta_owners_new(void)
{
    return pond_calloc(1, sizeof(struct hostmeta_owners));
}

void hostmeta_owners_free(struct hostmeta_owners *o)
{
    for (size_t i = 0; o != NULL && i < OWNER_SLOTS; i++) {
        pond_free(o->users[i].json);
        pond_free(o->groups[i].json);
    }
    pond_free(o);
}

static const char *owner_json(struct owner *slots, uint32_t id, bool group)
{
    struct owner *slot = &slots[id % OWNER_SLOTS];
    if (slot->known && slot->id == id)
        return slot->json;
    char name[256];
    struct pond_buf json = {0};
    bool named = group ? os_group_name(id, name, sizeof name) == 1 : os_user_name(id, name, sizeof name) == 1;
    named = named && pond_utf8_valid(name, strlen(name));
    if (group)
        (void)pond_buf_printf(&json, "\"gid\":%u%s", id, named ? ",\"group\":" : "");
    else if (named)
        (void)pond_buf_append_str(&json, "\"owner\":");
    if (named)
        put_string(&json, name);
    if (!group)
        (void)pond_buf_printf(&json, "%s\"uid\":%u", named ? "," : "", id);
    char *text = pond_buf_cstr(&json);
    if (text == NULL) {
        pond_buf_release(&json);
        return NULL;
    }
    pond_free(slot->json);
    *slot = (struct owner){.known = true, .id = id, .json = text};
    return text;
}

int hostmeta_attributes(struct hostmeta_owners *o, const struct stat *st, const char *link_id, const char *xattrs,
                        size_t xattrs_size, struct pond_buf *out, struct pond_error *err)
{
    const char *group = owner_json(o->groups, st->st_gid, true);
    const char *user = owner_json(o->users, st->st_uid, false);
    if (group == NULL || user == NULL)
        return pond_fail_nomem(err);
    pond_buf_clear(out);
    (void)pond_buf_append_byte(out, '{');
    (void)pond_buf_append_str(out, group);
    if (link_id[0] != '\0')
        (void)pond_buf_printf(out, ",\"hard_link\":\"%s\"", link_id);
    (void)pond_buf_append_byte(out, ',');
    (void)pond_buf_append_str(out, user);
    (void)pond_buf_append(out, xattrs, xattrs_size);
    (void)pond_buf_append_byte(out, '}');
    return pond_buf_cstr(out) != NULL ? 0 : pond_buf_error(out, err);
}

void hostmeta_stat_to_row(const struct stat *st, struct oplog_row *row)
{
    row->mode = st->st_mode & 07777;
    row->mtime_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
    row->mtime_nanos = (int32_t)(st->st_mtim.tv_nsec % 1000);
}

/* ---- to the host ---- */

void hostmeta_parsed_release(struct hostmeta_parsed *m)
{
    json_decref(m->json);
    pond_free(m->text);
    *m = (struct hostmeta_parsed){0};
}

/* By name where this host knows it, for numbers differ from host to host; else by number. */
static bool take_owner(const json_t *json, struct hostmeta_parsed *m)
{
    const char *owner = json_string_value(json_object_get(json, "owner"));
    const char *group = json_string_value(json_object_get(json, "group"));
    const json_t *uid = json_object_get(json, "uid");
    const json_t *gid = json_object_get(json, "gid");
    if (owner == NULL || os_user_id(owner, &m->uid) != 1) {
        if (!json_is_integer(uid) || json_integer_value(uid) < 0 || json_integer_value(uid) >= UINT32_MAX)
            return false; /* UINT32_MAX would mean: leave it */
        m->uid = (uid_t)json_integer_value(uid);
    }
    if (group == NULL || os_group_id(group, &m->gid) != 1) {
        if (!json_is_integer(gid) || json_integer_value(gid) < 0 || json_integer_value(gid) >= UINT32_MAX)
            return false;
        m->gid = (gid_t)json_integer_value(gid);
    }
    return true;
}

int hostmeta_parse(struct hostmeta_parsed *m, const char *attributes, struct pond_error *err)
{
    if (attributes == NULL)
        attributes = "{}";
    if (m->text != NULL && strcmp(m->text, attributes) == 0)
        return 0;
    hostmeta_parsed_release(m);
    json_error_t error;
    json_t *json = json_loads(attributes, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        json_decref(json);
        return pond_fail(err, POND_ECORRUPT, "attributes are no JSON object: %.200s", attributes);
    }
    m->text = pond_strdup(attributes);
    m->json = json;
    if (m->text == NULL) {
        hostmeta_parsed_release(m);
        return pond_fail_nomem(err);
    }
    m->has_owner = take_owner(json, m);
    return 0;
}

const char *hostmeta_hard_link(const struct hostmeta_parsed *m)
{
    return json_string_value(json_object_get(m->json, "hard_link"));
}

struct apply {
    const struct hostmeta_target *target;
    hostmeta_problem_fn *problem;
    void *context;
};

static void tell(const struct apply *a, const struct pond_error *why)
{
    if (a->problem != NULL)
        a->problem(a->context, a->target->path, why);
}

/* Name spaces that are the administrator's. */
static bool is_privileged(const char *xattr)
{
    return strncmp(xattr, "security.", 9) == 0 || strncmp(xattr, "trusted.", 8) == 0;
}

static void set_xattr(const struct apply *a, const char *name, const char *base64)
{
    struct pond_error err = {0};
    struct pond_buf value = {0};
    const struct hostmeta_target *t = a->target;
    if (base64 == NULL || !pond_base64_decode(&value, base64, strlen(base64)))
        (void)pond_fail_path(&err, POND_ECORRUPT, t->path, "%s: extended attribute %s is no base64 text", t->path,
                             name);
    else if (os_fd_xattr_set(t->fd, t->name, t->path, name, value.data != NULL ? (const void *)value.data : "",
                             value.size, &err) == POND_EDENIED && is_privileged(name) && geteuid() != 0)
        err.code = 0;
    if (err.code != 0)
        tell(a, &err);
    pond_buf_release(&value);
}

static void set_xattrs(const struct apply *a, const struct hostmeta_parsed *m)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(m->json, "xattrs"), key, value)
        set_xattr(a, key, json_string_value(value));
    json_object_foreach(json_object_get(m->json, "xattrs_base64"), key, value) {
        struct pond_buf name = {0};
        if (pond_base64_decode(&name, key, strlen(key)) && pond_buf_cstr(&name) != NULL)
            set_xattr(a, (const char *)name.data, json_string_value(value));
        pond_buf_release(&name);
    }
}

static void set_owner(const struct apply *a, const struct hostmeta_parsed *m)
{
    struct pond_error err = {0};
    const struct hostmeta_target *t = a->target;
    if (!m->has_owner || (m->uid == t->uid && m->gid == t->gid))
        return;
    int r = t->name == NULL ? os_fd_chown(t->fd, t->path, m->uid, m->gid, &err)
                            : os_at_lchown(t->fd, t->name, t->path, m->uid, m->gid, &err);
    if (r == POND_EDENIED && geteuid() != 0)
        return;
    if (r < 0)
        tell(a, &err);
}

/* Giving a file away clears set-uid bits and capabilities, writing an attribute changes ctime only. */
void hostmeta_apply(const struct hostmeta_target *target, const struct hostmeta_parsed *m, uint32_t mode,
                    int64_t mtime_us, int32_t mtime_nanos, hostmeta_problem_fn *problem, void *context)
{
    const struct apply a = {.target = target, .problem = problem, .context = context};
    struct pond_error err = {0};
    set_owner(&a, m);
    if (target->name == NULL && os_fd_chmod(target->fd, target->path, mode & 07777, &err) < 0)
        tell(&a, &err);
    set_xattrs(&a, m); /* after the mode: an access list has the last word on it */
    int64_t seconds = mtime_us / 1000000;
    int64_t below_us = mtime_us % 1000000;
    if (below_us < 0) {
        seconds--;
        below_us += 1000000;
    }
    int64_t nanoseconds = below_us * 1000 + mtime_nanos;
    int r = target->name == NULL
                ? os_fd_set_mtime(target->fd, target->path, seconds, nanoseconds, &err)
                : os_at_set_mtime(target->fd, target->name, target->path, seconds, nanoseconds, &err);
    if (r < 0)
        tell(&a, &err);
}
