/* store/store.c - the front of every store: addresses, keys, dispatch. */
#include "store/store_impl.h"

#include <string.h>

#include "base/text.h"

/* Length of the scheme in "scheme://...", 0 when there is none. */
static size_t scheme_length(const char *url)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-";
    size_t n = strspn(url, allowed);
    return n > 0 && strncmp(url + n, "://", 3) == 0 ? n : 0;
}

/* The path in "file:///path" or "file://localhost/path", decoded, into out. */
static int file_url_path(const char *url, struct pond_buf *out, struct pond_error *err)
{
    const char *rest = url + strlen("file://");
    if (strncmp(rest, "localhost/", 10) == 0)
        rest += 9;
    if (*rest != '/')
        return pond_fail(err, POND_EUSAGE, "%s: a file URL has three slashes: file:///dir", url);
    if (!pond_percent_decode(out, rest, strlen(rest))) {
        POND_TRY(pond_buf_error(out, err));
        return pond_fail(err, POND_EUSAGE, "%s: malformed percent-encoding", url);
    }
    return 0;
}

int store_open(struct store **out, const char *url, bool create, struct pond_error *err)
{
    struct pond_buf path = {0};
    size_t scheme = scheme_length(url);
    int r = 0;
    if (scheme == 4 && strncmp(url, "file", 4) == 0)
        r = file_url_path(url, &path, err);
    else if (scheme > 0)
        r = pond_fail(err, POND_EUNSUPPORTED, "%s: stores of the kind '%.*s' are not built into this program", url,
                      (int)scheme, url);
    else if (*url == '\0')
        r = pond_fail(err, POND_EUSAGE, "the address of a store is empty");
    else
        (void)pond_buf_append_str(&path, url);
    struct store *s = NULL;
    if (r == 0) {
        while (path.size > 1 && path.data[path.size - 1] == '/')
            path.size--;
        const char *root = pond_buf_cstr(&path);
        r = root != NULL ? store_dir_open(&s, root, create, err) : pond_fail_nomem(err);
    }
    pond_buf_release(&path);
    if (r < 0)
        return r;
    s->url = pond_strdup(url);
    if (s->url == NULL) {
        store_free(s);
        return pond_fail_nomem(err);
    }
    *out = s;
    return 0;
}

void store_free(struct store *s)
{
    if (s == NULL)
        return;
    pond_free(s->url);
    s->ops->release(s);
}

const char *store_url(const struct store *s)
{
    return s->url;
}

const char *store_local_dir(const struct store *s)
{
    return s->ops->local_dir != NULL ? s->ops->local_dir(s) : NULL;
}

/* Invariant 8: what a log or a remote names never leads outside the store. */
static int check_key(const struct store *s, const char *key, struct pond_error *err)
{
    if (pond_path_is_safe(key, strlen(key)))
        return 0;
    return pond_fail_path(err, POND_EUSAGE, key, "%s: '%.200s' is not a key that can be in a store", s->url, key);
}

int store_head(struct store *s, const char *key, struct store_stat *out, struct pond_error *err)
{
    POND_TRY(check_key(s, key, err));
    return s->ops->head(s, key, out, err);
}

int store_get(struct store *s, const char *key, size_t max, struct pond_buf *out, struct pond_error *err)
{
    POND_TRY(check_key(s, key, err));
    return s->ops->get(s, key, max, out, err);
}

int store_read_at(struct store *s, const char *key, uint64_t offset, void *buf, size_t size, struct pond_error *err)
{
    POND_TRY(check_key(s, key, err));
    if (offset > (uint64_t)INT64_MAX || size > (uint64_t)INT64_MAX - offset)
        return pond_fail_path(err, POND_ECORRUPT, key, "%s/%s: no object reaches to offset %llu", s->url, key,
                              (unsigned long long)offset);
    return s->ops->read_at(s, key, offset, buf, size, err);
}

int store_put_if_absent(struct store *s, const char *key, const void *bytes, size_t size, struct pond_error *err)
{
    POND_TRY(check_key(s, key, err));
    return s->ops->put_if_absent(s, key, bytes, size, err);
}

int store_replace(struct store *s, const char *key, const void *bytes, size_t size, struct pond_error *err)
{
    POND_TRY(check_key(s, key, err));
    return s->ops->replace(s, key, bytes, size, err);
}

int store_delete(struct store *s, const char *key, struct pond_error *err)
{
    POND_TRY(check_key(s, key, err));
    return s->ops->remove(s, key, err);
}

int store_list(struct store *s, const char *prefix, const char *start_after, store_list_fn *fn, void *context,
               struct pond_error *err)
{
    size_t size = strlen(prefix);
    if (size > 0 && prefix[size - 1] == '/')
        size--; /* a folder: its name must be good, the slash is not part of it */
    if (*prefix != '\0' && !pond_path_is_safe(prefix, size))
        return pond_fail_path(err, POND_EUSAGE, prefix, "%s: '%.200s' is not a prefix that keys can have", s->url,
                              prefix);
    return s->ops->list(s, prefix, start_after, fn, context, err);
}

static int not_local(const struct store *s, struct pond_error *err)
{
    return pond_fail(err, POND_EUNSUPPORTED, "%s: is not a local directory", s->url);
}

int store_set_tmp_dir(struct store *s, const char *relative, struct pond_error *err)
{
    POND_TRY(check_key(s, relative, err));
    return s->ops->set_tmp_dir != NULL ? s->ops->set_tmp_dir(s, relative, err) : not_local(s, err);
}

int store_tmp_path(struct store *s, char **out, struct pond_error *err)
{
    return s->ops->tmp_path != NULL ? s->ops->tmp_path(s, out, err) : not_local(s, err);
}

int store_tmp_clear(struct store *s, int64_t older_than_s, struct pond_error *err)
{
    return s->ops->tmp_clear != NULL ? s->ops->tmp_clear(s, older_than_s, err) : not_local(s, err);
}
